"""From counts of violations to bounds on the violation probability, above and below."""

from __future__ import annotations

import math

from sport_ray.bounds.arguments import require_beta, require_counts
from sport_ray.lazy import Later

special = Later("scipy.special")

_ULP = 2.0**-52


def scenario_bound(num_scenarios: int, num_violations: int, beta: float) -> float:
    """Upper bound on a violation probability from N independent, complete, sampled rollouts.

    The ε with Σ_{i≤k} C(N,i) ε^i (1−ε)^{N−i} = β, i.e. the (1−β) quantile of Beta(k+1, N−k);
    for k = 0 it is 1 − β^{1/N}, and for k = N it is 1. With probability at least 1 − β over the
    rollouts, the true violation probability is at most the returned value. Rounded outwards: the
    tail at the returned value, as evaluated, is at most β.

    Args:
        num_scenarios: N ≥ 1, fixed before looking at the data.
        num_violations: k, 0 ≤ k ≤ N.
        beta: probability that the bound fails, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    Source: arXiv 2504.06386 (scenario approach; Campi & Garatti); for k > 0 the one-sided
    Clopper–Pearson bound.

    >>> round(scenario_bound(10_000, 0, 1e-7), 6)
    0.001611
    """
    n, k = require_counts(num_scenarios, num_violations)
    beta = require_beta("beta", beta)
    if k == n:
        return 1.0
    # expm1 keeps the digits that 1 - beta**(1/n) loses for large n. The quantile is taken from the
    # upper tail: 1 - 1e-20 rounds to 1 and would give a bound of 1.
    closed = -math.expm1(math.log(beta) / n)
    bound = closed if k == 0 else float(special.betainccinv(k + 1, n - k, beta))
    if math.isnan(bound):  # for some beta < 1e-130; 1 is always a bound
        return 1.0
    # The library's quantile errs to either side: by 1e-8 at N = 10⁹, and by tens of percent for
    # beta < 1e-130. Its binomial tail does not. So move outwards, by one ulp and then twice as
    # far each time, until the tail is at most beta.
    step = _ULP
    while special.betaincc(k + 1, n - k, bound) > beta:
        bound = min(bound * (1.0 + step), 1.0)
        step *= 2.0
    return bound


def scenario_lower_bound(num_scenarios: int, num_violations: int, level: float) -> float:
    """Lower bound on a violation probability from N independent, complete, sampled rollouts.

    The ε with P(Bin(N, ε) ≥ k) = level, i.e. the `level` quantile of Beta(k, N−k+1); for k = 0 it
    is 0. With probability at least 1 − level over the rollouts, the true violation probability is
    at least the returned value: a promise below it is refuted. Rounded downwards: the tail at the
    returned value, as evaluated, is at most `level`.

    Args:
        num_scenarios: N ≥ 1, fixed before looking at the data.
        num_violations: k, 0 ≤ k ≤ N.
        level: probability that the bound fails, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    Source: Clopper & Pearson 1934; proof: docs/bounds.md, section 1.

    >>> round(scenario_lower_bound(500, 320, 1e-6), 3)
    0.534
    """
    n, k = require_counts(num_scenarios, num_violations)
    level = require_beta("level", level)
    if k == 0:
        return 0.0
    bound = float(special.betaincinv(k, n - k + 1, level))
    if math.isnan(bound):  # 0 is always a bound
        return 0.0
    # As in `scenario_bound`, but downwards: the library's tail is better than its quantile.
    step = _ULP
    while bound > 0.0 and not special.betainc(k, n - k + 1, bound) <= level:
        bound = max(bound * (1.0 - step), 0.0)
        step *= 2.0
    return bound


def excess_p_value(num_scenarios: int, num_violations: int, promised: float) -> float:
    """P(Bin(N, promised) ≥ k): so many violations or more, were the risk what was promised.

    >>> excess_p_value(10, 0, 0.1), round(excess_p_value(10, 5, 0.1), 6)
    (1.0, 0.001635)
    """
    n, k = require_counts(num_scenarios, num_violations)
    if not 0.0 <= promised <= 1.0:
        raise ValueError(f"promised must be a probability, got {promised!r}")
    return 1.0 if k == 0 else float(special.betainc(k, n - k + 1, promised))
