"""Adam with each cell's gradient clipped by its norm, in one pass over memory."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sport_ray.compiled import njit
from sport_ray.projected_ppo.stack import Stack

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-5
"""As the single algorithm's optimisers have them."""


class Adam:
    """Adam's moments for K networks; each has its own learning rate and its own number of steps.

    Equal to ``torch.optim.Adam(eps=1e-5)`` but for rounding.

    stack: the networks' weights; gradient: (P,), where a step finds it.
    """

    def __init__(self, stack: Stack, gradient: Tensor) -> None:
        self.gradient = gradient
        mean, square = torch.zeros_like(stack.flat), torch.zeros_like(stack.flat)
        self.moments = mean, square
        self.steps = [0] * len(stack)
        self._rows = list(zip(stack.flat, mean, square, strict=True))
        self._compiled = gradient.device.type == "cpu"
        if self._compiled:
            self._arrays = [tuple(one.numpy() for one in rows) for rows in self._rows]
            self._array = gradient.numpy()

    def norm(self) -> float:
        """The gradient's Euclidean norm."""
        if self._compiled:
            return math.sqrt(_square(self._array))
        return float(torch.linalg.vector_norm(self.gradient, dtype=torch.float64))

    def step(self, cell: int, rate: float, scale: float) -> None:
        """One step of one network along its gradient times ``scale``."""
        self.steps[cell] += 1
        first = 1.0 - BETA1 ** self.steps[cell]
        second = math.sqrt(1.0 - BETA2 ** self.steps[cell])
        if self._compiled:
            numbers = map(np.float32, (scale, rate / first, 1.0 / second))
            _step(self._array, *self._arrays[cell], *numbers)
            return
        weights, mean, square = self._rows[cell]
        gradient = self.gradient * scale
        mean.lerp_(gradient, 1.0 - BETA1)
        square.mul_(BETA2).addcmul_(gradient, gradient, value=1.0 - BETA2)
        weights.addcdiv_(mean, (square.sqrt() / second).add_(EPSILON), value=-rate / first)


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _square(gradient: Any) -> float:
    total = 0.0
    for i in range(gradient.shape[0]):
        total += np.float64(gradient[i]) * np.float64(gradient[i])
    return total


@njit(nogil=True, error_model="numpy")
def _step(gradient, weights, mean, square, scale, rate, unbias):
    first, second = np.float32(1.0 - BETA1), np.float32(1.0 - BETA2)
    keep, epsilon = np.float32(BETA2), np.float32(EPSILON)
    for i in range(weights.shape[0]):
        g = gradient[i] * scale
        m = mean[i] + first * (g - mean[i])
        v = keep * square[i] + second * (g * g)
        mean[i] = m
        square[i] = v
        weights[i] -= rate * (m / (np.sqrt(v) * unbias + epsilon))
