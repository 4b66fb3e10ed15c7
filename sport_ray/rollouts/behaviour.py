"""How an agent acts in a scenario: the base policy, or a task policy under a constraint."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.network import PolicySpec
from sport_ray.projection import Constraint, max_log_ratio_arrays

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
    """A stochastic policy as rollouts see it."""

    @property
    def spec(self) -> PolicySpec: ...

    def step(self, observation: Array) -> Step:
        """The Gaussians at observations (n, O)."""
        ...


class BaseBehaviour:
    """The base policy itself: what a base certificate is about."""

    def __init__(self, base: FrozenGaussian) -> None:
        self.base = base

    @property
    def spec(self) -> PolicySpec:
        """Architecture of the base policy."""
        return self.base.spec

    def step(self, observation: Array) -> Step:
        """The base policy's Gaussians at observations (n, O)."""
        mean, std = self.base.distribution(observation)
        count = len(mean)
        zeros = np.zeros(count)
        return Step(mean, std, mean, std, mean, std, zeros, np.zeros(count, dtype=bool))


class ProjectedBehaviour:
    """The projection of a task policy onto a constraint around the base policy.

    Everything that is sampled from is a float32 number, checked in float64 by the constraint.
    """

    def __init__(self, base: FrozenGaussian, task: FrozenGaussian, constraint: Constraint) -> None:
        if (base.spec.squash, base.spec.action_size, base.spec.observation_size) != (
            task.spec.squash,
            task.spec.action_size,
            task.spec.observation_size,
        ):
            raise ValueError("base and task policy differ in squashing, action or observation size")
        self.base = base
        self.task = task
        self.constraint = constraint

    @property
    def spec(self) -> PolicySpec:
        """Architecture of the base policy."""
        return self.base.spec

    def step(self, observation: Array) -> Step:
        """The projected Gaussians at observations (n, O).

        Raises:
            ArithmeticError: a ratio above the constraint's limit (must never happen).
        """
        base_mean, base_std = self.base.distribution(observation)
        task_mean, task_std = self.task.distribution(observation)
        arrays = (base_mean, base_std, task_mean, task_std)
        rounded = [torch.from_numpy(array.astype(np.float32)) for array in arrays]
        mean, std = (x.double().numpy() for x in self.constraint.project(*rounded))
        log_ratio = max_log_ratio_arrays(mean, std, base_mean, base_std)
        if not np.all(log_ratio <= self.constraint.log_ratio_limit):
            raise ArithmeticError(
                f"log ratio {np.max(log_ratio)} exceeds {self.constraint.log_ratio_limit}"
            )
        projected = ((mean != task_mean) | (std != task_std)).any(axis=1)
        return Step(mean, std, base_mean, base_std, task_mean, task_std, log_ratio, projected)
