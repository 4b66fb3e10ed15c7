"""Adam for K networks at once, each with its own rate, its own steps and its own clipping."""

from __future__ import annotations

import torch
from torch import Tensor

from sport_ray.projected_ppo.cohort.adam import BETA1, BETA2, EPSILON
from sport_ray.projected_ppo.stack import Stack


class DeviceAdam:
    """Equal to ``torch.optim.Adam(eps=1e-5)`` after ``clip_grad_norm_`` but for rounding.

    stack: the weights; gradient: a stack of the same shape; rates: (K,) float64; clip: (K,)
    float64, largest norm of a gradient, inf for none.
    """

    def __init__(self, stack: Stack, gradient: Stack, rates: Tensor, clip: Tensor) -> None:
        self._weights, self._gradient = stack.flat, gradient.flat
        self._mean, self._square = torch.zeros_like(stack.flat), torch.zeros_like(stack.flat)
        self._rates, self._clip = rates, clip
        self._steps = torch.zeros_like(rates)

    def norms(self) -> Tensor:
        """Each gradient's Euclidean norm, (K,) float64."""
        found: Tensor = torch.linalg.vector_norm(self._gradient, dim=1, dtype=torch.float64)
        return found

    def step(self, norms: Tensor, on: Tensor) -> None:
        """One step of the networks ``on`` (K,) bool; nothing of the others changes by a bit."""
        self._steps += on
        steps = self._steps.clamp(min=1.0)
        first = 1.0 - torch.pow(BETA1, steps)
        second = torch.sqrt(1.0 - torch.pow(BETA2, steps))
        scale = torch.minimum(self._clip / (norms + 1e-6), torch.ones_like(norms))
        numbers = torch.stack([scale, self._rates / first, 1.0 / second, on.double()], dim=1)
        if self._weights.is_cuda:
            from sport_ray.projected_ppo.cohort.device.adam_kernel import step

            step(self._weights, self._mean, self._square, self._gradient, numbers.float())
        else:
            self._step(numbers.float())

    def _step(self, numbers: Tensor) -> None:
        scale, rate, unbias, _ = numbers[..., None].unbind(1)
        on = numbers[:, 3] > 0.0
        gradient = self._gradient * scale
        mean = self._mean.lerp(gradient, 1.0 - BETA1)
        square = self._square * BETA2 + (1.0 - BETA2) * gradient * gradient
        moved = self._weights - rate * (mean / (square.sqrt() * unbias + EPSILON))
        for whole, new in ((self._mean, mean), (self._square, square), (self._weights, moved)):
            whole.copy_(torch.where(on[:, None], new, whole))
