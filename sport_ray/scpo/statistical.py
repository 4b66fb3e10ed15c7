"""Confidence of noisy evaluations: a bound on a mean, and how β is shared out."""

from __future__ import annotations

import math

from sport_ray.bounds.arguments import require_integer, require_open_unit, require_real


def split(beta: float, parts: int) -> float:
    """β / parts, rounded down: what each of ``parts`` statements may fail with (union bound).

    Raises:
        ValueError: an argument out of range, by name; or a share too small for a float64.
    """
    beta = require_open_unit("beta", beta)
    share = math.nextafter(beta / require_integer("parts", parts, 1), 0.0)
    if share <= 0.0:
        raise ValueError(f"beta must be larger to be split into {parts} parts, got {beta!r}")
    return share


def hoeffding_half_width(num_samples: int, width: float, beta: float) -> float:
    """How far the mean of n independent samples is from its expectation, w.p. at least 1 − β.

    width · √(log(2/β) / (2n)) for samples in an interval of the given width, rounded up; both
    sides together fail with probability at most β.

    Raises:
        ValueError: an argument out of range, by name.

    Source: Hoeffding (1963), theorem 2.

    >>> round(hoeffding_half_width(1000, 1.0, 0.05), 6)
    0.042947
    """
    n = require_integer("num_samples", num_samples, 1)
    width = require_real("width", width)
    if width < 0.0:
        raise ValueError(f"width must be at least 0, got {width!r}")
    beta = require_open_unit("beta", beta)
    return width * math.sqrt((math.log(2.0) - math.log(beta)) / (2.0 * n)) * (1.0 + 1e-12)
