"""How an agent acts in a scenario: the base policy, or a task policy under a constraint."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.families import Distribution
from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.network import PolicySpec

Array = NDArray[np.float64]


class Step(NamedTuple):
    """What a behaviour samples from at n states, in float64, and what it came from."""

    chosen: Distribution
    base: Distribution
    task: Distribution
    limits: Array  # (n,) how far it may go, in the constraint's units; 0 for the base policy
    max_log_ratio: Array  # (n,) of ``chosen`` over ``base``, nats
    projected: NDArray[np.bool_]  # (n,) whether ``chosen`` differs from the task policy's


class Behaviour(Protocol):
    """A stochastic policy as rollouts see it; an episode may carry a state (a budget)."""

    @property
    def spec(self) -> PolicySpec: ...

    def start(self, count: int) -> Array:
        """State of ``count`` episodes before their first step, (count, S); S may be 0."""
        ...

    def step(self, observation: Array, state: Array) -> Step:
        """The distributions at observations (n, O) and states (n, S)."""
        ...

    def spend(self, state: Array, step: Step, action: Array) -> Array:
        """The states (n, S) after the actions (n, D) that were drawn."""
        ...


class BaseBehaviour:
    """The base policy itself: what a base certificate is about."""

    def __init__(self, base: FrozenGaussian) -> None:
        self.base = base

    @property
    def spec(self) -> PolicySpec:
        """Architecture of the base policy."""
        return self.base.spec

    def start(self, count: int) -> Array:
        """No state."""
        return np.zeros((count, 0))

    def step(self, observation: Array, state: Array) -> Step:
        """The base policy's distributions at observations (n, O)."""
        base = self.base.distribution(observation)
        count = len(base)
        none = np.zeros(count)
        return Step(base, base, base, none, none, np.zeros(count, dtype=bool))

    def spend(self, state: Array, step: Step, action: Array) -> Array:
        """No state."""
        return state


class ProjectedBehaviour:
    """The projection of a task policy onto a constraint around the base policy.

    Everything that is sampled from is a float32 number, checked in float64 by the constraint. A
    task policy may see the constraint's budget beside the observation, or not.
    """

    def __init__(self, base: FrozenGaussian, task: FrozenGaussian, constraint: Constraint) -> None:
        maps = [
            (one.spec.family, one.spec.action_mapping, one.spec.action_size) for one in (base, task)
        ]
        if maps[0] != maps[1]:
            raise ValueError(
                "base and task policy differ in family, squashing, action or observation size"
            )
        constraint.require_family(base.spec.family)
        seen = task.spec.observation_size - base.spec.observation_size
        if seen not in (0, constraint.num_features):
            raise ValueError(
                "base and task policy differ in family, squashing, action or observation size: the "
                f"task policy sees {seen} more entries, the constraint {constraint.name!r} adds "
                f"{constraint.num_features}"
            )
        self.base = base
        self.task = task
        self.constraint = constraint
        self.sees_budget = seen > 0

    @property
    def spec(self) -> PolicySpec:
        """Architecture of the base policy."""
        return self.base.spec

    def start(self, count: int) -> Array:
        """A whole budget for each episode."""
        return self.constraint.start(count)

    def step(self, observation: Array, state: Array) -> Step:
        """The projected distributions at observations (n, O).

        Raises:
            ArithmeticError: a distribution outside the constraint's limit (must never happen).
        """
        base = self.base.distribution(observation)
        seen = observation
        if self.sees_budget:
            seen = np.concatenate([observation, self.constraint.features(state)], axis=1)
        task = self.task.distribution(seen)
        limits = torch.from_numpy(self.constraint.limits(state))
        # Projected as float32 numbers, so that what is sampled from are such numbers, too.
        single = base.rounded(np.float32)
        found = self.constraint.project(single, task.rounded(np.float32), limits)
        chosen = found.rounded(np.float64)
        within = self.constraint.within(chosen, base, limits)
        log_ratio = chosen.max_log_ratio(base).numpy()
        within &= torch.from_numpy(log_ratio <= self.constraint.log_ratio_limit)
        if not bool(within.all()):
            raise ArithmeticError(
                f"log ratio {np.max(log_ratio)} exceeds {limits[~within].min().item()}: the "
                "projection left its limit"
            )
        projected = chosen.differs(task).numpy()
        return Step(chosen, base, task, limits.numpy(), log_ratio, projected)

    def spend(self, state: Array, step: Step, action: Array) -> Array:
        """Charge what the drawn actions spent.

        Raises:
            ArithmeticError: more than there was (must never happen).
        """
        if not self.constraint.state_size:
            return state
        return self.constraint.spend(state, self.constraint.cost(step.chosen, step.base, action))
