"""The violation-time bound: an early violation has had few steps in which to become likelier."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds.arguments import (
    require_at_least,
    require_beta,
    require_integer,
    require_probability,
)
from sport_ray.bounds.ratio import ratio_bound
from sport_ray.bounds.scenario import scenario_bound

_ULP = 2.0**-52
# Stakes b_j and their weights: 1 is best where violations are few, the others where they are many.
_STAKES = np.array([1.0, 0.75, 0.5, 0.3, 0.15, 0.07, 0.03])
_WEIGHTS = np.array([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])


def violation_time_bound(q: Sequence[float], alphas: Sequence[float]) -> float:
    """Prior bound Σ_t (Π_{u≤t} α_u) q_t, from the times at which the base policy violates.

    q_t bounds the probability that the base policy violates after exactly t actions: the property
    is decided there, and not before. Running out of time is a violation after T actions. Holds for
    every policy with π(a|s)/π_base(a|s) ≤ α_u at its u-th action. If the q_t sum to ε_base, it is
    at most ε_base Π_u α_u. Rounded outwards; not clipped.

    Args:
        q: (T + 1,), q_0 … q_T in [0, 1], which hold simultaneously; q_0 is for the start itself.
        alphas: (T,), each ≥ 1.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Violation time'.

    >>> round(violation_time_bound([0.0, 0.01, 0.001], [1.5, 1.5]), 5)
    0.01725
    """
    if len(alphas) == 0:
        raise ValueError(f"alphas must have a number for each step, got {alphas!r}")
    if len(q) != len(alphas) + 1:
        raise ValueError(
            f"q must have {len(alphas) + 1} entries, one more than alphas, got {len(q)}"
        )
    total, factor = 0.0, 1.0
    for probability, alpha in zip(q, [1.0, *alphas], strict=True):
        alpha = require_at_least("alphas", alpha, 1.0)
        factor = factor if alpha == 1.0 else factor * alpha * (1.0 + 2.0 * _ULP)
        probability = require_probability("q", probability)
        if probability > 0.0:  # inf * 0
            total = math.nextafter(total + factor * probability * (1.0 + _ULP), math.inf)
    return total


def violation_time_bound_from_counts(
    counts_by_step: Sequence[int], num_scenarios: int, horizon: int, alpha: float, beta: float
) -> float:
    """Upper bound on Σ_t α^t q_t, and so on Q(viol), from the violation times of N scenarios.

    α^T θ, where θ bounds the mean of X = α^{t−T} · 1{violates after t actions} ∈ [0, 1]: the
    smaller, each at β/2, of ``scenario_bound(N, k, β/2)`` and of the least θ with

        Σ_j w_j Π_i [1 + b_j (θ − X_i)] ≥ 2/β,   Σ_j w_j = 1, b_j ∈ (0, 1].

    With probability at least 1 − β over the scenarios, every policy with ratio ≤ α violates with
    probability at most the returned value. Never above ε_base α^T with ε_base =
    ``scenario_bound(N, k, beta / 2)``; far below where violations come early. Not clipped.

    Args:
        counts_by_step: (T + 1,), how many scenarios of the base policy violated after exactly
            0, 1, …, T actions; those that ran out of time count at T.
        num_scenarios: N ≥ 1, independent, complete, fixed before looking at the data.
        horizon: T ≥ 1, steps, fixed before looking at the data.
        alpha: largest density ratio, ≥ 1, fixed before looking at the data.
        beta: probability that the bound fails, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Violation time'. Betting: arXiv 2010.09686.

    >>> late, early = [0] * 20 + [9], [0, 9] + [0] * 19
    >>> bound = violation_time_bound_from_counts
    >>> [round(bound(counts, 10_000, 20, 1.1, 1e-7), 4) for counts in (late, early)]
    [0.0247, 0.013]
    """
    horizon = require_integer("horizon", horizon, 1)
    n = require_integer("num_scenarios", num_scenarios, 1)
    if len(counts_by_step) != horizon + 1:
        raise ValueError(
            f"counts_by_step must have horizon + 1 = {horizon + 1} entries, "
            f"got {len(counts_by_step)}"
        )
    counts = [require_integer("counts_by_step", count, 0) for count in counts_by_step]
    k = sum(counts)
    if k > n:
        raise ValueError(f"counts_by_step must sum to at most num_scenarios ({n}), got {k}")
    beta = require_beta("beta", beta)
    highest = scenario_bound(n, k, beta / 2.0)
    plain = ratio_bound(highest, alpha, horizon)
    scale = ratio_bound(1.0, alpha, horizon)
    if math.isinf(scale):
        return plain
    # Rounded up: a larger X has a larger mean.
    steps = np.arange(horizon + 1) - horizon
    values = np.minimum(np.exp(steps * math.log(alpha)) * (1.0 + 1e-12), 1.0)
    theta = _betting_bound(values, np.array(counts), n - k, math.log(2.0 / beta), highest)
    return min(theta * scale * (1.0 + 1e-12), plain)


def _betting_bound(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    zeros: int,
    log_target: float,
    highest: float,
) -> float:
    """The least θ ≤ highest at which the betting statistic reaches the target; it grows with θ."""
    target = log_target + 1e-9 + 1e-13 * (zeros + int(counts.sum()))  # its own rounding, nats

    def reached(theta: float) -> bool:
        stakes = _STAKES[:, None]
        logs = zeros * np.log1p(_STAKES * theta)
        logs += np.log1p(stakes * (theta - values)) @ counts
        peak = logs.max()
        return bool(peak + math.log(float(_WEIGHTS @ np.exp(logs - peak))) >= target)

    low, high = 0.0, highest
    if not reached(high):
        return highest
    while high - low > 1e-9 * high:
        middle = 0.5 * (low + high)
        if reached(middle):
            high = middle
        else:
            low = middle
    return high
