"""No constraint: the task policy is deployed as it is, and nothing is promised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sport_ray.constraints.constraint import Constraint, given_limits

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

    from sport_ray.families import Distribution


@dataclass(frozen=True)
class Unconstrained(Constraint):
    """The whole space: the task policy is deployed as it is, and no prior bound holds."""

    name: ClassVar[str] = "unconstrained"
    title: ClassVar[str] = "unconstrained"
    order: ClassVar[int] = 8

    @property
    def log_ratio_limit(self) -> float:
        return math.inf

    @given_limits
    def project(
        self, base: Distribution, task: Distribution, limits: Tensor | float | None = None
    ) -> Distribution:
        """The task policy itself."""
        return task
