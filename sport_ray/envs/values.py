"""What environments hand out, read as what it is: numbers, flags, and propositions."""

from __future__ import annotations

from typing import Any

import numpy as np

from sport_ray.errors import UserError

HOLDS = 1.0
"""Robustness of a proposition that is given as True; one that is False has −HOLDS."""


def number(name: str, value: Any) -> float:
    """A real number, also as an array of shape () or (1,).

    Raises:
        UserError: anything else; NaN and ±inf are numbers.

    >>> number("reward", np.array([0.5])), number("reward", True)
    (0.5, 1.0)
    """
    if type(value) is float:  # nearly always
        return value
    array = _single(name, value)
    if array.dtype.kind not in "biuf":
        raise UserError(f"{name} is {described(value)}: expected a number")
    return float(array)


def flag(name: str, value: Any) -> bool:
    """Whether something is the case: a Boolean or an integer, also as an array of one.

    Raises:
        UserError: anything else, None above all.
    """
    if isinstance(value, bool):
        return value
    array = _single(name, value)
    if array.dtype.kind not in "biu":
        raise UserError(f"{name} is {described(value)}: expected True or False")
    return bool(array)


def proposition(name: str, value: Any) -> bool | float:
    """The value of a signal: Booleans stay Booleans, everything else is a number.

    Raises:
        UserError: neither.

    >>> proposition("goal", np.bool_(False)), proposition("goal", np.array([-2.0]))
    (False, -2.0)
    """
    if isinstance(value, bool) or type(value) is float:
        return value
    array = _single(f"signal {name!r}", value)
    return bool(array) if array.dtype.kind == "b" else number(f"signal {name!r}", value)


def robustness_of(value: bool | float) -> float:
    """ρ of a proposition: the number itself; +1 for True and −1 for False.

    Not 1 and 0: at 0 a proposition holds (docs/studies.md).
    """
    if isinstance(value, bool):
        return HOLDS if value else -HOLDS
    return value


def described(value: Any) -> str:
    """A value in a few words, on one line."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def _single(name: str, value: Any) -> np.ndarray:
    """As an array of shape ()."""
    try:
        array = np.asarray(value)
    except Exception:  # whatever its class does when it is asked
        raise UserError(f"{name} is {described(value)}: expected one value") from None
    if np.ma.is_masked(value):
        raise UserError(f"{name} is masked: expected one value")
    if array.shape not in ((), (1,)):
        raise UserError(f"{name} has shape {array.shape}: expected a single value")
    return array.reshape(())
