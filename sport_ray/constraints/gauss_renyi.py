"""Constant ratio with the Gauss–Rényi bound: the paper's algorithm, a larger α at equal risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from sport_ray.bounds import gauss_renyi_bound, gauss_renyi_max_alpha
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.ratio import RatioConstraint
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from sport_ray.families import Distribution


@dataclass(frozen=True)
class GaussRenyiConstraint(RatioConstraint):
    """Density ratio at most alpha of diagonal Gaussians, whose Rényi divergences are smaller.

    Proof: docs/bounds.md, 'Gauss–Rényi'.
    """

    name: ClassVar[str] = "gauss_renyi"
    title: ClassVar[str] = "Gauss–Rényi"
    formula: ClassVar[str] = "min over λ > 1 of (ε_base · e^{T ρ(λ, α)})^{(λ−1)/λ}"
    order: ClassVar[int] = 1
    simultaneous: ClassVar[bool] = True

    def require_family(self, family: type[Distribution]) -> None:
        """Refuse all but Gaussians."""
        from sport_ray.families import Gaussian

        if not issubclass(family, Gaussian):
            raise UserError(
                f"constraint {self.name!r} has a bound for Gaussians alone, not for the family "
                f"{family.name!r}: choose the constraint 'ratio'"
            )

    def prior_bound(self, evidence: Evidence) -> float:
        """min_{λ>1} (ε_base · e^{T ρ(λ, α)})^{(λ−1)/λ}, never above ε_base · α^T."""
        return gauss_renyi_bound(evidence.eps_base, self.alpha, evidence.horizon)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """The largest α whose Gauss–Rényi bound is at most ε_max."""
        return cls(alpha=gauss_renyi_max_alpha(evidence.eps_base, eps_max, evidence.horizon))
