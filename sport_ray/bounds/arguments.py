"""Checks shared by the bounds: an argument out of range is an error that names it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from numbers import Integral, Real

LARGEST_INTEGER = 2**53
"""Up to here every integer is a float64; beyond, a bound would be computed for another count."""


SMALLEST_BETA = sys.float_info.min
"""Below are the subnormal numbers, with few digits or one: a tail is not known there."""


def require_real(name: str, value: float) -> float:
    """The value as a finite float, or a ValueError naming the argument."""
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            number = float(value)
        except OverflowError:  # an int or a fraction beyond the range of a float
            number = math.inf
        if math.isfinite(number):
            return number
    raise ValueError(f"{name} must be a finite number, got {value!r}")


def require_at_least(name: str, value: float, least: float) -> float:
    """The value as a finite float of at least so much, or a ValueError naming the argument."""
    number = require_real(name, value)
    if number < least:
        raise ValueError(f"{name} must be at least {least:g}, got {value!r}")
    return number


def require_positive(name: str, value: float) -> float:
    """The value as a finite float above 0, or a ValueError naming the argument."""
    number = require_real(name, value)
    if number <= 0.0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return number


def require_integer(name: str, value: int, minimum: int) -> int:
    """The value as an int in minimum … 2^53, or a ValueError naming the argument."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, got {value!r}")
    if value > LARGEST_INTEGER:
        raise ValueError(f"{name} must be at most 2**53, got {value!r}")
    return int(value)


def require_counts(num_scenarios: int, num_violations: int) -> tuple[int, int]:
    """N ≥ 1 and 0 ≤ k ≤ N, or a ValueError naming the argument."""
    n = require_integer("num_scenarios", num_scenarios, 1)
    k = require_integer("num_violations", num_violations, 0)
    if k > n:
        raise ValueError(
            f"num_violations must be at most num_scenarios ({n}), got {num_violations!r}"
        )
    return n, k


def require_open_unit(name: str, value: float) -> float:
    """A number strictly between 0 and 1, or a ValueError naming the argument."""
    number = require_real(name, value)
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value!r}")
    return number


def require_beta(name: str, value: float) -> float:
    """A β in [SMALLEST_BETA, 1), or a ValueError naming the argument."""
    number = require_open_unit(name, value)
    if number < SMALLEST_BETA:
        raise ValueError(f"{name} must be at least {SMALLEST_BETA!r}, got {value!r}")
    return number


def require_reachable(
    eps_max: float, least: float, name: str = "eps_base", where: str = ""
) -> None:
    """Refuse a target below ``least``, the bound of the base policy itself, called ``name``.

    Raises:
        ValueError: eps_max < least.
    """
    if eps_max < least:
        raise ValueError(
            f"eps_max must be at least {name} ({least!r}), got {eps_max!r}: "
            f"even the base policy is not certified at that level{where}"
        )


def require_target(eps_base: float, eps_max: float) -> tuple[float, float]:
    """0 < eps_base ≤ eps_max < 1 as floats, or a ValueError naming the argument."""
    eps_base = require_open_unit("eps_base", eps_base)
    eps_max = require_beta("eps_max", eps_max)
    require_reachable(eps_max, eps_base)
    return eps_base, eps_max


def largest_within(
    bound: Callable[[float], float], start: float, step: float, eps_max: float
) -> float:
    """The first of start, start − step, start − 3 step, … whose bound is at most ε_max; at least 0.

    For a start that is the answer but for rounding.
    """
    value = start
    while value > 0.0 and bound(value) > eps_max:
        value -= step
        step *= 2.0
    return max(value, 0.0)


def require_probability(name: str, value: float) -> float:
    """A number in [0, 1], or a ValueError naming the argument."""
    number = require_real(name, value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return number
