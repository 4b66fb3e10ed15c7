"""How an agent acts in a scenario: the base policy, or a task policy under a constraint."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.network import PolicySpec
from sport_ray.projection import max_log_ratio_arrays

Array = NDArray[np.float64]


class Step(NamedTuple):
    """What a behaviour samples from at n states; arrays (n, D), the rest (n,)."""

    mean: Array
    std: Array
    base_mean: Array
    base_std: Array
    task_mean: Array
    task_std: Array
    max_log_ratio: Array  # of (mean, std) over (base_mean, base_std), nats
    projected: NDArray[np.bool_]  # whether (mean, std) differs from the task policy


class Behaviour(Protocol):
    """A stochastic policy as rollouts see it; an episode may carry a state (a budget)."""

    @property
    def spec(self) -> PolicySpec: ...

    def start(self, count: int) -> Array:
        """State of ``count`` episodes before their first step, (count, S); S may be 0."""
        ...

    def step(self, observation: Array, state: Array) -> Step:
        """The Gaussians at observations (n, O) and states (n, S)."""
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
        """The base policy's Gaussians at observations (n, O)."""
        mean, std = self.base.distribution(observation)
        count = len(mean)
        zeros = np.zeros(count)
        return Step(mean, std, mean, std, mean, std, zeros, np.zeros(count, dtype=bool))

    def spend(self, state: Array, step: Step, action: Array) -> Array:
        """No state."""
        return state


class ProjectedBehaviour:
    """The projection of a task policy onto a constraint around the base policy.

    Everything that is sampled from is a float32 number, checked in float64 by the constraint. A
    task policy may see the constraint's budget beside the observation, or not.
    """

    def __init__(self, base: FrozenGaussian, task: FrozenGaussian, constraint: Constraint) -> None:
        maps = [(one.spec.action_mapping, one.spec.action_size) for one in (base, task)]
        if maps[0] != maps[1]:
            raise ValueError("base and task policy differ in squashing, action or observation size")
        seen = task.spec.observation_size - base.spec.observation_size
        if seen not in (0, constraint.num_features):
            raise ValueError(
                "base and task policy differ in squashing, action or observation size: the task "
                f"policy sees {seen} more entries, the constraint {constraint.name!r} adds "
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
        """The projected Gaussians at observations (n, O).

        Raises:
            ArithmeticError: a distribution outside the constraint's limit (must never happen).
        """
        base_mean, base_std = self.base.distribution(observation)
        seen = observation
        if self.sees_budget:
            seen = np.concatenate([observation, self.constraint.features(state)], axis=1)
        task_mean, task_std = self.task.distribution(seen)
        arrays = (base_mean, base_std, task_mean, task_std)
        base_m, base_s, task_m, task_s = (
            torch.from_numpy(array.astype(np.float32)) for array in arrays
        )
        limits = torch.from_numpy(self.constraint.limits(state))
        chosen, spread = self.constraint.project(base_m, base_s, task_m, task_s, limits)
        within = self.constraint.within(chosen, spread, base_m, base_s, limits)
        mean, std = chosen.double().numpy(), spread.double().numpy()
        log_ratio = max_log_ratio_arrays(mean, std, base_mean, base_std)
        if not bool(within.all()):
            raise ArithmeticError(
                f"log ratio {np.max(log_ratio)} exceeds {limits[~within].min().item()}: the "
                "projection left its limit"
            )
        projected = ((mean != task_mean) | (std != task_std)).any(axis=1)
        return Step(mean, std, base_mean, base_std, task_mean, task_std, log_ratio, projected)

    def spend(self, state: Array, step: Step, action: Array) -> Array:
        """Charge what the drawn actions spent.

        Raises:
            ArithmeticError: more than there was (must never happen).
        """
        if not self.constraint.state_size:
            return state
        cost = self.constraint.cost(step.mean, step.std, step.base_mean, step.base_std, action)
        return self.constraint.spend(state, cost)
