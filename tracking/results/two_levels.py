"""Bases and training seeds within them: what both together say of another base and seed.

Two levels of a random-effects model, y_ij = μ + b_i + e_ij: base i of k, seed j of n_i, with the
variances σ_b² between bases and σ_e² between seeds of one base. Where all bases have the very same
task policies seeds are crossed with bases, y_ij = μ + b_i + s_j + e_ij: what a seed does, s_j, is
then in every base's mean alike, and their spread does not show it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sport_ray.tracking.results.intervals import (
    CONFIDENCE,
    MIN_SEEDS,
    UNKNOWN,
    Estimate,
    estimate,
    with_error,
)


def pooled(groups: Sequence[ArrayLike], confidence: float = CONFIDENCE) -> Estimate:
    """Mean over bases of the bases' means, with an interval that accounts for both levels.

    Student's t over the k means, k − 1 degrees of freedom: var(ȳ_i) = σ_b² + σ_e²/n_i holds both
    variances. Of one base its own t-interval over seeds, which says nothing of another base.

    groups: the seeds' numbers, per base. NaN where one is not finite.
    """
    means = [estimate(group, confidence) for group in groups]
    if len(means) == 1:
        return means[0]
    return estimate([one.value for one in means], confidence)


def prediction(groups: Sequence[ArrayLike], confidence: float = CONFIDENCE) -> Estimate:
    """Where one seed of one further base is expected, with the stated confidence.

    ȳ ± t_ν √V with V = (1 + 1/k) S_b² + (1 − 1/ñ) S_e², where ȳ is the mean of the k bases'
    means, S_b² the variance of these means, S_e² the pooled variance of seeds within bases and
    ñ = k / Σ 1/n_i. V is unbiased for var(y_new − ȳ) = σ_b² (1 + 1/k) + σ_e² (1 + 1/(k ñ)), since
    E S_b² = σ_b² + σ_e²/ñ, whatever the two variances; no estimate of σ_b² is cut at 0. Degrees of
    freedom by Satterthwaite: ν = V² / [((1 + 1/k) S_b²)²/(k − 1) + ((1 − 1/ñ) S_e²)²/Σ(n_i − 1)].

    Of one base ȳ ± t_{n−1} s √(1 + 1/n), for one more seed of that very base.

    Raises nothing; no interval from one base and one seed, UNKNOWN with a number that is not
    finite. Sources: Satterthwaite 1946, Biometrics Bulletin 2(6), 110–114 (degrees of freedom);
    Thomas & Hultquist 1978, Annals of Statistics 6(3), 582–587 (means of unequal groups, ñ);
    for normal b and e. Its coverage is simulated in the tests.

    >>> one = prediction([[1.0, 2.0, 3.0]])
    >>> round(one.high - one.value, 3)  # 4.303 · 1 · √(4/3)
    4.968
    """
    samples = [np.asarray(group, dtype=np.float64).ravel() for group in groups]
    if not samples or not all(one.size and np.isfinite(one).all() for one in samples):
        return UNKNOWN
    sizes = np.array([one.size for one in samples])
    means = np.array([one.mean() for one in samples])
    number, value = len(samples), float(means.mean())
    left = int((sizes - 1).sum())
    within = sum(float(((one - one.mean()) ** 2).sum()) for one in samples) / left if left else 0.0
    if number < MIN_SEEDS:
        error = math.sqrt(within * (1.0 + 1.0 / int(sizes[0]))) if left else math.nan
        return with_error(value, error, left, confidence)
    harmonic = number / float((1.0 / sizes).sum())
    parts = ((1.0 + 1.0 / number) * float(means.var(ddof=1)), (1.0 - 1.0 / harmonic) * within)
    variance = sum(parts)
    if variance == 0.0:
        return Estimate(value, value, value)
    spread = parts[0] ** 2 / (number - 1) + (parts[1] ** 2 / left if left else 0.0)
    return with_error(value, math.sqrt(variance), variance**2 / spread, confidence)


def pooled_crossed(groups: Sequence[ArrayLike], confidence: float = CONFIDENCE) -> Estimate:
    """As :func:`pooled`, where seed j is the same task policy for every base.

    ȳ ± t_ν √V with V = (MSB + MSS)/(k n), mean squares of bases and of seeds: E V = σ_b²/k + σ_s²/n
    + 2 σ_e²/(k n), which is var(ȳ) and σ_e²/(k n) more. The unbiased (MSB + MSS − MSE)/(k n) may
    be negative. Degrees of freedom by Satterthwaite, as there.

    groups: as many numbers for each base, in the same order of seeds.
    """
    return _crossed(groups, confidence, further=False)


def prediction_crossed(groups: Sequence[ArrayLike], confidence: float = CONFIDENCE) -> Estimate:
    """As :func:`prediction`, where seed j is the same task policy for every base.

    V = (1 + 1/k) MSB/n + (1 + 1/n) MSS/k + c MSE, c = 1 − 1/k − 1/n − 1/(k n) or 0 where that is
    less: E V = σ_b² (1 + 1/k) + σ_s² (1 + 1/n) + σ_e² (1 + 1/(k n)), or more.
    """
    return _crossed(groups, confidence, further=True)


def _crossed(groups: Sequence[ArrayLike], confidence: float, *, further: bool) -> Estimate:
    if len(groups) < MIN_SEEDS:
        return prediction(groups, confidence) if further else pooled(groups, confidence)
    table = np.stack([np.asarray(group, dtype=np.float64).ravel() for group in groups])
    if not table.size or not np.isfinite(table).all():
        return UNKNOWN
    (k, n), value = table.shape, float(table.mean())
    if n < MIN_SEEDS:  # nothing is known of another task policy
        return Estimate(value, math.nan, math.nan)
    bases, seeds = table.mean(axis=1), table.mean(axis=0)
    msb, mss = n * float(bases.var(ddof=1)), k * float(seeds.var(ddof=1))
    rest = table - bases[:, None] - seeds + value
    left = (k - 1) * (n - 1)
    if further:
        weight = max(0.0, 1.0 - 1.0 / k - 1.0 / n - 1.0 / (k * n))
        mse = float((rest**2).sum()) / left
        parts = [(1.0 + 1.0 / k) * msb / n, (1.0 + 1.0 / n) * mss / k, weight * mse]
    else:
        parts = [msb / (k * n), mss / (k * n)]
    variance = sum(parts)
    if variance == 0.0:
        return Estimate(value, value, value)
    spread = sum(one**2 / free for one, free in zip(parts, (k - 1, n - 1, left), strict=False))
    return with_error(value, math.sqrt(variance), variance**2 / spread, confidence)
