"""How an agent acts in scenarios on tensors: ``rollouts.behaviour`` where the observations are.

The base, and the projection of a task policy. On a CPU every number has the bits of the behaviour
on arrays; on a GPU last bits may differ (``policies.on_device``), the checks are the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sport_ray.families import Distribution
from sport_ray.policies.on_device import DeviceMapping, DevicePolicy
from sport_ray.rollouts.behaviour import Array, BaseBehaviour, Behaviour, ProjectedBehaviour


class Laws(NamedTuple):
    """What is sampled from at m states, and what it came from; ``rollouts.behaviour.Step``."""

    chosen: Distribution
    base: Distribution
    task: Distribution
    max_log_ratio: Tensor
    projected: Tensor

    @property
    def is_base(self) -> bool:
        """Whether the base is played as it is."""
        return self.chosen is self.base and self.chosen is self.task

    def sums(self, drawn: Tensor) -> Tensor:
        """Log ratio, realised log ratio, projected, KL to base and to task, (m, 5)."""
        return torch.stack(
            [
                self.max_log_ratio,
                self.chosen.log_ratio_tensor(self.base, drawn),
                self.projected.double(),
                self.chosen.kl(self.base),
                self.chosen.kl(self.task),
            ],
            dim=1,
        )


def can_act(behaviour: Behaviour) -> bool:
    """Whether the behaviour has a form on tensors: the base, or a projected task policy.

    A policy that remembers, or whose actions are indices, has none.
    """
    if not isinstance(behaviour, BaseBehaviour | ProjectedBehaviour):
        return False
    own = type(behaviour) in (BaseBehaviour, ProjectedBehaviour)
    indices = behaviour.action_mapping.squash == "index"
    return own and not indices and not behaviour.base.spec.memory_size


class Acting:
    """A behaviour on a device. Budgets are kept on the host, in the arithmetic of constraints."""

    def __init__(self, behaviour: Behaviour, device: torch.device) -> None:
        if not isinstance(behaviour, BaseBehaviour | ProjectedBehaviour):
            raise ValueError(f"{type(behaviour).__name__} has no form on tensors")
        self.behaviour = behaviour
        self.device = device
        self._mapping = DeviceMapping(behaviour.action_mapping, device)
        self._base = DevicePolicy(behaviour.base, device)
        self._task = None
        if isinstance(behaviour, ProjectedBehaviour):
            self._task = DevicePolicy(behaviour.task, device)

    @property
    def noise_size(self) -> int:
        """Normal numbers that an action is drawn with."""
        spec = self.behaviour.base.spec
        return spec.family.noise_size(spec.law_size)

    def laws(self, observation: Tensor, state: Array) -> Laws:
        """The distributions at observations (m, O) float64 and states (m, S).

        Raises:
            ArithmeticError: a distribution outside the constraint's limit (must never happen).
        """
        base = self._base.distribution(observation)
        if self._task is None:
            none = observation.new_zeros(len(observation), dtype=torch.float64)
            return Laws(base, base, base, none, none.bool())
        behaviour = self.behaviour
        assert isinstance(behaviour, ProjectedBehaviour)
        constraint = behaviour.constraint
        seen = observation
        if behaviour.sees_budget:
            told = torch.from_numpy(constraint.features(state)).to(observation)
            seen = torch.cat([observation, told], dim=1)
        task = self._task.distribution(seen)
        limits = torch.from_numpy(constraint.limits(state)).to(self.device)
        # Projected as float32 numbers, so that what is sampled from are such numbers, too.
        single = base.to(torch.float32)
        found = constraint.project(single, task.to(torch.float32), limits)
        chosen = found.to(torch.float64)
        log_ratio = chosen.max_log_ratio(base)
        within = constraint.within(chosen, base, limits).to(self.device)
        within = within & (log_ratio <= constraint.log_ratio_limit)
        if not bool(within.all()):
            raise ArithmeticError(
                f"log ratio {float(log_ratio.max())} exceeds {float(limits[~within].min())}: the "
                "projection left its limit"
            )
        return Laws(chosen, base, task, log_ratio, chosen.differs(task))

    def mapped(self, drawn: Tensor) -> Tensor:
        """The environment's actions for samples (m, D), float64, on their device."""
        if drawn.is_cuda:
            return self._mapping(drawn)
        found = self.behaviour.action_mapping(drawn.numpy())
        return torch.from_numpy(np.ascontiguousarray(found))

    def spend(self, state: Array, laws: Laws, drawn: Tensor) -> Array:
        """The states after what was drawn."""
        if isinstance(self.behaviour, BaseBehaviour) or not self.behaviour.constraint.state_size:
            return state
        constraint = self.behaviour.constraint
        cost = constraint.cost(laws.chosen, laws.base, drawn.cpu().numpy().astype(np.float64))
        return constraint.spend(state, cost)
