"""A budget of squared mean shifts: only the means move, and the bound is the Gaussian trade-off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound, max_mu, mean_shift_cost
from sport_ray.constraints.budget import RESERVED_SHARE, Budget, require_budget
from sport_ray.constraints.constraint import Array
from sport_ray.constraints.evidence import Evidence
from sport_ray.errors import UserError
from sport_ray.projection import project_mean_shift

MAX_MU = 1e6
"""Far beyond every use (at 40 nothing is promised), and far from overflow in its square."""


@dataclass(frozen=True)
class MeanShiftBudget(Budget):
    """Σ_t Σ_i (mean_i − mean_base_i)² / std_base_i² ≤ μ² on every path; the std is the base's.

    A step may shift by r_t with r_t² at most what is left, spread over the steps that the base
    is expected to take yet (spending greedily would leave nothing for later steps). The max log
    ratio is infinite: policies are admitted that the paper's constraint must reject.

    Proof: docs/bounds.md, 'Gaussian trade-off'.

    mu: μ. steps_left: expected steps left after t = 0, 1, …
    """

    mu: float
    steps_left: tuple[float, ...] = (20.0,)
    name: ClassVar[str] = "mean_shift"
    title: ClassVar[str] = "mean shift"
    formula: ClassVar[str] = "Φ(Φ⁻¹(ε_base) + μ)"
    order: ClassVar[int] = 3
    simultaneous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "mu", require_budget("mu", self.mu))
        if self.mu > MAX_MU:
            raise UserError(f"mu must be at most {MAX_MU:g}, got {self.mu!r}")
        super().__post_init__()

    @property
    def total(self) -> float:
        """μ², rounded down: the square may round up."""
        return math.nextafter(self.mu**2, 0.0)

    def project(
        self,
        mean_base: Tensor,
        std_base: Tensor,
        mean_task: Tensor,
        std_task: Tensor,
        limits: Tensor | float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The mean shift scaled onto the ball of radius ``limits`` in the base's own units.

        The gradient reaches ``mean_task`` only, as the formula's own.
        """
        limit = self.limits_or_first(limits)
        # A hair inside: the cost is rounded up, and has to be within the limit, too.
        mean, std = project_mean_shift(mean_base, std_base, mean_task, limit * (1.0 - 1e-12))
        if torch.is_grad_enabled() and mean_task.requires_grad:
            offset = mean_task - mean_base
            length = torch.linalg.vector_norm(offset / std_base, dim=-1)
            inside = length <= limit
            scale = torch.where(inside, 1.0, limit / torch.where(inside, 1.0, length))
            smooth = offset * scale[..., None].to(offset)
            mean = mean + (smooth - smooth.detach())  # exactly 0, with the formula's derivative
        return mean, std

    def within(
        self, mean: Tensor, std: Tensor, mean_base: Tensor, std_base: Tensor, limits: Tensor | float
    ) -> Tensor:
        """Whether the std is the base's and the shift within the radius."""
        arrays = (x.detach().cpu().double().numpy() for x in (mean, mean_base, std))
        square = torch.from_numpy(np.atleast_1d(mean_shift_cost(*arrays)))
        radius = torch.as_tensor(limits, dtype=torch.float64).cpu()
        return (std == std_base).all(dim=-1).cpu() & (square <= radius**2)

    def offer(self, left: Array, steps: Array) -> Array:
        """r_t, in units of the base's std."""
        return np.sqrt(left / steps) * (1.0 - RESERVED_SHARE)

    def cost(
        self, mean: Array, std: Array, mean_base: Array, std_base: Array, action: Array
    ) -> Array:
        """Σ_i (mean_i − mean_base_i)² / std_base_i², whatever the action; rounded up."""
        return mean_shift_cost(mean, mean_base, std_base)

    def prior_bound(self, evidence: Evidence) -> float:
        """Φ(Φ⁻¹(ε_base) + μ), whatever the horizon."""
        return gaussian_tradeoff_bound(evidence.eps_base, self.mu)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """μ = Φ⁻¹(ε_max) − Φ⁻¹(ε_base), rounded inwards."""
        return cls(mu=max_mu(evidence.eps_base, eps_max), steps_left=evidence.steps_left)
