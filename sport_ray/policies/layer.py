"""A linear layer for one observation, with a bound on what another order of summation changes."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np

from sport_ray.compiled import njit


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _product(matrix, row, x):
    """One entry of the product. Any order is within the bound, so the compiler may choose one."""
    total = 0.0
    for j in range(x.shape[0]):
        total += np.float64(matrix[row, j]) * x[j]
    return total


@njit(nogil=True, error_model="numpy")
def linear(matrix, bias, norms, gamma, x, off, relu, found, error):
    """Outputs (N,) for x (K,) into ``found``, after ReLU where asked; the length of their errors.

    ``error`` (N,) bounds what each output is off exact arithmetic, ``off`` is the length of x's
    own errors. matrix (N, K), float32; norms (N,): lengths of its rows; gamma: of a sum (γ_K).
    """
    square = 0.0
    for j in range(x.shape[0]):
        square += x[j] * x[j]
    # Cauchy–Schwarz, entry by entry: the sum of |w||x| is at most the product of lengths.
    reach = gamma * (math.sqrt(square) + off) + off
    total = 0.0
    for i in range(matrix.shape[0]):
        value = _product(matrix, i, x) + bias[i]
        wrong = norms[i] * reach + gamma * abs(bias[i])
        if relu and value <= 0.0:
            if value < -2.0 * wrong:
                wrong = 0.0  # 0 in any order
            value = 0.0
        found[i] = value
        error[i] = wrong
        total += wrong * wrong
    return math.sqrt(total)
