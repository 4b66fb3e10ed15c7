"""Aggregates over tasks: interquartile mean, performance profile, probability of improvement.

After Agarwal et al., 'Deep reinforcement learning at the edge of the statistical precipice'
(arXiv 2108.13264; the library rliable), made anew in numpy. A *stratum* is one base of one task;
its scores are one per training seed. Every task weighs the same, and within a task every base,
however many seeds it has: with equal strata these are rliable's definitions. Intervals are 95%
percentile intervals of a bootstrap that draws seeds anew within each stratum, and are about these
tasks and bases: they were chosen, not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.tracking.results.intervals import CONFIDENCE, UNKNOWN, Estimate

Array = NDArray[np.float64]
REPLICATES = 2_000
_SEED = 20_240_613


@dataclass(frozen=True)
class Strata:
    """Scores by stratum, each with its weight.

    scores: per stratum its seeds' scores (n_k,), finite. weights: positive, of each stratum.
    """

    scores: tuple[Array, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.weights):
            raise ValueError(f"{len(self.scores)} strata have {len(self.weights)} weights")
        if not all(one.size and np.isfinite(one).all() for one in self.scores):
            raise ValueError("scores: expected finite numbers, and at least one in each stratum")
        if not all(one > 0 for one in self.weights):
            raise ValueError(f"weights = {self.weights}: expected positive numbers")

    @cached_property
    def each(self) -> Array:
        """The weight of every score (N,), in the order of the strata; their sum is 1."""
        spread = [
            np.full(one.size, weight / one.size)
            for one, weight in zip(self.scores, self.weights, strict=True)
        ]
        return np.concatenate(spread) / sum(self.weights)

    def replicates(self, count: int, rng: np.random.Generator) -> Array:
        """Scores drawn anew within each stratum (count, N)."""
        drawn = [one[rng.integers(0, one.size, (count, one.size))] for one in self.scores]
        return np.concatenate(drawn, axis=1)


def weighted_iqm(scores: ArrayLike, weights: ArrayLike) -> Array:
    """Mean of the middle half of the weight, along the last axis.

    scores: (…, N); weights: (N,), not negative. A score that lies across a quartile counts with
    the part of its weight that is inside. Equal weights and N a multiple of 4: the mean without
    the lowest and the highest quarter.

    >>> float(weighted_iqm([0.0, 1.0, 2.0, 9.0], [1.0, 1.0, 1.0, 1.0]))
    1.5
    """
    values = np.asarray(scores, dtype=np.float64)
    share = np.broadcast_to(np.asarray(weights, dtype=np.float64), values.shape)
    order = np.argsort(values, axis=-1, kind="stable")
    values = np.take_along_axis(values, order, axis=-1)
    share = np.take_along_axis(share, order, axis=-1)
    total = share.sum(axis=-1, keepdims=True)
    above = np.cumsum(share, axis=-1) / total
    below = above - share / total
    inside = np.clip(np.minimum(above, 0.75) - np.maximum(below, 0.25), 0.0, None)
    found: Array = (values * inside).sum(axis=-1) / inside.sum(axis=-1)
    return found


def iqm(strata: Strata, replicates: int = REPLICATES) -> Estimate:
    """The interquartile mean over all strata, with its interval."""
    if not strata.scores:
        return UNKNOWN
    drawn = strata.replicates(replicates, np.random.default_rng(_SEED))
    value = float(weighted_iqm(np.concatenate(strata.scores), strata.each))
    return _with_interval(strata, value, weighted_iqm(drawn, strata.each))


def mean(strata: Strata) -> float:
    """The weighted mean over all strata; NaN without any."""
    return float(np.concatenate(strata.scores) @ strata.each) if strata.scores else np.nan


def profile(strata: Strata, taus: ArrayLike, replicates: int = REPLICATES) -> list[Estimate]:
    """The share of scores above each τ, with pointwise intervals; none without scores."""
    at = np.asarray(taus, dtype=np.float64)
    if not strata.scores:
        return [UNKNOWN] * at.size
    drawn = strata.replicates(replicates, np.random.default_rng(_SEED))
    scores = np.concatenate(strata.scores)
    return [
        _with_interval(strata, float((scores > tau) @ strata.each), (drawn > tau) @ strata.each)
        for tau in at
    ]


def improvement(first: Strata, second: Strata, replicates: int = REPLICATES) -> Estimate:
    """P(X > Y) + P(X = Y) / 2 of a seed of `first` and one of `second`, mean over strata.

    Both of the same strata, with the weights of the first. The interval draws both anew, each by
    itself, as rliable's does: though seeds share their scenarios, their training does not.
    """
    if len(first.scores) != len(second.scores):
        raise ValueError(f"{len(first.scores)} and {len(second.scores)} strata: not the same")
    if not first.scores:
        return UNKNOWN
    rng = np.random.default_rng(_SEED)
    weights = np.asarray(first.weights) / sum(first.weights)
    value, drawn = 0.0, np.zeros(replicates)
    for x, y, weight in zip(first.scores, second.scores, weights, strict=True):
        wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
        value += float(weight * wins.mean())
        # How often each seed is drawn: the mean over a replicate's pairs is a bilinear form.
        often_x = rng.multinomial(x.size, np.full(x.size, 1 / x.size), replicates) / x.size
        often_y = rng.multinomial(y.size, np.full(y.size, 1 / y.size), replicates) / y.size
        drawn += weight * np.einsum("ri,ij,rj->r", often_x, wins, often_y)
    if min(one.size for one in (*first.scores, *second.scores)) < 2:
        return Estimate(value, np.nan, np.nan)
    return _percentiles(value, drawn)


def _with_interval(strata: Strata, value: float, drawn: Array) -> Estimate:
    """No interval where a stratum has one seed: drawing that anew hides that it varies."""
    if min(one.size for one in strata.scores) < 2:
        return Estimate(value, np.nan, np.nan)
    return _percentiles(value, drawn)


def _percentiles(value: float, drawn: Array) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
