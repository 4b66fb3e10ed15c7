"""How a switch acts: at every step the law of the task policy, or that of the base."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sport_ray.comparators.simplex.switch import Switch
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.rollouts.behaviour import AroundPolicy, Array, Draws, Step, Steps

Flags = NDArray[np.bool_]


class TakingTurns(AroundPolicy):
    """What behaviours of two policies share: their networks, and a memory of who acts.

    Raises:
        ValueError: policies of other families or sizes, or one that remembers.
    """

    def __init__(self, base: FrozenPolicy, task: FrozenPolicy) -> None:
        pairs = [(one.spec.family, one.spec.action_mapping, one.spec.observation_size,
                  one.spec.flattening, one.spec.memory_size) for one in (base, task)]  # fmt: skip
        if pairs[0] != pairs[1] or base.spec.memory_size:
            raise ValueError("base and task policy differ in family, sizes or mapping, or remember")
        self.base, self.task = base, task

    def in_turn(self, observation: Array, base_acts: Flags, memory: Array) -> Step:
        """A step in which the base acts at some of n observations (n, O), the task at the others.

        base_acts: (n,). memory: (n, M), what the episodes carry on.
        """
        base, task = self.base.distribution(observation), self.task.distribution(observation)
        pairs = zip(base.arrays(), task.arrays(), strict=True)
        chosen = type(base)(*(np.where(base_acts[:, None], mine, its) for mine, its in pairs))
        ratio: Array = chosen.max_log_ratio(base).numpy()
        none = np.full(len(base_acts), math.inf)  # nothing limits how far it may go
        return Step(chosen, base, task, none, ratio, base_acts, memory=memory)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """What the step remembers."""
        assert step.memory is not None
        return step.memory


class SwitchBehaviour(TakingTurns):
    """The switch: an episode's state (n, 1) is 1 where the base has taken over, else 0."""

    def __init__(self, base: FrozenPolicy, switch: Switch) -> None:
        super().__init__(base, FrozenPolicy(switch.task))
        self.switch = switch
        self._monitor = FrozenPolicy(switch.monitor)

    def start(self, count: int) -> Array:
        """The task policy has its turn."""
        return np.zeros((count, 1))

    def risk(self, observation: Array, taken: Steps) -> Array:
        """P(violation), (n,), at observations (n, O), if the task policy acts once, then the base.

        taken: steps taken before, (n,).
        """
        return risk_of(self._monitor, observation, taken, self.switch.horizon)

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The law of whoever has the turn, at observations (n, O)."""
        assert taken is not None
        share = np.where(state[:, 0] > 0.0, self.switch.resume, 1.0)
        base_acts = self.risk(observation, taken) >= share * self.switch.threshold
        return self.in_turn(observation, base_acts, base_acts[:, None].astype(np.float64))


def seen_with_time(observation: NDArray[np.floating], taken: Steps, horizon: int) -> Array:
    """What a monitor sees, (n, O + 1): the observation, and the share of T that is over."""
    found: Array = np.concatenate([observation, (taken / horizon)[:, None]], axis=1)
    return found


def risk_of(
    monitor: FrozenPolicy, observation: NDArray[np.floating], taken: Steps, horizon: int
) -> Array:
    """The probability of 'violates', (n,)."""
    law = monitor.distribution(seen_with_time(observation, taken, horizon))
    found: Array = law.arrays()[0][:, 1]
    return found
