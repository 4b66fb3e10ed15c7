"""A budget for the whole path: the realised log ratio of an episode never exceeds log A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from torch import Tensor

from sport_ray.bounds import pathwise_bound, pathwise_log_budget
from sport_ray.constraints.budget import (
    PACE,
    RESERVE,
    RESERVED_SHARE,
    Budget,
    require_budget,
)
from sport_ray.constraints.constraint import Array
from sport_ray.constraints.evidence import Evidence
from sport_ray.errors import UserError
from sport_ray.projection import log_ratio_terms, project_kl

RULES = ("spread", "all")


@dataclass(frozen=True)
class PathwiseBudget(Budget):
    """Σ_t log π_t(a_t|s_t)/π_base(a_t|s_t) ≤ B on every prefix of every path.

    Before step t at most c_t ≤ B_t may be spent (the max log ratio of the step), after it what
    the drawn action did spend is charged: B_{t+1} = B_t − log ratio, a refund where it is
    negative. Rules for c_t:

    - ``"spread"``: min(B_t, √(B_t / (0.75 · expected steps left))): needs no training under the
      budget, since a step at max log ratio c costs about c² of it on average.
    - ``"all"``: B_t. Best for a policy that was trained with it and sees what is left; disastrous
      for one that was not.

    Proof: docs/bounds.md, 'Pathwise budget'.

    log_budget: B, nats. steps_left: expected steps left after t = 0, 1, … (``"spread"`` only).
    """

    log_budget: float
    rule: str = "spread"
    steps_left: tuple[float, ...] = (20.0,)
    name: ClassVar[str] = "pathwise"
    title: ClassVar[str] = "pathwise budget"
    formula: ClassVar[str] = "ε_base · e^B"
    order: ClassVar[int] = 4
    simultaneous: ClassVar[bool] = True
    rules_for_target: ClassVar[tuple[str, str]] = ("spread", "all")  # trained without it, under it

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_budget", require_budget("log_budget", self.log_budget))
        super().__post_init__()
        if self.rule not in RULES:
            raise UserError(f"rule {self.rule!r} is unknown: choose {' or '.join(RULES)}")

    @property
    def total(self) -> float:
        """B, nats."""
        return self.log_budget

    def path_log_ratio_limit(self, horizon: int) -> float:
        """B, whatever the horizon."""
        return self.log_budget

    def project(
        self,
        mean_base: Tensor,
        std_base: Tensor,
        mean_task: Tensor,
        std_task: Tensor,
        limits: Tensor | float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The KL projection onto max log ratio ≤ limits."""
        limit = self.limits_or_first(limits)
        return project_kl(mean_base, std_base, mean_task, std_task, limit)

    def offer(self, left: Array, steps: Array) -> Array:
        """c_t, nats: never quite all of B_t."""
        most = left - RESERVE - RESERVED_SHARE * left
        return np.minimum(most, np.sqrt(left / (PACE * steps))) if self.rule == "spread" else most

    def cost(
        self, mean: Array, std: Array, mean_base: Array, std_base: Array, action: Array
    ) -> Array:
        """Σ_i log N(a_i; mean, std)/N(a_i; mean_base, std_base), nats, rounded up; the base: 0."""
        log_std, far, near = log_ratio_terms(mean, std, mean_base, std_base, action)
        total = (log_std + far - near).sum(axis=1)
        # Each term errs by a few units in its last place: 1e-13 of it is far more.
        rounding = 1e-13 * (1.0 + (np.abs(log_std) + far + near).sum(axis=1))
        moved = ((mean != mean_base) | (std != std_base)).any(axis=1)
        return np.where(moved, total + rounding, 0.0)

    def prior_bound(self, evidence: Evidence) -> float:
        """ε_base · e^B, whatever the horizon."""
        return pathwise_bound(evidence.eps_base, self.log_budget)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """B = log(ε_max / ε_base), rounded inwards; the rule that suits the use."""
        budget = pathwise_log_budget(evidence.eps_base, eps_max)
        rule = cls.rules_for_target[trained]
        return cls(log_budget=budget, rule=rule, steps_left=evidence.steps_left)


@dataclass(frozen=True)
class PathwiseBudgetSpread(PathwiseBudget):
    """The pathwise budget with the rule ``"spread"``, trained under it or not."""

    name: ClassVar[str] = "pathwise_spread"
    title: ClassVar[str] = "pathwise budget, spread"
    formula: ClassVar[str] = "ε_base · e^B"
    order: ClassVar[int] = 5
    simultaneous: ClassVar[bool] = True
    rules_for_target: ClassVar[tuple[str, str]] = ("spread", "spread")


@dataclass(frozen=True)
class PathwiseBudgetAll(PathwiseBudget):
    """The pathwise budget with the rule ``"all"``, trained under it or not."""

    rule: str = "all"
    name: ClassVar[str] = "pathwise_all"
    title: ClassVar[str] = "pathwise budget, all at once"
    formula: ClassVar[str] = "ε_base · e^B"
    order: ClassVar[int] = 6
    simultaneous: ClassVar[bool] = True
    rules_for_target: ClassVar[tuple[str, str]] = ("all", "all")
