"""How fast gradients of the constraints change: the one thing that SCPO must be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.scpo.problem import Array
from sport_ray.bounds.arguments import require_real


@dataclass(frozen=True)
class Smoothness:
    """Constants L_i with |g_i(θ + Δ) − g_i(θ) − ∇g_i(θ)·Δ| ≤ L_i‖Δ‖²/2, (m,).

    source: "given" by an analysis of g, then the iterates' safety is a theorem; "estimated" from
    evaluations, then it is a belief: no finite number of evaluations bounds a curvature.
    """

    values: Array
    source: Literal["given", "estimated"]

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or not (np.isfinite(self.values) & (self.values >= 0)).all():
            raise ValueError(f"smoothness must be finite numbers of at least 0, got {self.values}")

    def raised(self, which: NDArray[np.bool_], factor: float = 2.0) -> Smoothness:
        """With larger constants where evaluations contradicted them; never below a small one."""
        floor = np.maximum(self.values, np.finfo(np.float64).tiny)
        return Smoothness(np.where(which, factor * floor, self.values), self.source)


def given_smoothness(values: ArrayLike) -> Smoothness:
    """Constants that are known: (m,)."""
    return Smoothness(np.atleast_1d(np.asarray(values, dtype=np.float64)), "given")


def estimate_smoothness(
    evaluate: Callable[[Array], Array], points: Array, radius: float, margin: float
) -> Smoothness:
    """Constants from second differences at points (n, d), times a margin.

        H_jk ≈ [g(x + r e_j + r e_k) − g(x + r e_j) − g(x + r e_k) + g(x)] / r²
        L_i = margin · max over points of ‖H_i‖₂

    ``evaluate``: g at a θ, (m,), exactly. Costs 1 + d + d(d + 1)/2 evaluations a point, which may
    be unsafe ones. A lower bound on the least valid constant times the margin, up to the
    differences' own error of order r: not a proof of anything.

    Raises:
        ValueError: an argument out of range, or an evaluation that is not finite.
    """
    radius, margin = require_real("radius", radius), require_real("margin", margin)
    if radius <= 0.0 or margin < 1.0:
        raise ValueError(f"radius must be above 0 and margin at least 1, got {radius}, {margin}")
    points = np.atleast_2d(np.asarray(points, dtype=np.float64))
    found = np.max([_hessian_norms(evaluate, point, radius) for point in points], axis=0)
    if not np.isfinite(found).all():
        raise ValueError(f"evaluations near the points are not finite: second differences {found}")
    return Smoothness(margin * found, "estimated")


def _hessian_norms(evaluate: Callable[[Array], Array], point: Array, radius: float) -> Array:
    """‖H_i‖₂ of the matrices of second differences, (m,)."""
    size = len(point)
    moves = radius * np.eye(size)
    centre = evaluate(point)
    single = np.stack([evaluate(point + move) for move in moves])
    hessian = np.empty((len(centre), size, size))
    for j in range(size):
        for k in range(j + 1):
            both = evaluate(point + moves[j] + moves[k])
            hessian[:, j, k] = hessian[:, k, j] = (
                both - single[j] - single[k] + centre
            ) / radius**2
    if not np.isfinite(hessian).all():
        return np.full(len(centre), np.nan)
    return np.abs(np.linalg.eigvalsh(hessian)).max(axis=1)
