"""A budget for the whole path: the realised log ratio of an episode never exceeds B."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from sport_ray.bounds import pathwise_bound, pathwise_log_budget
from sport_ray.constraints.budget import (
    PACE,
    RESERVE,
    RESERVED_SHARE,
    Budget,
    require_budget,
)
from sport_ray.constraints.constraint import Array, given_limits
from sport_ray.constraints.evidence import Evidence
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

    from sport_ray.families import Distribution

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
    order: ClassVar[int] = 5
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

    @given_limits
    def project(
        self, base: Distribution, task: Distribution, limits: Tensor | float | None = None
    ) -> Distribution:
        """The KL projection onto max log ratio ≤ limits."""
        return task.projected(base, self.limits_or_first(limits))

    def offer(self, left: Array, steps: Array) -> Array:
        """c_t, nats: never quite all of B_t."""
        most = left - RESERVE - RESERVED_SHARE * left
        return np.minimum(most, np.sqrt(left / (PACE * steps))) if self.rule == "spread" else most

    @given_limits
    def cost(self, step: Distribution, base: Distribution, action: Array) -> Array:
        """The log ratio of the action, nats, rounded up; the base: 0."""
        return step.log_ratio_above(base, action)

    def prior_bound(self, evidence: Evidence) -> float:
        """ε_base · e^B, whatever the horizon."""
        return pathwise_bound(evidence.eps_base, self.log_budget)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """B = log(ε_max / ε_base), rounded inwards; the rule that suits the use."""
        budget = pathwise_log_budget(evidence.eps_base, eps_max)
        rule = cls.rules_for_target[trained]
        return cls(log_budget=budget, rule=rule, steps_left=evidence.steps_left)

    @property
    def limit(self) -> float:
        """B, nats."""
        return self.log_budget

    def with_limit(self, limit: float) -> Self:
        """Another B, nats."""
        return replace(self, log_budget=limit)


@dataclass(frozen=True)
class PathwiseBudgetSpread(PathwiseBudget):
    """The pathwise budget with the rule ``"spread"``, trained under it or not."""

    name: ClassVar[str] = "pathwise_spread"
    title: ClassVar[str] = "pathwise budget, spread"
    formula: ClassVar[str] = "ε_base · e^B"
    order: ClassVar[int] = 6
    simultaneous: ClassVar[bool] = True
    rules_for_target: ClassVar[tuple[str, str]] = ("spread", "spread")


@dataclass(frozen=True)
class PathwiseBudgetAll(PathwiseBudget):
    """The pathwise budget with the rule ``"all"``, trained under it or not."""

    rule: str = "all"
    name: ClassVar[str] = "pathwise_all"
    title: ClassVar[str] = "pathwise budget, all at once"
    formula: ClassVar[str] = "ε_base · e^B"
    order: ClassVar[int] = 7
    simultaneous: ClassVar[bool] = True
    rules_for_target: ClassVar[tuple[str, str]] = ("all", "all")
