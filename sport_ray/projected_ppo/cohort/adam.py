"""Adam with each cell's gradient clipped by its norm, in one pass over memory."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sport_ray.compiled import njit
from sport_ray.projected_ppo.cohort.stack import Stack

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-5
"""As the single algorithm's optimisers have them."""


class Adam:
    """Adam's moments for K networks; each has its own learning rate and its own number of steps.

    Equal to ``torch.optim.Adam(eps=1e-5)`` but for rounding.
    """

    def __init__(self, stack: Stack) -> None:
        self.weights = stack.flat
        self.mean = torch.zeros_like(stack.flat)
        self.square = torch.zeros_like(stack.flat)
        self.steps = [0] * len(stack)

    def step(self, cell: int, gradient: Tensor, rate: float, scale: float) -> None:
        """One step of one network, with its gradient (P,) times ``scale``."""
        self.steps[cell] += 1
        first = 1.0 - BETA1 ** self.steps[cell]
        second = math.sqrt(1.0 - BETA2 ** self.steps[cell])
        rows = (self.weights[cell], gradient, self.mean[cell], self.square[cell])
        if gradient.device.type == "cpu":
            numbers = map(np.float32, (scale, rate / first, 1.0 / second))
            _step(*(row.numpy() for row in rows), *numbers)
            return
        weights, gradient, mean, square = rows
        gradient = gradient * scale
        mean.lerp_(gradient, 1.0 - BETA1)
        square.mul_(BETA2).addcmul_(gradient, gradient, value=1.0 - BETA2)
        weights.addcdiv_(mean, (square.sqrt() / second).add_(EPSILON), value=-rate / first)


def norm(gradient: Tensor) -> float:
    """The Euclidean norm of a gradient (P,)."""
    if gradient.device.type != "cpu":
        return float(torch.linalg.vector_norm(gradient, dtype=torch.float64))
    return math.sqrt(_square(gradient.numpy()))


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _square(gradient: Any) -> float:
    total = 0.0
    for i in range(gradient.shape[0]):
        total += np.float64(gradient[i]) * np.float64(gradient[i])
    return total


@njit(nogil=True, error_model="numpy")
def _step(weights, gradient, mean, square, scale, rate, unbias):
    first, second = np.float32(1.0 - 0.9), np.float32(1.0 - 0.999)
    keep, epsilon = np.float32(0.999), np.float32(1e-5)
    for i in range(weights.shape[0]):
        g = gradient[i] * scale
        m = mean[i] + first * (g - mean[i])
        v = keep * square[i] + second * (g * g)
        mean[i] = m
        square[i] = v
        weights[i] -= rate * (m / (np.sqrt(v) * unbias + epsilon))
