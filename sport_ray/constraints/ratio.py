"""The paper's constraint: density ratio at most α in every state, for every action."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from sport_ray.bounds import max_alpha, ratio_bound
from sport_ray.constraints.constraint import Constraint, given_limits, require_alpha
from sport_ray.constraints.evidence import Evidence

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

    from sport_ray.families import Distribution


@dataclass(frozen=True)
class RatioConstraint(Constraint):
    """Density ratio at most alpha everywhere (arXiv 2504.06386): alpha in [1, inf).

    >>> RatioConstraint(alpha=1.25).to_json()
    {'name': 'ratio', 'alpha': 1.25}
    """

    alpha: float
    name: ClassVar[str] = "ratio"
    title: ClassVar[str] = "constant ratio"
    formula: ClassVar[str] = "ε_base · α^T"
    order: ClassVar[int] = 0
    simultaneous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", require_alpha(self.alpha))

    @property
    def log_alpha(self) -> float:
        """Log alpha, in nats per step."""
        return math.log(self.alpha)

    @property
    def log_ratio_limit(self) -> float:
        return self.log_alpha

    @given_limits
    def project(
        self, base: Distribution, task: Distribution, limits: Tensor | float | None = None
    ) -> Distribution:
        """The KL projection onto max log ratio ≤ log α."""
        return task.projected(base, self.log_alpha if limits is None else limits)

    def prior_bound(self, evidence: Evidence) -> float:
        """ε_base · α^T."""
        return ratio_bound(evidence.eps_base, self.alpha, evidence.horizon)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """α = (ε_max / ε_base)^{1/T}, rounded inwards."""
        return cls(alpha=max_alpha(evidence.eps_base, eps_max, evidence.horizon))

    @property
    def limit(self) -> float:
        """α."""
        return self.alpha

    def with_limit(self, limit: float) -> Self:
        """Another α."""
        return replace(self, alpha=limit)

    def widened(self, factor: float) -> Self:
        """α to the power of the factor."""
        return self.with_limit(self.alpha**factor)
