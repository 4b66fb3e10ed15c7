"""How many violations training may cost: promises about M episodes, made before the first.

Each episode, given the past, violates with probability at most p: a prior bound, which holds for
every policy within its constraint, also for one that changes in the middle of an episode. Then the
number of violations among M episodes is dominated by Bin(M, p), also where the episodes run side
by side and learn from each other.

Source: docs/bounds.md, section 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from sport_ray.bounds.anytime import anytime_lower_bound
from sport_ray.bounds.arguments import (
    LARGEST_INTEGER,
    require_at_least,
    require_beta,
    require_integer,
    require_probability,
)
from sport_ray.bounds.search import first_that, last_that
from sport_ray.lazy import Later

special = Later("scipy.special")

_SAFE = 1.0 - 1e-9
"""The library's binomial tail is right to fewer digits than it has: a tail must fall this short."""


def expected_violations(risk: float, episodes: int) -> float:
    """Bound p·M on the expected number of violations in at most M training episodes, rounded up.

    Args:
        risk: p, bound on the probability that an episode violates, given the past.
        episodes: M ≥ 0; of a random number its mean or its largest value.

    Raises:
        ValueError: an argument out of range, by name.

    Source: docs/bounds.md, section 13.

    >>> expected_violations(0.25, 100)
    25.0
    """
    p, most = _checked(risk, episodes)
    product = p * most
    exact = product.is_integer() and product / most == p if most else True
    return min(product if exact else math.nextafter(product, math.inf), float(most))


def violations_bound(risk: float, episodes: int, beta: float) -> int:
    """The number that violations in at most M training episodes exceed with probability ≤ β.

    The least k with P(Bin(M, p) > k) ≤ β. M is fixed beforehand; fewer episodes violate no more,
    so training may stop at any time before, for any reason.

    Args:
        risk, episodes: as for ``expected_violations``.
        beta: probability that there are more, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    Source: docs/bounds.md, section 13.

    >>> violations_bound(0.02, 5_000, 0.05)
    117
    """
    p, most = _checked(risk, episodes)
    beta = require_beta("beta", beta)
    return first_that(0, most, lambda k: _tail(p, most, k) <= beta * _SAFE)


def anytime_violations_bound(risk: float, episodes: int, beta: float) -> int:
    """The number that violations exceed at *any* M with probability at most β, all M together.

    With probability at least 1 − β over an endless training, at every moment at most so many of
    the M episodes that have begun are violated. It is drawn as a curve, and needs no plan of M: the
    largest k whose ``anytime_lower_bound`` does not refute p.

    Args:
        risk, beta: as for ``violations_bound``.
        episodes: M ≥ 0, of those that have begun, finished or not.

    Raises:
        ValueError: an argument out of range, by name.

    Source: Ville (1939); docs/bounds.md, section 13.

    >>> anytime_violations_bound(0.02, 5_000, 0.05)
    135
    """
    p, most = _checked(risk, episodes)
    beta = require_beta("beta", beta)
    if most == 0 or p == 1.0:
        return most
    refuted = first_that(0, most + 1, lambda k: k > most or anytime_lower_bound(most, k, beta) > p)
    return refuted - 1


def total_violations_bound(runs: Iterable[tuple[float, int]], beta: float) -> int:
    """As ``violations_bound``, of several training runs (p_j, M_j) together, at one β.

    Their sum is dominated by independent binomials', and above its mean that is no more often
    large than one binomial with as many episodes and the mean risk (Hoeffding 1956, theorem 5).

    Raises:
        ValueError: an argument out of range, by name.

    Source: docs/bounds.md, section 13.

    >>> total_violations_bound([(0.01, 1_000), (0.05, 1_000)], 0.05)
    73
    """
    checked = [_checked(risk, episodes) for risk, episodes in runs]
    most = require_integer("episodes", sum(number for _, number in checked), 0)
    beta = require_beta("beta", beta)
    if most == 0:
        return 0
    # Each product and each sum may round down by half an ulp.
    expected = math.fsum(p * number for p, number in checked)
    mean = min(expected / most * (1.0 + 2.0**-50), 1.0)
    return max(violations_bound(mean, most, beta), min(math.ceil(mean * most), most))


def episodes_within(violations: float, risk: float, beta: float | None = None) -> int:
    """The largest number M of training episodes that keeps violations at or below R.

    In expectation, p·M ≤ R; with a β, P(Bin(M, p) > R) ≤ β. At most 2^53.

    Args:
        violations: R ≥ 0.
        risk, beta: as for ``violations_bound``.

    Raises:
        ValueError: an argument out of range, by name.

    >>> episodes_within(50, 0.02), episodes_within(50, 0.02, 0.05)
    (2500, 1997)
    """
    allowed = require_at_least("violations", violations, 0.0)
    p = require_probability("risk", risk)
    if p == 0.0:
        return LARGEST_INTEGER
    if beta is None:
        return last_that(
            0, LARGEST_INTEGER, lambda number: expected_violations(p, number) <= allowed
        )
    level, most = require_beta("beta", beta) * _SAFE, math.floor(min(allowed, LARGEST_INTEGER))
    return last_that(most, LARGEST_INTEGER, lambda number: _tail(p, number, most) <= level)


def risk_within(violations: float, episodes: int, beta: float | None = None) -> float:
    """The largest risk p of an episode that keeps violations in M episodes at or below R.

    The inverse of ``expected_violations``, or with a β of ``violations_bound``; rounded down. It is
    the ε_max that a constraint is derived from.

    Args:
        violations: R ≥ 0.
        episodes: M ≥ 1.
        beta: as for ``violations_bound``; None for the expectation.

    Raises:
        ValueError: an argument out of range, by name.

    >>> risk_within(50, 2_500), round(risk_within(50, 2_500, 0.05), 4)
    (0.02, 0.016)
    """
    allowed = require_at_least("violations", violations, 0.0)
    most = require_integer("episodes", episodes, 1)
    if allowed >= most:
        return 1.0
    if beta is None:
        return _down(allowed / most, lambda p: expected_violations(p, most) <= allowed)
    level, kept = require_beta("beta", beta) * _SAFE, math.floor(allowed)
    start = float(special.betaincinv(kept + 1, most - kept, level))
    return _down(start, lambda p: _tail(p, most, kept) <= level)


def _checked(risk: float, episodes: int) -> tuple[float, int]:
    return require_probability("risk", risk), require_integer("episodes", episodes, 0)


def _tail(p: float, number: int, k: int) -> float:
    """P(Bin(number, p) > k)."""
    if k >= number:
        return 0.0
    found = float(special.betainc(k + 1, number - k, p))
    return found if found >= 0.0 else 1.0  # not a number: nothing is known


def _down(start: float, holds: Callable[[float], bool]) -> float:
    """A number that holds, at most start and near it; 0 where there is none."""
    value, step = min(start, 1.0), 2.0**-53
    while value > 0.0 and not holds(value):
        value *= 1.0 - step
        step *= 2.0
        if step >= 1.0:
            return 0.0
    return value if value > 0.0 else 0.0
