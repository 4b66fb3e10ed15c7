"""The diagonal Gaussian as a family: the one file that turns (mean, std) into a distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sport_ray.bounds.tradeoff import mean_shift_cost
from sport_ray.families.family import Array, Shifts
from sport_ray.families.gaussian.mean_shift import project_mean_shift
from sport_ray.families.gaussian.projection import kl_divergence, max_log_ratio, project_kl
from sport_ray.streams import normal_rows

_NEAR, _UNITS = 1e-5, 8.0 * 2.0**-23
"""Of float32 numbers, relative to the std and to the mean: a few units may round otherwise."""
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Gaussian(Shifts):
    """N(mean, diag(std²)) of the action before its mapping: mean and std (..., D), std > 0.

    Its projection is exact, its largest log ratio finite where every std is below the base's.
    """

    name: ClassVar[str] = "gaussian"
    part_names: ClassVar[tuple[str, ...]] = ("mean", "std")

    @property
    def mean(self) -> Tensor:
        """Of the action before its mapping, (..., D)."""
        return self.parts[0]

    @property
    def std(self) -> Tensor:
        """In units of the action, (..., D)."""
        return self.parts[1]

    @classmethod
    def num_parameters(cls, action_size: int) -> int:
        """2 D: the mean, then the std."""
        return 2 * action_size

    @classmethod
    def noise_size(cls, action_size: int) -> int:
        """D."""
        return action_size

    @classmethod
    def draw_noise(cls, generator: np.random.Generator, steps: int, action_size: int) -> Array:
        """Standard normal numbers (steps, D)."""
        return generator.standard_normal((steps, action_size))

    @classmethod
    def draw_each(
        cls, generators: Sequence[np.random.Generator], steps: int, action_size: int
    ) -> Array:
        """Standard normal numbers (n, steps, D)."""
        return normal_rows(generators, steps * action_size).reshape(-1, steps, action_size)

    def sample(self, noise: Array) -> Array:
        """Mean + std · noise."""
        mean, std = self.arrays()
        drawn: Array = mean + std * noise
        return drawn

    def sample_tensor(self, noise: Tensor) -> Tensor:
        """Mean + std · noise."""
        if noise.is_cuda:
            return self.mean.double() + self.std.double() * noise
        return super().sample_tensor(noise)

    def log_prob(self, action: Tensor) -> Tensor:
        """Log N(a; mean, diag(std²)), nats; from (a − mean)/std, so that no std is squared."""
        z = (action - self.mean) / self.std
        return (-0.5 * z * z - torch.log(self.std) - _HALF_LOG_2PI).sum(-1)

    def torch_distribution(self) -> torch.distributions.Distribution:
        """Normal, its entries independent."""
        entries = torch.distributions.Normal(self.mean, self.std, validate_args=False)
        return torch.distributions.Independent(entries, 1, validate_args=False)

    def log_ratio(self, base: Gaussian, action: Array) -> Array:
        """Σ_i log N(a_i; mean_i, std_i)/N(a_i; mean_base_i, std_base_i), nats.

        >>> one = torch.ones((1, 1))
        >>> Gaussian(one, one).log_ratio(Gaussian(0.0 * one, one), np.ones((1, 1))).tolist()
        [0.5]
        """
        log_std, far, near = self._terms(base, action)
        total: Array = (log_std + far - near).sum(axis=-1)
        return total

    def log_ratio_tensor(self, base: Gaussian, action: Tensor) -> Tensor:
        """As :meth:`log_ratio`."""
        if not action.is_cuda:
            return super().log_ratio_tensor(base, action)
        mean, std, mean_base, std_base = (x.double() for x in (*self.parts, *base.parts))
        far = 0.5 * ((action - mean_base) / std_base).square()
        near = 0.5 * ((action - mean) / std).square()
        return (torch.log(std_base / std) + far - near).sum(dim=-1)

    def log_ratio_above(self, base: Gaussian, action: Array) -> Array:
        """The log ratio and more than its rounding error; exactly 0 at the base."""
        log_std, far, near = self._terms(base, action)
        total = (log_std + far - near).sum(axis=-1)
        # Each term errs by a few units in its last place: 1e-13 of it is far more.
        rounding = 1e-13 * (1.0 + (np.abs(log_std) + far + near).sum(axis=-1))
        return np.where(self.differs(base).cpu().numpy(), total + rounding, 0.0)

    def _terms(self, base: Gaussian, action: Array) -> tuple[Array, Array, Array]:
        """(log std_base/std, far, near) in each entry: its log ratio is the first + far − near.

        far and near: half the squared distances from the means, each in its own std.
        """
        (mean, std), (mean_base, std_base) = self.arrays(), base.arrays()
        far = 0.5 * ((action - mean_base) / std_base) ** 2
        near = 0.5 * ((action - mean) / std) ** 2
        return np.log(std_base / std), far, near

    def max_log_ratio(self, base: Gaussian) -> Tensor:
        """Σ_i [log(std_base_i/std_i) + (mean_i − mean_base_i)²/(2 (std_base_i² − std_i²))]."""
        return max_log_ratio(*self.held_as(base), *base.held_as(self))

    def kl(self, other: Gaussian) -> Tensor:
        """In float64, by its series where both stds are close."""
        return kl_divergence(self.mean, self.std, other.mean, other.std)

    def projected(self, base: Gaussian, limit: float | Tensor) -> Gaussian:
        """See :func:`~sport_ray.families.gaussian.projection.project_kl`."""
        (mean, std), (mean_base, std_base) = self.held_as(base), base.held_as(self)
        return Gaussian(*project_kl(mean_base, std_base, mean, std, limit))

    def projected_shift(self, base: Gaussian, radius: float | Tensor) -> Gaussian:
        """The base's std, its mean shifted by ‖shift / std_base‖ ≤ radius.

        The gradient reaches the mean only, as the formula's own.
        """
        # A hair inside: the squared shift is rounded up, and has to be within the limit, too.
        mean_base, std_base = base.held_as(self)
        task = self.held_as(base)[0]
        mean, std = project_mean_shift(mean_base, std_base, task, radius * (1.0 - 1e-12))
        if torch.is_grad_enabled() and getattr(task, "requires_grad", False):
            offset = self.mean - base.mean
            length = torch.linalg.vector_norm(offset / base.std, dim=-1)
            inside = length <= radius
            scale = torch.where(inside, 1.0, radius / torch.where(inside, 1.0, length))
            smooth = offset * scale[..., None].to(offset)
            mean = mean + (smooth - smooth.detach())  # exactly 0, with the formula's derivative
        return Gaussian(mean, std)

    def valid(self) -> Tensor:
        """Finite, and every std above 0."""
        mean, std = self._held
        if isinstance(mean, np.ndarray) and isinstance(std, np.ndarray):
            good = np.isfinite(mean) & np.isfinite(std) & (std > 0.0)
            return torch.as_tensor(good.all(axis=-1))
        return super().valid() & (self.std > 0.0).all(dim=-1)

    def agrees(self, other: Gaussian, base: Gaussian) -> Tensor:
        """Within 1e-5 of the base's std and a few units in the last place of its mean."""
        allowed = _NEAR * base.std + _UNITS * base.mean.abs()
        near = (self.mean - other.mean).abs() <= allowed
        return (near & ((self.std - other.std).abs() <= allowed)).all(dim=-1)

    def is_shift_of(self, base: Gaussian) -> Tensor:
        """Whether the std is the base's."""
        return torch.as_tensor((self.held_as(base)[1] == base.held_as(self)[1]).all(-1))

    def squared_shift(self, base: Gaussian) -> Array:
        """Σ_i (mean_i − mean_base_i)² / std_base_i², rounded up."""
        (mean, _), (mean_base, std_base) = self.arrays(), base.arrays()
        return mean_shift_cost(mean, mean_base, std_base)
