"""Rollouts of a policy's weights: fresh scenarios or common ones, all of them counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sport_ray.comparators.scpo.local_model import Array
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.network import PolicyNetwork
from sport_ray.rollouts import BaseBehaviour, Outcomes, ScenarioPlan, run_scenarios

Objective = Callable[[Outcomes], Array]
"""What is to be small, per scenario, (n,)."""


class Episodes(NamedTuple):
    """Scenarios of one policy: per scenario the objective, violations (0 or 1) and the return."""

    objective: Array
    violated: Array
    total_reward: Array

    @property
    def num_violations(self) -> int:
        """K of the scenario bound."""
        return int(self.violated.sum())


class CountedRollouts:
    """Runs scenarios of a plan and counts every step, episode and violation.

    Scenarios are numbered: ``fresh`` reserves numbers that nobody had before, so what a policy
    was chosen on is never what it is tested on.
    """

    def __init__(self, plan: ScenarioPlan, objective: Objective) -> None:
        self.plan = plan
        self._objective = objective
        self._next = 0
        self.env_steps = 0
        self.episodes = 0
        self.violations = 0

    def fresh(self, count: int) -> int:
        """The first of ``count`` scenario numbers that were not given out before."""
        first = self._next
        self._next += count
        return first

    def run(self, network: PolicyNetwork, first: int, count: int) -> Episodes:
        """Scenarios first … first + count − 1 of a policy, to their ends."""
        behaviour = BaseBehaviour(FrozenPolicy(network))
        outcomes = run_scenarios(self.plan, behaviour, first, count)
        violated = ~outcomes.satisfied_by(self.plan.horizon)
        self.env_steps += int(outcomes.length.sum())
        self.episodes += outcomes.num_scenarios
        self.violations += int(violated.sum())
        return Episodes(
            self._objective(outcomes), violated.astype(np.float64), outcomes.total_reward
        )
