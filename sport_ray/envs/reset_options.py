"""The ``options`` of ``reset``: which parts of the start a caller may set, checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError

_SHAPES = {"pose": (3, "(x, y, heading)"), "goal": (2, "(x, y)"), "hazard": (2, "(x, y)")}


def parse_reset_options(
    options: Mapping[str, Any] | None, num_envs: int | None = None
) -> dict[str, NDArray[np.float64]]:
    """The parts of the start that ``options`` sets, as float64 arrays (3,) or (2,).

    With ``num_envs`` each value may also give one row per environment, and all results have shape
    (num_envs, 3) or (num_envs, 2).

    Raises:
        UserError: An unknown key, another shape, or a value that is not finite.
    """
    if options is not None and not isinstance(options, Mapping):
        raise UserError(f"reset options are {options!r}: expected a dict with {_allowed()}")
    parsed = {}
    for key, value in (options or {}).items():
        if key not in _SHAPES:
            near = difflib.get_close_matches(str(key), _SHAPES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {_allowed()}"
            raise UserError(f"reset option {key!r} is unknown: {hint}")
        size, meaning = _SHAPES[key]
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        shapes = [(size,)] if num_envs is None else [(size,), (num_envs, size)]
        if array.shape not in shapes or not np.isfinite(array).all():
            raise UserError(
                f"reset option {key!r} is {_one_line(value)}: expected {meaning}, "
                f"{size} finite numbers{'' if num_envs is None else ', or one row per environment'}"
            )
        parsed[key] = array if num_envs is None else np.broadcast_to(array, (num_envs, size))
    return parsed


def _allowed() -> str:
    return "'pose', 'goal' or 'hazard'"


def _one_line(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
