"""The two-point bound: ratios with a floor as well as a limit cost less over many steps."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds.arguments import (
    require_at_least,
    require_integer,
    require_probability,
    require_real,
    require_target,
)
from sport_ray.bounds.ratio import max_alpha, ratio_bound
from sport_ray.lazy import Later

optimize = Later("scipy.optimize")
special = Later("scipy.special")

Array = NDArray[np.float64]

_ULP = 2.0**-52
_TINY = 2.0**-1022
"""The smallest normal float64 number: more than what an underflow takes."""
MOST_STEPS = 100_000
"""The binomial sum has a term for each step."""
MOST_RATIO = 64.0
"""``best_floor`` looks no further: with M candidates no ratio is above M."""
_LOG_MOST = 709.0  # of α: the logarithm of the largest float
_SLACK = 16.0 * _ULP  # more than log and exp make of a limit that is kept in nats
_GRID = 61  # floors that are tried before the best is refined


def two_point_bound(eps_base: float, alpha: float, kappa: float, horizon: int) -> float:
    """Prior bound for policies whose ratio lies in [κ, α] at every step: a binomial sum.

    With q = (1−κ)/(α−κ), the probability of α in the law on {κ, α} with mean 1,

        Q(viol) ≤ min_j [ Pr(Bin(T, qα) > j) + α^j κ^{T−j} (ε_base − Pr(Bin(T, q) > j)) ]:

    the largest ratios of T such draws are taken first, until their probability is ε_base. Holds
    for every policy with κ ≤ π(a|s)/π_base(a|s) ≤ α for all a and s, over at most T steps, of any
    family; κ = 0 is ``ratio_bound``. Attained. Rounded outwards, at most 1; α = 1 or κ = 1, the
    base itself, gives eps_base. Both limits may be off by what logarithms round them by.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in [0, 1].
        alpha: largest density ratio, ≥ 1.
        kappa: smallest density ratio, in [0, 1].
        horizon: T, steps, 1 to ``MOST_STEPS``.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Two-point'. Kin: arXiv 1311.0776 (composition of randomised response).

    >>> round(two_point_bound(0.001, 1.147, 0.855, 100), 3)
    0.05
    >>> round(two_point_bound(0.00017, 1.5, 0.0, 10), 4)
    0.0098
    """
    eps_base = require_probability("eps_base", eps_base)
    alpha = require_at_least("alpha", alpha, 1.0)
    kappa = require_probability("kappa", kappa)
    horizon = _steps(horizon)
    if eps_base in (0.0, 1.0) or alpha == 1.0 or kappa == 1.0:
        return eps_base
    if kappa == 0.0:
        return min(ratio_bound(eps_base, alpha, horizon), 1.0)
    return min(_binomial_sum(eps_base, alpha, kappa, horizon), 1.0)


def two_point_max_alpha(eps_base: float, eps_max: float, kappa: float, horizon: int) -> float:
    """Largest α whose two-point bound with the floor κ is at most ε_max.

    Rounded so that ``two_point_bound(eps_base, two_point_max_alpha(...), kappa, horizon)
    <= eps_max`` as evaluated. It is at least ``max_alpha``, but for rounding. A floor so high that
    every α will do gives e^709: as α grows the bound tends to 1 − κ^T (1 − ε_base).

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least eps_base.
        kappa: smallest density ratio, in [0, 1).
        horizon: T, steps, 1 to ``MOST_STEPS``.

    Raises:
        ValueError: an argument out of range, by name; or eps_max < eps_base, for which no α ≥ 1
            exists.

    >>> round(two_point_max_alpha(0.001, 0.05, 0.855, 100), 3)
    1.147
    """
    eps_base, eps_max = require_target(eps_base, eps_max)
    kappa, horizon = _floor(kappa), _steps(horizon)
    return _largest(eps_base, eps_max, kappa, horizon, _LOG_MOST)


@lru_cache(maxsize=1024)
def best_floor(eps_base: float, eps_max: float, horizon: int) -> tuple[float, float]:
    """The floor κ, and its largest α, with which selection gains most at a risk of ε_max.

    What a step gains is the shift of a normal score's mean, in its standard deviations, when the
    best share q = (1−κ)/(α−κ) of many candidates gets ratio α and the others κ:

        (α − κ) φ(Φ⁻¹(q)).

    Any (κ, α) of ``two_point_max_alpha`` is as safe; this one was searched for, with 1 − κ to
    three digits and α ≤ ``MOST_RATIO``. Short horizons are best off without a floor, κ = 0.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least eps_base.
        horizon: T, steps, 1 to ``MOST_STEPS``.

    Returns:
        κ in [0, 1) and α ≥ 1.

    Raises:
        ValueError: an argument out of range, by name; or eps_max < eps_base.

    >>> [round(x, 3) for x in best_floor(0.001, 0.05, 100)]
    [0.852, 1.144]
    >>> [round(x, 3) for x in best_floor(0.0093, 0.1, 22)]
    [0.0, 1.114]
    """
    eps_base, eps_max = require_target(eps_base, eps_max)
    horizon = _steps(horizon)
    most = math.log(MOST_RATIO)

    def gain(log_gap: float) -> float:
        kappa = -math.expm1(log_gap)
        log_alpha = _root(eps_base, eps_max, kappa, horizon, most, 1e-6)
        return normal_shift(math.exp(log_alpha), kappa)

    # Spread evenly over log(1 − κ): with T steps the best 1 − κ falls like 1/√T.
    grid = np.linspace(math.log(0.01 / horizon), 0.0, _GRID)
    near = int(np.argmax([gain(float(x)) for x in grid]))
    bracket = float(grid[max(near - 1, 0)]), float(grid[min(near + 1, _GRID - 1)])
    refined = optimize.minimize_scalar(
        lambda x: -gain(float(x)), bounds=bracket, options={"xatol": 1e-4}
    )
    gaps = [float(f"{math.exp(x):.3g}") for x in (0.0, grid[near], float(refined.x))]
    floors = [round(1.0 - gap, 12) for gap in dict.fromkeys(gaps)]
    pairs = [(k, _largest(eps_base, eps_max, k, horizon, most)) for k in floors]
    return max(pairs, key=lambda pair: normal_shift(pair[1], pair[0]))


def normal_shift(alpha: float, kappa: float) -> float:
    """Mean shift of a normal score by the best ratios in [κ, α], (α − κ) φ(Φ⁻¹(q)), in stds.

    The most that any reweighting of N(0, 1) with ratios in [κ, α] moves its mean by.

    >>> round(normal_shift(2.0, 0.0), 3)
    0.798
    """
    if alpha == 1.0 or kappa == 1.0:
        return 0.0
    rarer = min(1.0 - kappa, alpha - 1.0) / (alpha - kappa)  # of the two points
    quantile = float(special.ndtri(rarer))
    return (alpha - kappa) * math.exp(-0.5 * quantile**2) / math.sqrt(2.0 * math.pi)


def _binomial_sum(eps_base: float, alpha: float, kappa: float, horizon: int) -> float:
    """The bound at the best j; every j gives one. Each factor is rounded outwards by its error."""
    log_alpha, log_kappa = math.log(alpha), math.log(kappa)
    log_alpha += _SLACK * (1.0 + log_alpha)
    log_kappa -= _SLACK * (1.0 - log_kappa)
    up, down = math.expm1(log_alpha), -math.expm1(log_kappa)  # α − 1, 1 − κ
    log_q, log_rest = math.log(down / (up + down)), math.log(up / (up + down))
    draws = np.arange(horizon, -1.0, -1.0)  # of α, the largest ratio first
    others = horizon - draws
    counts = (
        special.gammaln(horizon + 1.0),
        special.gammaln(draws + 1.0),
        special.gammaln(others + 1.0),
    )
    log_p = counts[0] - counts[1] - counts[2] + draws * log_q + others * log_rest
    log_ratio = draws * log_alpha + others * log_kappa
    size = sum(counts) - draws * (log_q - 4.0) - others * (log_rest - 4.0) + np.abs(log_ratio)
    size += draws * log_alpha - others * log_kappa
    error = 8.0 * _ULP * (size + 1.0)
    with np.errstate(over="ignore", under="ignore"):
        p = np.exp(log_p - error)
        q = np.exp(log_p + log_ratio + error) + _TINY
        ratio = np.exp(log_ratio + error) + _TINY
    summed = 2.0 * _ULP * (horizon + 2.0)
    before_p, before_q = (np.concatenate([[0.0], np.cumsum(x)[:-1]]) for x in (p, q))
    left = eps_base - before_p * (1.0 - summed)
    left = np.where(left > 0.0, left + _ULP * eps_base, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        part = np.where(left > 0.0, ratio * left, 0.0)
    return float(np.min(before_q * (1.0 + summed) + part) * (1.0 + 4.0 * _ULP))


def _largest(eps_base: float, eps_max: float, kappa: float, horizon: int, most: float) -> float:
    """The largest α with log α ≤ ``most`` whose bound is at most ε_max, as evaluated."""
    log_alpha = _root(eps_base, eps_max, kappa, horizon, most, 1e-14)
    alpha, step = math.exp(log_alpha), 2.0 * _ULP
    while alpha > 1.0 and two_point_bound(eps_base, alpha, kappa, horizon) > eps_max:
        alpha -= step * alpha
        step *= 2.0
    return max(alpha, 1.0)


def _root(
    eps_base: float, eps_max: float, kappa: float, horizon: int, most: float, precision: float
) -> float:
    """About log α, at most ``most``, at which the bound is ε_max; relative precision."""
    inside = min(math.log(max_alpha(eps_base, eps_max, horizon)), most)
    if kappa == 0.0 or inside == 0.0:
        return inside

    def over(log_alpha: float) -> float:
        bound = two_point_bound(eps_base, math.exp(log_alpha), kappa, horizon)
        return math.log(bound / eps_max)

    if over(inside) >= 0.0:  # there the ratio bound is attained, but for rounding
        return inside
    outside = inside
    while over(outside) <= 0.0:
        if outside == most:
            return most
        inside, outside = outside, min(2.0 * outside, most)
    precision = max(precision, 4.0 * _ULP)
    return float(optimize.brentq(over, inside, outside, xtol=precision * inside, rtol=precision))


def _floor(kappa: float) -> float:
    kappa = require_real("kappa", kappa)
    if not 0.0 <= kappa < 1.0:
        raise ValueError(f"kappa must lie in [0, 1), got {kappa!r}")
    return kappa


def _steps(horizon: int) -> int:
    horizon = require_integer("horizon", horizon, 1)
    if horizon > MOST_STEPS:
        raise ValueError(f"horizon must be at most {MOST_STEPS}, got {horizon!r}")
    return horizon
