"""How far a perturbed world is from the base's: the density ratio of two Gaussian noise laws."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def gaussian_max_ratio(
    mean: ArrayLike, std: ArrayLike, mean_base: ArrayLike, std_base: ArrayLike
) -> float:
    """Largest density ratio sup p'/p of two diagonal Gaussians, deployment over base.

    exp Σ_i [ log(s_i/ŝ_i) + (m̂_i − m_i)² / (2 (s_i² − ŝ_i²)) ], (m̂, ŝ) the law at deployment and
    (m, s) the base's. Infinite where ŝ_i > s_i, or ŝ_i = s_i and the means differ; a dimension in
    which both laws are the same point (s_i = ŝ_i = 0, equal means) counts nothing. Rounded
    outwards.

    It bounds every law that is made from the noise: if y = f(x, w) and w has another law, then
    P'(y ∈ A) = P'(w ∈ f(x, ·)⁻¹(A)) ≤ r P(w ∈ f(x, ·)⁻¹(A)) = r P(y ∈ A), whatever the
    (measurable) map f. Clipping, dynamics and the map from noise to a start can therefore only
    lower the ratio, and for noise drawn afresh at each step the value is an α_p, for noise at the
    start an α_μ of ``ratio_bound``.

    Args:
        mean, std: deployment law, each (D,) or a number; std ≥ 0.
        mean_base, std_base: base law, of the same shape.

    Raises:
        ValueError: an argument out of range, by name.

    Source: arXiv 2504.06386 (ratio of two Gaussians); the data-processing inequality for the
    Rényi divergence of order ∞, van Erven and Harremoës, arXiv 1206.2459.

    >>> round(gaussian_max_ratio(0.0, 0.1, 0.0, 0.2), 9)
    2.0
    >>> gaussian_max_ratio([0.0, 0.1], [0.2, 0.2], [0.0, 0.0], [0.2, 0.2])
    inf
    """
    names = ("mean", "std", "mean_base", "std_base")
    laws = [
        _numbers(name, value)
        for name, value in zip(names, (mean, std, mean_base, std_base), strict=True)
    ]
    for name, law in zip(names, laws, strict=True):
        if law.shape != laws[0].shape:
            raise ValueError(f"{name} must have the shape of mean {laws[0].shape}, got {law.shape}")
        if name.startswith("std") and not (law >= 0.0).all():
            raise ValueError(f"{name} must be at least 0, got {law.tolist()}")
    terms = [_log_ratio(*numbers) for numbers in zip(*(law.tolist() for law in laws), strict=True)]
    try:
        total = math.fsum(terms)
        if total == 0.0:
            return 1.0
        # Each term errs by fewer than 16 units in its last place, exp by one; a total too small to
        # show is still a ratio above 1.
        return math.nextafter(math.exp(total * (1.0 + 2.0**-48)) * (1.0 + 2.0**-51), math.inf)
    except OverflowError:
        return math.inf


def level_within(eps_max: float, world: float) -> float:
    """What is left of ε_max in the base's own world: ε_max / w, inwards by more than the rounding.

    world: w ≥ 1, the ``ratio_bound`` of a base of risk 1 with the worlds' ratios.

    >>> level_within(0.1, 1.0)
    0.1
    >>> 0.0499 < level_within(0.1, 2.0) < 0.05
    True
    """
    return eps_max if world == 1.0 else eps_max / world * (1.0 - 1e-12)


def _log_ratio(mean: float, std: float, mean_base: float, std_base: float) -> float:
    """One dimension, nats; at least 0, and above 0 wherever the laws differ."""
    shift, narrower = mean - mean_base, std_base - std
    if narrower == 0.0 and shift == 0.0:
        return 0.0
    if narrower <= 0.0 or std == 0.0:
        return math.inf
    spread = math.log1p(narrower / std)
    # s² − ŝ² as a product: the difference of the squares would cancel, overflow and underflow.
    displacement = 0.5 * (abs(shift) / narrower) * (abs(shift) / (std_base + std))
    return spread + displacement


def _numbers(name: str, value: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers of shape (D,), got {value!r}")
    return array
