"""What a result folder says in MLflow's terms: identities, parameters and times of runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sport_ray.tracking.results.parameters import parameters_of
from sport_ray.tracking.results.records import Results

MAX_PARAM = 500  # MLflow refuses longer values in a database store
_OF_CERTIFICATE = {
    "certificate_digest": "digest",
    "certificate_num_scenarios": "num_scenarios",
    "certificate_beta": "beta",
    **{name: name for name in ("base_digest", "max_horizon", "env_id", "property")},
}

_NAMES = (
    "source",
    "engine",
    "constraint",
    "family",
    "limit_levels",
    "base_digest",
    "certificate_digest",
)
CONSTANTS = (
    "eps_max",
    "log_budget",
    "mu",
    "limit_rank",
    "limit_size",
    "limit_beta",
    "limit_scenarios",
    "eps_base",
    "beta",
    "alpha_mu",
    "alpha_p",
    "num_scenarios",
    "posterior_beta",
    "train_risk",
    "train_episodes_most",
    "train_violations_beta",
)
"""Numbers of a record that are known before the cell is run: its limits, and the study's."""


def sweep_id(folder: Results) -> str:
    """Content hash of a sweep, 16 hex digits: its resolved study and its certificate.

    Independent of where the folder lies, so a copy of the results is the same sweep.
    """
    digest = (folder.certificate or {}).get("digest")
    content = json.dumps([folder.study, digest], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def sweep_params(folder: Results) -> dict[str, str]:
    """What defines the sweep: the study's name, and what its certificate is about."""
    params = {"study": folder.name}
    if folder.certificate is not None:
        params |= {name: folder.certificate[key] for name, key in _OF_CERTIFICATE.items()}
    return {name: str(value)[:MAX_PARAM] for name, value in params.items()}


def record_digest(record: dict[str, Any]) -> str:
    """Content hash of a cell record as read."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def params_of(
    record: dict[str, Any], training: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, str]:
    """What defines the cell; never what came out of it, since a param cannot be changed.

    training: the parameters of the cell's source (`PlanFile.parameters`), for which those that are
    an axis of the sweep have values of their own. One whose name is taken gets the source's name in
    front.
    """
    own = {
        "alpha": _text(record["alpha"]) if record["projected"] else "unconstrained",
        "T": str(record["horizon"]),
        "seed": str(record["seed"]),
        "projected": _text(record["projected"]),
        **{name: _text(record.get(name)) for name in (*_NAMES, *CONSTANTS)},
    }
    given = {**training, **parameters_of(record["hyperparameters"])}
    settings = {
        f"{record['source']}.{name}" if name in own else name: _text(value)
        for name, value in given.items()
    }
    return {name: text[:MAX_PARAM] for name, text in {**own, **settings}.items() if text}


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else None if value is None else str(value)


def times_of(record: dict[str, Any]) -> tuple[int, int]:
    """Start and end of a cell in milliseconds since 1970; a time without a zone is UTC."""
    try:
        ended = datetime.fromisoformat(record["finished_at"])
    except ValueError:
        return 0, 0
    if ended.tzinfo is None:
        ended = ended.replace(tzinfo=UTC)
    spent = sum(
        value
        for value in (record.get("train_seconds"), record.get("eval_seconds"))
        if value is not None and math.isfinite(value)
    )
    milliseconds = max(round(ended.timestamp() * 1000), 0)
    return round(max(milliseconds - spent * 1000, 0)), milliseconds
