"""Random budgets: the bound of a policy that is drawn at the start of an episode, and the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from sport_ray.bounds.arguments import require_at_least, require_open_unit, require_real

UNITS = 2**52
"""Weights are whole multiples of 1 / UNITS: sums of them, and draws by them, are exact."""


def mixture_bound(weights: Sequence[float], bounds: Sequence[float]) -> float:
    """Prior bound Σ_i w_i min(1, b_i) of a policy that plays part i for a whole episode.

    Which part is drawn with probability w_i at the start, independently of all else, and
    b_i ≥ Q_i(viol) is part i's own bound: ε_base·e^B under a budget B, 1 without any limit. So
    Q(viol) = Σ_i w_i Q_i(viol). Rounded outwards, by at most one unit in the last place.

    Args:
        weights: w (n,), probabilities in multiples of 2⁻⁵² whose sum is exactly 1.
        bounds: b (n,), each at least 0; inf and what is above 1 say nothing, and count as 1.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Random budgets'.

    >>> mixture_bound([0.75, 0.25], [0.01, math.inf])
    0.2575
    """
    units = require_weights(weights)
    if len(bounds) != len(units):
        raise ValueError(f"bounds must be as many as weights ({len(units)}), got {len(bounds)}")
    least = [min(1.0, _require_bound(one)) for one in bounds]
    exact = sum(Fraction(n, UNITS) * Fraction(b) for n, b in zip(units, least, strict=True))
    return _above(Fraction(exact))


def best_mixture(points: Sequence[tuple[float, float]], eps_max: float) -> tuple[float, ...]:
    """Weights w (n,) of the largest mean gain Σ w_i g_i with Σ w_i min(1, b_i) ≤ ε_max.

    The value of the concave envelope of the points (min(1, b_i), g_i) at ε_max. Two constraints,
    so two points are enough: all pairs are tried, and the earlier is kept among equals. Rounded
    inwards, so that ``mixture_bound`` of what is returned is at most ε_max as evaluated.

    Args:
        points: (b_i, g_i), the bound and the gain of each part; gains in any unit.
        eps_max: largest acceptable violation probability, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name; or no point whose bound is at most ε_max.

    >>> best_mixture([(0.1, 0.0), (0.2, 1.0), (1.0, 2.0)], 0.4)
    (0.0, 0.75, 0.25)
    """
    eps_max = require_open_unit("eps_max", eps_max)
    target = Fraction(eps_max)
    bounds = [Fraction(min(1.0, _require_bound(bound))) for bound, _ in points]
    gains = [Fraction(require_real("gain", gain)) for _, gain in points]
    low = [index for index, bound in enumerate(bounds) if bound <= target]
    high = [index for index, bound in enumerate(bounds) if bound > target]
    if not low:
        raise ValueError(f"eps_max must be at least the least bound of all points, got {eps_max!r}")
    first = max(low, key=lambda index: gains[index])  # the earliest of equals
    best, chosen = gains[first], (first, first, 0)
    for i, j in product(low, high):
        units = math.floor((target - bounds[i]) / (bounds[j] - bounds[i]) * UNITS)
        found = gains[i] + (gains[j] - gains[i]) * Fraction(units, UNITS)
        if found > best:
            best, chosen = found, (i, j, units)
    weights = [0.0] * len(points)
    weights[chosen[0]] = (UNITS - chosen[2]) / UNITS
    if chosen[2]:
        weights[chosen[1]] = chosen[2] / UNITS
    return tuple(weights)


def require_weights(weights: Sequence[float]) -> list[int]:
    """Probabilities as whole numbers of 2⁻⁵², or a ValueError.

    Raises:
        ValueError: none, one that is below 0 or off the grid, or a sum other than exactly 1.
    """
    if not len(weights):
        raise ValueError("weights must hold at least one number, got none")
    units = []
    for one in weights:
        scaled = require_at_least("weights", one, 0.0) * UNITS
        if not scaled.is_integer():
            raise ValueError(f"weights must be multiples of 2**-52, got {one!r}")
        units.append(int(scaled))
    if sum(units) != UNITS:
        raise ValueError(f"weights must have the sum 1, got {sum(units) / UNITS!r}")
    return units


def _require_bound(value: float) -> float:
    if isinstance(value, float) and value == math.inf:
        return 1.0
    return require_at_least("bounds", value, 0.0)


def _above(exact: Fraction) -> float:
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else math.nextafter(nearest, math.inf)
