"""The Gauss–Rényi bound: a better prior bound for the same policies, if they are Gaussian."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sport_ray.bounds.arguments import (
    require_at_least,
    require_integer,
    require_probability,
    require_real,
)
from sport_ray.bounds.ratio import max_alpha, ratio_bound
from sport_ray.lazy import Later

optimize = Later("scipy.optimize")

_ULP = 2.0**-52
_GRID = np.linspace(math.log(1e-6), math.log(1e12), 181)  # of log(λ − 1)


def renyi_cost(order: float, log_alpha: float) -> float:
    """Rényi divergence ρ(λ, α) that a step at log ratio ≤ log α costs at most, in nats.

        ρ(λ, α) = log α − log(λ − (λ−1) α⁻²) / (2(λ−1)),

    for diagonal Gaussians of any dimension; about λ (log α)² for small log α, never above log α.
    Rounded up; log α = 0 costs exactly 0. Costs of one order add up over the steps of an episode,
    each chosen as late as its own step.

    Args:
        order: λ > 1, fixed before the episode.
        log_alpha: largest log ratio of the step, nats, ≥ 0.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Gauss–Rényi'.
    """
    order, log_alpha = _order(order), require_at_least("log_alpha", log_alpha, 0.0)
    excess = order - 1.0
    saved = math.log1p(excess * -math.expm1(-2.0 * log_alpha)) / (2.0 * excess)
    return min(max(log_alpha - saved, 0.0) + 8.0 * _ULP * log_alpha, log_alpha)


def renyi_bound(eps_base: float, order: float, budget: float) -> float:
    """Prior bound (ε_base · e^R)^{(λ−1)/λ} for policies within a Rényi budget R of order λ.

    Holds for every policy whose steps satisfy Σ_t ρ(λ, α_t) ≤ R on every path, where α_t may
    depend on the history but λ and R may not. Not clipped; rounded outwards.

    Args:
        eps_base: upper bound on the base policy's violation probability, in [0, 1].
        order: λ > 1.
        budget: R ≥ 0, nats: a sum of ``renyi_cost`` of this order, rounded up.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Gauss–Rényi'.
    """
    eps_base = require_probability("eps_base", eps_base)
    order, budget = _order(order), require_at_least("budget", budget, 0.0)
    if eps_base == 0.0:
        return 0.0
    try:
        return math.exp(_log_bound(math.log(eps_base), order, budget)) * (1.0 + 2.0 * _ULP)
    except OverflowError:
        return math.inf


def gauss_renyi_bound(eps_base: float, alpha: float, horizon: int) -> float:
    """Prior bound min_{λ>1} (ε_base · e^{T ρ(λ, α)})^{(λ−1)/λ}, never above ε_base · α^T.

    Holds for every *diagonal Gaussian* policy, in any dimension and with any fixed squashing
    after it, with π(a|s)/π_base(a|s) ≤ α for all a and s, over at most T steps, where the base
    is a diagonal Gaussian with the same squashing. It grows like √T log α where the ratio bound
    grows like T log α. Rounded outwards; α = 1 gives eps_base itself. Not clipped: a value of 1
    or more means that nothing is promised.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in [0, 1].
        alpha: largest density ratio, ≥ 1.
        horizon: T ≥ 1, steps.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Gauss–Rényi'.

    >>> round(gauss_renyi_bound(0.001, 1.05, 100), 4)
    0.0074
    """
    eps_base = require_probability("eps_base", eps_base)
    alpha = require_at_least("alpha", alpha, 1.0)
    horizon = require_integer("horizon", horizon, 1)
    if eps_base == 0.0 or alpha == 1.0:
        return eps_base
    log_alpha = math.log(alpha) * (1.0 + 2.0 * _ULP)
    found = _best_order(eps_base, np.array([log_alpha]), np.array([float(horizon)]))
    return min(found, ratio_bound(eps_base, alpha, horizon))


def gauss_renyi_path_bound(eps_base: float, log_ratios: Sequence[float]) -> float:
    """The Gauss–Rényi bound of a schedule: step t keeps to log ratio ≤ c_t, fixed in advance.

        min_{λ>1} (ε_base · e^{Σ_t ρ(λ, e^{c_t})})^{(λ−1)/λ}, never above ε_base · e^{Σ_t c_t}.

    The c_t may not depend on the history: λ is chosen from all of them. For a schedule that does,
    fix λ and a budget R first and use ``renyi_cost`` and ``renyi_bound``.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in [0, 1].
        log_ratios: (T,), c_t ≥ 0, nats.

    Raises:
        ValueError: an argument out of range, by name.
    """
    eps_base = require_probability("eps_base", eps_base)
    if len(log_ratios) == 0:
        raise ValueError(f"log_ratios must have a number for each step, got {log_ratios!r}")
    costs = [require_at_least("log_ratios", c, 0.0) for c in log_ratios]
    values, counts = np.unique(costs, return_counts=True)
    if eps_base == 0.0 or values[-1] == 0.0:
        return eps_base
    total = math.fsum(costs) * (1.0 + _ULP)
    try:
        plain = math.exp(total) * eps_base * (1.0 + 4.0 * _ULP)
    except OverflowError:
        plain = math.inf
    return min(_best_order(eps_base, values, counts.astype(np.float64)), plain)


def gauss_renyi_max_alpha(eps_base: float, eps_max: float, horizon: int) -> float:
    """Largest α whose Gauss–Rényi bound is at most ε_max, at least that of the ratio bound.

    Rounded so that ``gauss_renyi_bound(eps_base, gauss_renyi_max_alpha(...), horizon) <= eps_max``
    as evaluated.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least eps_base.
        horizon: T ≥ 1, steps.

    Raises:
        ValueError: an argument out of range, by name; or eps_max < eps_base, for which no α ≥ 1
            exists.

    >>> round(gauss_renyi_max_alpha(0.00928, 0.1, 21), 4)
    1.2062
    >>> round(gauss_renyi_max_alpha(0.00017, 0.01, 10), 4)
    1.5839
    """
    low = max_alpha(eps_base, eps_max, horizon)  # checks the arguments, too
    if float(eps_max) == float(eps_base):
        return low
    # Bisect log α: from what the ratio bound allows to twice as much, and on until too much.
    inside = math.log(low)
    outside = max(2.0 * inside, 1e-12)
    while gauss_renyi_bound(eps_base, math.exp(min(outside, 709.0)), horizon) <= eps_max:
        if outside >= 709.0:
            return math.exp(709.0)
        inside, outside = outside, 2.0 * outside
    outside = min(outside, 709.0)
    best = low
    while outside - inside > 4.0 * _ULP * outside:
        middle = 0.5 * (inside + outside)
        alpha = math.exp(middle)
        if gauss_renyi_bound(eps_base, alpha, horizon) <= eps_max:
            inside, best = middle, max(best, alpha)
        else:
            outside = middle
        if outside - inside <= 2.0 * _ULP:  # α itself no longer changes
            break
    return best if gauss_renyi_bound(eps_base, best, horizon) <= eps_max else low


def _best_order(eps_base: float, log_ratios: np.ndarray, counts: np.ndarray) -> float:
    """The bound at the best order found. Every order gives a bound, so the search may miss."""
    log_eps = math.log(eps_base)

    def value(log_excess: np.ndarray) -> np.ndarray:
        excess = np.exp(log_excess)[..., None]
        saved = np.log1p(excess * -np.expm1(-2.0 * log_ratios)) / (2.0 * excess)
        budget = (counts * (log_ratios - saved)).sum(axis=-1)
        excess = excess[..., 0]
        found: np.ndarray = (log_eps + budget) * (excess / (1.0 + excess))
        return found

    values = value(_GRID)
    near = int(np.argmin(values))
    bracket = _GRID[max(near - 1, 0)], _GRID[min(near + 1, len(_GRID) - 1)]
    refined = optimize.minimize_scalar(
        lambda x: float(value(np.asarray(x))), bounds=bracket, options={"xatol": 1e-8}
    )
    best: float = math.inf
    for log_excess in (float(refined.x), float(_GRID[near])):
        order = 1.0 + math.exp(log_excess)
        costs = [n * renyi_cost(order, c) for n, c in zip(counts, log_ratios, strict=True)]
        best = min(best, renyi_bound(eps_base, order, math.fsum(costs) * (1.0 + 2.0 * _ULP)))
    return best


def _log_bound(log_eps: float, order: float, budget: float) -> float:
    """(log ε + R)(λ−1)/λ plus what its own rounding may have taken."""
    return (log_eps + budget) * ((order - 1.0) / order) + 8.0 * _ULP * (budget - log_eps)


def _order(order: float) -> float:
    order = require_real("order", order)
    if order <= 1.0:
        raise ValueError(f"order must be above 1, got {order!r}")
    return order
