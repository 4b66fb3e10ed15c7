"""Every training parameter of a study's sources, flat, for those who only read results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies.source import source_class

_WRAPPERS = ("settings", "training")
"""Names of parts in a source's identity; what lies in them is known by its own name."""


def source_parameters(study: Study) -> dict[str, dict[str, Any]]:
    """By source what its policies depend on beside the sweep's axes: {'scpo': {'step_size': …}}.

    Lists are JSON; what is not set is left out.
    """
    return {
        name: _flat(source_class(name)().cell_identity(study, ())) for name in sorted(study.sources)
    }


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            wrapped = name in _WRAPPERS
            inner = _flat(value, above if wrapped else f"{above}{name}.")
            inner = {f"{name}.{k}" if wrapped and k in found else k: v for k, v in inner.items()}
            found |= inner
        elif value is not None:
            text = json.dumps(value) if isinstance(value, list) else value
            found[above + name] = text
    return found
