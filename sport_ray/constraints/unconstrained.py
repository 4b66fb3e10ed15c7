"""No constraint: the task policy is deployed as it is, and nothing is promised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sport_ray.constraints.constraint import Constraint


@dataclass(frozen=True)
class Unconstrained(Constraint):
    """The whole space: the task policy is deployed as it is, and no prior bound holds."""

    name: ClassVar[str] = "unconstrained"
    title: ClassVar[str] = "unconstrained"
    order: ClassVar[int] = 7

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
        """The task policy itself."""
        return mean_task, std_task
