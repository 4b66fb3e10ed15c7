"""A budget of squared mean shifts: only the means move, and the bound is the Gaussian trade-off."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self, cast

import numpy as np

from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound, max_mu
from sport_ray.constraints.budget import RESERVED_SHARE, Budget, require_budget
from sport_ray.constraints.constraint import Array, given_limits
from sport_ray.constraints.evidence import Evidence
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

    from sport_ray.families import Distribution, Shifts

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
    order: ClassVar[int] = 4
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

    @given_limits
    def project(
        self, base: Distribution, task: Distribution, limits: Tensor | float | None = None
    ) -> Distribution:
        """The shift scaled onto the ball of radius ``limits`` in the base's own units."""
        return _shifts(task).projected_shift(_shifts(base), self.limits_or_first(limits))

    @given_limits
    def within(self, step: Distribution, base: Distribution, limits: Tensor | float) -> Tensor:
        """Whether nothing but a shift was made, and within the radius."""
        import torch

        shifted, origin = _shifts(step), _shifts(base)
        square = np.atleast_1d(shifted.squared_shift(origin))
        radius = torch.as_tensor(limits, dtype=torch.float64).cpu().numpy()
        return torch.as_tensor(shifted.is_shift_of(origin).cpu().numpy() & (square <= radius**2))

    def require_family(self, family: type[Distribution]) -> None:
        """Refuse families without shifts."""
        _require_shifts(family)

    def offer(self, left: Array, steps: Array) -> Array:
        """r_t, in units of the base's std."""
        return np.sqrt(left / steps) * (1.0 - RESERVED_SHARE)

    @given_limits
    def cost(self, step: Distribution, base: Distribution, action: Array) -> Array:
        """The squared shift, whatever the action; rounded up."""
        return _shifts(step).squared_shift(_shifts(base))

    def prior_bound(self, evidence: Evidence) -> float:
        """Φ(Φ⁻¹(ε_base) + μ), whatever the horizon."""
        return gaussian_tradeoff_bound(evidence.eps_base, self.mu)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """μ = Φ⁻¹(ε_max) − Φ⁻¹(ε_base), rounded inwards."""
        return cls(mu=max_mu(evidence.eps_base, eps_max), steps_left=evidence.steps_left)

    @property
    def limit(self) -> float:
        """μ."""
        return self.mu

    def with_limit(self, limit: float) -> Self:
        """Another μ."""
        return replace(self, mu=limit)


def _shifts(given: Distribution) -> Shifts:
    _require_shifts(type(given))
    return cast("Shifts", given)


@cache
def _require_shifts(family: type[Distribution]) -> None:
    from sport_ray.families import Shifts

    if not issubclass(family, Shifts):
        raise UserError(
            "constraint 'mean_shift' shifts the base policy's means, which the family "
            f"{family.name!r} has not: choose another constraint"
        )
