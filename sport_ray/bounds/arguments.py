"""Checks shared by the bounds: an argument out of range is an error that names it."""

from __future__ import annotations

import math
from numbers import Integral, Real


def require_real(name: str, value: float) -> float:
    """The value as a finite float, or a ValueError naming the argument."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def require_integer(name: str, value: int, minimum: int) -> int:
    """The value as an int of at least ``minimum``, or a ValueError naming the argument."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, got {value!r}")
    return int(value)


def require_open_unit(name: str, value: float) -> float:
    """A number strictly between 0 and 1, or a ValueError naming the argument."""
    number = require_real(name, value)
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value!r}")
    return number


def require_probability(name: str, value: float) -> float:
    """A number in [0, 1], or a ValueError naming the argument."""
    number = require_real(name, value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return number
