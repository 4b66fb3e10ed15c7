"""The off-policy bound: a task policy's violations from scenarios of the base policy alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.bounds.arguments import require_beta, require_positive, require_real

_ULP = 2.0**-52
_STAKES = np.array([0.001, 0.004, 0.012, 0.03, 0.07, 0.15, 0.3, 0.6, 0.9, 0.99, 0.999])
_HEDGES = np.array([0.0, 0.5, 1.0])
_STEPS = 40  # halvings of the interval in which the bound lies


class OffPolicyBound(NamedTuple):
    """An off-policy bound, or why there is none."""

    bound: float | None
    """Upper bound on the task policy's violation probability, in [0, 1]; None where refused."""
    effective_sample_size: float
    """(Σ L)² / Σ L², between 1 and n: how many scenarios the weights amount to."""
    refusal: str | None
    """One line saying why there is no bound."""


def effective_sample_size(log_ratios: ArrayLike) -> float:
    """(Σ_i L_i)² / Σ_i L_i² of trajectory ratios L = e^{log ratio}; 0 if all of them vanish.

    Args:
        log_ratios: (n,), Σ_t log π(a_t|s_t)/π_base(a_t|s_t), nats; −inf is a ratio of 0.

    Raises:
        ValueError: another shape, NaN or +inf.
    """
    ratios = _log_ratios(log_ratios)
    largest = ratios.max()
    if largest == -math.inf:
        return 0.0
    weights = np.exp(ratios - largest)
    return float(weights.sum() ** 2 / (weights**2).sum())


def off_policy_bound(
    log_ratios: ArrayLike,
    violated: ArrayLike,
    beta: float,
    *,
    log_ratio_limit: float | None = None,
    min_effective_sample_size: float = 100.0,
) -> OffPolicyBound:
    """Upper bound on a task policy's violation probability from the base policy's own scenarios.

    1 − m, where m is a lower confidence bound on P_Q(safe) = E_P[L · 1{safe}]: the largest m whose
    hypothesis 'the mean is at most m' is rejected by the betting statistic

        K(m) = mean over (b, g) of Π_i [1 + b (L_i·1{safe_i}/m − 1) − g (1−b)/(A−1) · (L_i − 1)]

    at K(m) ≥ 1/β; A = e^limit, and without a limit only g = 0. Weights are neither truncated nor
    assumed bounded (truncating them could only lower m). With probability at least 1 − β over the
    scenarios, the task policy violates with probability at most ``bound``.

    The task policy, its constraint and the limit must be fixed before, and apart from, these
    scenarios: not trained, tuned or chosen on them. Several policies are several claims.

    Args:
        log_ratios: (n,), Σ_t log π(a_t|s_t)/π_base(a_t|s_t) on independent, complete scenarios of
            the base policy, up to the step where the property is decided, nats; −inf allowed.
        violated: (n,), 0 or 1.
        beta: probability that the bound fails, in (0, 1).
        log_ratio_limit: nats, > 0, if no trajectory at all can have a larger log ratio, e.g.
            T log α or a pathwise budget. It takes away most of the noise of L where violations
            are rare.
        min_effective_sample_size: refuse below it.

    Raises:
        ValueError: an argument out of range, by name; or a log ratio above the limit.

    Proof: docs/bounds.md, 'Off-policy'. Sources: arXiv 2010.09686 (betting); Thomas et al., AAAI
    2015 (lower bounds on the return of a policy from another's trajectories).
    """
    ratios = _log_ratios(log_ratios)
    flags = np.asarray(violated)
    if flags.shape != ratios.shape:
        raise ValueError(f"violated must have shape {ratios.shape}, got {flags.shape}")
    if not np.isin(flags, (0, 1)).all():
        raise ValueError("violated must hold 0 or 1 only")
    beta = require_beta("beta", beta)
    floor = require_real("min_effective_sample_size", min_effective_sample_size)
    hedges = np.zeros(1)
    largest = math.inf
    if log_ratio_limit is not None:
        limit = require_positive("log_ratio_limit", log_ratio_limit)
        limit += 1e-9 * (1.0 + limit)  # sums of logarithms are rounded: a limit that holds for them
        if ratios.max() > limit:
            raise ValueError(
                f"log_ratios must be at most log_ratio_limit ({log_ratio_limit!r}), "
                f"got {ratios.max()!r}"
            )
        if limit < 700.0:
            largest, hedges = math.exp(limit) * (1.0 + 1e-12), _HEDGES
    size = effective_sample_size(ratios)
    if size < floor:
        return OffPolicyBound(
            None,
            size,
            f"effective sample size {size:.4g} is below {floor:.4g}: these scenarios say too "
            "little about this policy; take one closer to the base, or more scenarios",
        )
    weights = np.exp(np.minimum(ratios, 700.0))  # cut only without a limit: on the safe side
    lower = _lower_bound(weights, flags == 0, beta, largest, hedges)
    return OffPolicyBound(min(math.nextafter(1.0 - lower, 2.0), 1.0), size, None)


def _lower_bound(
    weights: NDArray[np.float64],
    safe: NDArray[np.bool_],
    beta: float,
    largest: float,
    hedges: NDArray[np.float64],
) -> float:
    """The largest m in [0, 1] found at which the statistic reaches 1/β; it falls as m grows."""
    stake = np.repeat(_STAKES, len(hedges))
    hedge = np.tile(hedges, len(_STAKES))
    hedge = hedge * (1.0 - stake) / (largest - 1.0) if math.isfinite(largest) else hedge * 0.0
    gain = np.where(safe, weights, 0.0)
    # Each factor is rounded down, so that none is above 0 (or above what it is) by rounding alone.
    fixed = [
        1.0 - b - c * (weights - 1.0) - 8.0 * _ULP * (1.0 + c * weights)
        for b, c in zip(stake, hedge, strict=True)
    ]
    # The sum of n logarithms may be off by this many nats; NaN compares as 'not reached'.
    target = -math.log(beta) + math.log(len(stake)) + 1e-12 * len(weights)

    def reached(m: float) -> bool:
        logs = np.empty(len(stake))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for index, b in enumerate(stake):
                factors = fixed[index] + (b / m) * (1.0 - 8.0 * _ULP) * gain
                logs[index] = -np.inf if (factors <= 0.0).any() else np.log(factors).sum()
            peak = logs.max()
            return bool(np.isfinite(peak) and peak + np.log(np.exp(logs - peak).sum()) >= target)

    low, high = 0.0, 1.0
    if reached(high):
        return high
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if reached(middle):
            low = middle
        else:
            high = middle
    return low


def _log_ratios(values: ArrayLike) -> NDArray[np.float64]:
    ratios = np.asarray(values, dtype=np.float64)
    if ratios.ndim != 1 or not ratios.size:
        raise ValueError(f"log_ratios must have shape (n,), n ≥ 1, got {ratios.shape}")
    if np.isnan(ratios).any() or (ratios == math.inf).any():
        raise ValueError("log_ratios must be numbers below inf, got NaN or inf")
    return ratios
