"""The Gaussian trade-off bound: what shifting means, and nothing else, does to a probability."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.bounds.arguments import (
    largest_within,
    require_at_least,
    require_probability,
    require_target,
)
from sport_ray.lazy import Later

special = Later("scipy.special")

_ULP = 2.0**-52
_TINY = 2.0**-1022
"""The smallest normal float64 number."""
_SMALLEST = 1e-300  # the quantile of anything smaller is taken here: outwards, and away from 0
# scipy's quantile and distribution function of the normal law, against mpmath: within 1e-15 of
# max(1, |z|), and within 3e-13 relative between -37.1 and 8. Allowed for several times over.
_QUANTILE_ERROR = 4e-15
_TAIL_ERROR = 2e-12


def gaussian_tradeoff_bound(eps_base: float, mu: float) -> float:
    """Prior bound Φ(Φ⁻¹(ε_base) + μ) for policies that only shift the base's means.

    Holds for every policy with the base's standard deviations, whose shifts satisfy
    Σ_t Σ_i (m̂_i − m_i)² / s_i² ≤ μ² on every path; each shift may depend on the whole history, on
    what is left of μ² too. Attained by T equal shifts of a threshold event. Rounded outwards, at
    most 1; μ = 0 gives eps_base itself.

    Args:
        eps_base: upper bound on the base policy's violation probability, in [0, 1].
        mu: length of all shifts together in base standard deviations, ≥ 0.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Gaussian trade-off'. Source: arXiv 1905.02383; filters arXiv 2210.17520.

    >>> round(gaussian_tradeoff_bound(0.00017, 1.25), 3)
    0.01
    """
    eps_base = require_probability("eps_base", eps_base)
    mu = require_at_least("mu", mu, 0.0)
    if eps_base in (0.0, 1.0) or mu == 0.0:
        return eps_base
    quantile = float(special.ndtri(max(eps_base, _SMALLEST)))
    quantile += _QUANTILE_ERROR * max(1.0, abs(quantile))
    shifted = (quantile + mu) + 2.0 * _ULP * (abs(quantile) + mu)
    return min(max(float(special.ndtr(shifted)) * (1.0 + _TAIL_ERROR), eps_base), 1.0)


def max_mu(eps_base: float, eps_max: float) -> float:
    """Largest μ whose bound is at most ε_max: μ = Φ⁻¹(ε_max) − Φ⁻¹(ε_base).

    Rounded so that ``gaussian_tradeoff_bound(eps_base, max_mu(...)) <= eps_max`` as evaluated.

    Args:
        eps_base: upper bound on the base policy's violation probability, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least eps_base.

    Raises:
        ValueError: an argument out of range, by name; or eps_max < eps_base, for which no μ
            exists.

    >>> round(max_mu(0.00928, 0.1), 3)
    1.073
    """
    eps_base, eps_max = require_target(eps_base, eps_max)
    mu = max(float(special.ndtri(eps_max)) - float(special.ndtri(max(eps_base, _SMALLEST))), 0.0)
    return largest_within(partial(gaussian_tradeoff_bound, eps_base), mu, _QUANTILE_ERROR, eps_max)


def mean_shift_cost(mean: ArrayLike, mean_base: ArrayLike, std: ArrayLike) -> NDArray[np.float64]:
    """What a step spends of μ²: Σ_i (mean_i − mean_base_i)² / std_i², rounded up.

    Args:
        mean, mean_base, std: (..., D), broadcast; std is the base's and the policy's.

    Returns:
        (...,), squared base standard deviations; exactly 0 where the means agree.

    Raises:
        ValueError: a number that is not finite, a std that is not positive, or no last dimension.

    >>> mean_shift_cost([[1.0, 2.0], [0.0, 0.0]], [0.0, 0.0], [1.0, 2.0]).round(9).tolist()
    [2.0, 0.0]
    """
    mean, mean_base, std = (np.asarray(x, dtype=np.float64) for x in (mean, mean_base, std))
    if not (np.isfinite(mean) & np.isfinite(mean_base) & np.isfinite(std) & (std > 0.0)).all():
        for name, array in (("mean", mean), ("mean_base", mean_base), ("std", std)):
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, got {array!r}")
        raise ValueError(f"std must be above 0, got {std!r}")
    if max(mean.ndim, mean_base.ndim, std.ndim) == 0:
        raise ValueError(f"mean must have a last dimension, got {mean!r}")
    with np.errstate(over="ignore", under="ignore"):
        square = ((mean - mean_base) / std) ** 2
        total = np.asarray(square.sum(axis=-1))
        dimensions = square.shape[-1]
        rounded = total * (1.0 + (dimensions + 8.0) * _ULP)
        # A square may round to 0 although the means differ: each loses at most the smallest float.
        moved = (mean != mean_base).any(axis=-1)
        return np.where(moved, rounded + dimensions * _TINY, 0.0)
