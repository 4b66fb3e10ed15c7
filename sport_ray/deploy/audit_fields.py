"""What each kind of line of an audit log has: names and types, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.audit_log import SCHEMA

_FIELDS = {
    "open": "schema bundle horizon constraint promise on_breach outside damage",
    "reset": "episode seed",
    "step": "episode step played observation base_mean base_std drawn limit reached log_ratio cost "
    "left",
    "breach": "episode step reason stream",
    "end": "episode step reason",
    "close": "lines",
}
_MORE = {"step": {frozenset(), frozenset(("mean", "std")), frozenset(("breach",))}}


class Wrong(Exception):
    """What a line says is not so."""


def require_fields(kind: Any, record: dict[str, Any]) -> None:
    """Refuse a line that has not exactly the fields of its kind, each of its type.

    Raises:
        Wrong: says which.
    """
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise Wrong(f"its kind {kind!r} is unknown")
    if kind == "open" and record.get("schema") != SCHEMA:
        raise Wrong(f"schema {record.get('schema')!r}, expected {SCHEMA!r}")
    fields = set(_FIELDS[kind].split())
    more = frozenset(record) - fields
    if not fields <= set(record) or more not in _MORE.get(kind, {frozenset()}):
        raise Wrong(f"a {kind} line has the fields {', '.join(sorted(record))}")
    for name in ("episode", "step", "lines", "horizon", "stream"):
        if name in record and (type(record[name]) is not int or record[name] < 0):
            raise Wrong(f"its {name} {record[name]!r} is no count")
    for name in ("reason", "breach", "bundle", "played"):
        if not isinstance(record.get(name, ""), str):
            raise Wrong(f"its {name} is no text")
    for name, words in (
        ("played", ("task", "base")),
        ("on_breach", ("raise", "base")),
        ("outside", ("refuse", "base")),
    ):
        if name in record and record[name] not in words:
            raise Wrong(f"its {name} is {record[name]!r}")
    if kind == "step" and (record["played"] == "task") != ("mean" in record):
        raise Wrong("it has the numbers of another policy than played")


def numbers(values: Any) -> NDArray[np.float64]:
    """A list of finite numbers, (D,)."""
    if not isinstance(values, list) or not all(type(x) in (int, float) for x in values):
        raise Wrong("a number is missing, or is none")
    found = np.array(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise Wrong("a number is not finite")
    return found
