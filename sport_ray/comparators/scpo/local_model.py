"""A local linear model of the constraints from sampled perturbations, with its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds.arguments import require_integer, require_positive

Array = NDArray[np.float64]
Design = Literal["basis", "random"]
_OUTWARDS = 1.0 + 1e-9
"""More than the rounding errors of a pseudo-inverse whose condition is below ``_CONDITION``."""
_CONDITION = 1e5


@dataclass(frozen=True)
class LocalModel:
    """g_i(θ + Δ) ≈ value_i + gradient_i·Δ, for constraints i = 1 … m.

    value: (m,); value_error: (m,), |value_i − g_i(θ)| ≤ value_error_i.
    gradient: (m, d); gradient_error: (m,), ‖gradient_i − ∇g_i(θ)‖₂ ≤ gradient_error_i.
    """

    value: Array
    value_error: Array
    gradient: Array
    gradient_error: Array


def perturbations(
    dimension: int, radius: float, count: int, design: Design, rng: np.random.Generator
) -> Array:
    """Displacements to evaluate at, (n, d), each of length ``radius``.

    basis: an orthonormal basis in a random orientation, times the radius (n = d), which has the
    smallest error bound; random: directions drawn uniformly (n = count ≥ d).

    Raises:
        ValueError: an argument out of range, by name.
    """
    dimension = require_integer("dimension", dimension, 1)
    radius = require_positive("radius", radius)
    if design == "basis":
        return radius * np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    if design != "random":
        raise ValueError(f"design must be 'basis' or 'random', got {design!r}")
    count = require_integer("count", count, dimension)
    drawn = rng.standard_normal((count, dimension))
    found: Array = radius * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found


def fit_differences(
    moves: Array, differences: Array, difference_errors: Array, smoothness: Array
) -> tuple[Array, Array]:
    """Least-squares gradients (m, d) from differences, and bounds on their errors (m,).

    moves D: (n, d), of full column rank; differences: (n, m), g_i(θ + D_j) − g_i(θ) up to
    ``difference_errors`` (n, m); smoothness: (m,). With D⁺ the pseudo-inverse,

        gradient_i = D⁺ y_i,   ‖gradient_i − ∇g_i(θ)‖ ≤ ‖(L_i‖D_j‖²/2 + error_ij)_j‖₂ / σ_min(D)

    because y_i = D∇g_i + R_i with |R_ij| ≤ L_i‖D_j‖²/2 + error_ij, and D⁺D = I. For an
    orthonormal basis of length r and exact evaluations that is L_i r √d / 2.

    Raises:
        ValueError: directions that do not span the space well enough to invert.
    """
    singular = np.linalg.svd(moves, compute_uv=False)
    if moves.shape[0] < moves.shape[1] or not singular[-1] * _CONDITION > singular[0]:
        raise ValueError(
            f"moves must span the {moves.shape[1]} dimensions with a condition number below "
            f"{_CONDITION:g}, got singular values {singular[0]:.3g} … {singular[-1]:.3g}"
        )
    gradient = (np.linalg.pinv(moves) @ differences).T
    squared = (moves**2).sum(axis=1)[:, None]
    remainder = 0.5 * smoothness[None, :] * squared + difference_errors
    return gradient, np.linalg.norm(remainder, axis=0) / singular[-1] * _OUTWARDS
