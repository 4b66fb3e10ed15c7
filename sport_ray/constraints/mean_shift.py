"""A budget of squared mean shifts: only the means move, and the bound is the Gaussian trade-off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound, max_mu, mean_shift_cost
from sport_ray.constraints.budget import (
    RESERVED_SHARE,
    SPENT,
    require_budget,
    require_steps,
    spent,
    steps_left,
)
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.interface import Array, Constraint, float32_down
from sport_ray.errors import UserError
from sport_ray.projection import project_mean_shift

MAX_MU = 1e6
"""Far beyond every use (at 40 nothing is promised), and far from overflow in its square."""


@dataclass(frozen=True)
class MeanShiftBudget(Constraint):
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
    state_size: ClassVar[int] = 2  # left of μ², steps taken

    def __post_init__(self) -> None:
        object.__setattr__(self, "mu", require_budget("mu", self.mu))
        if self.mu > MAX_MU:
            raise UserError(f"mu must be at most {MAX_MU:g}, got {self.mu!r}")
        object.__setattr__(self, "steps_left", require_steps(self.steps_left))

    @property
    def log_ratio_limit(self) -> float:
        return math.inf

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
        limit = float(self.limits(self.start(1))[0]) if limits is None else limits
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

    def start(self, count: int) -> Array:
        """(μ², 0) for each episode."""
        # Downwards: the square may round up.
        return np.tile([math.nextafter(self.mu**2, 0.0), 0.0], (count, 1))

    def limits(self, state: Array) -> Array:
        """r_t, in units of the base's std."""
        left = state[:, 0]
        share = left / steps_left(self.steps_left, state[:, 1])
        radius = np.sqrt(share) * (1.0 - RESERVED_SHARE)
        return float32_down(np.where(left < SPENT, 0.0, radius))

    def features(self, state: Array) -> NDArray[np.float32]:
        """(r_t, what is left of μ²), rounded down."""
        return np.stack([self.limits(state), float32_down(state[:, 0])], axis=1).astype(np.float32)

    def cost(
        self, mean: Array, std: Array, mean_base: Array, std_base: Array, action: Array
    ) -> Array:
        """Σ_i (mean_i − mean_base_i)² / std_base_i², whatever the action; rounded up."""
        return mean_shift_cost(mean, mean_base, std_base)

    def spend(self, state: Array, cost: Array) -> Array:
        """(left − cost, t + 1)."""
        return spent(state, cost)

    def prior_bound(self, evidence: Evidence) -> float:
        """Φ(Φ⁻¹(ε_base) + μ), whatever the horizon."""
        return gaussian_tradeoff_bound(evidence.eps_base, self.mu)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """μ = Φ⁻¹(ε_max) − Φ⁻¹(ε_base), rounded inwards."""
        return cls(mu=max_mu(evidence.eps_base, eps_max), steps_left=evidence.steps_left)
