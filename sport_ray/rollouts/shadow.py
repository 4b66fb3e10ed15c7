"""Scenarios of the base policy, watched by another: what it would have made of the same actions.

The other policy's log ratio over each trajectory of the base is all that an off-policy bound needs:
the policy itself never acts.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.flatten import Flattening
from sport_ray.policies.actions import ActionMapping
from sport_ray.rollouts.behaviour import (
    Array,
    Behaviour,
    Draws,
    Generators,
    Step,
    Steps,
    base_step,
)
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.streaming import ended_with, portions_here
from sport_ray.rollouts.tally import Tally


class Shadowed:
    """Acts as the watcher's base; its state is the watcher's, and the watcher's log ratio so far.

    Where the watcher chooses among candidates, the base's action is one of them, whichever.
    """

    def __init__(self, watcher: Behaviour) -> None:
        self.watcher = watcher
        self._seen: Step | None = None

    @property
    def observation_size(self) -> int:
        """The watcher's."""
        return self.watcher.observation_size

    @property
    def action_mapping(self) -> ActionMapping:
        """The watcher's."""
        return self.watcher.action_mapping

    @property
    def flattening(self) -> Flattening | None:
        """The watcher's."""
        return self.watcher.flattening

    def start(self, count: int) -> Array:
        """The watcher's state, and 0 nats."""
        return np.concatenate([self.watcher.start(count), np.zeros((count, 1))], axis=1)

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """The watcher's."""
        return self.watcher.draw(observation, generators)

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The base policy's distributions; the watcher's are kept until the actions are drawn."""
        self._seen = self.watcher.step(observation, state[:, :-1], draws, taken)
        return base_step(self._seen.base, self._seen.candidates, self._seen.memory)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """The watcher pays for the base's action as if it were its own, and adds its log ratio."""
        assert self._seen is not None
        found = state.copy()
        found[:, -1] += self._seen.chosen.log_ratio(self._seen.base, drawn)
        if step.memory is not None:  # the base goes on acting everywhere
            found[:, -1 - step.memory.shape[1] : -1] = step.memory
        # Where the watcher could not have come, its weight is 0 whatever follows.
        there = np.flatnonzero(found[:, -1] > -np.inf)
        seen = self._seen.rows(there)
        found[there, :-1] = self.watcher.spend(state[there, :-1], seen, drawn[there])
        return found


def watching(
    plan: ScenarioPlan, watcher: Behaviour, count: int
) -> Generator[int, None, tuple[Outcomes, NDArray[np.float64]]]:
    """As :func:`watched_scenarios`; yields how many more have run, every few seconds."""
    ratios = np.full(count, np.nan)

    def ended(index: NDArray[np.int64], state: Array) -> None:
        ratios[index] = state[:, -1]

    tally, found = Tally(), []
    with closing(portions_here(plan, Shadowed(watcher), count, on_end=ended)) as parts:
        for outcomes, counted in parts:
            found.append(outcomes)
            tally.add(counted)
            yield outcomes.num_scenarios
    tally.require_complete(count)
    return Outcomes.concatenate(found), ratios


def watched_scenarios(
    plan: ScenarioPlan, watcher: Behaviour, count: int
) -> tuple[Outcomes, NDArray[np.float64]]:
    """Outcomes of the base in scenarios 0 … count − 1, and the watcher's log ratio over each.

    Returns:
        The table, and (count,) Σ_t log π(a_t|s_t)/π_base(a_t|s_t) up to each scenario's end, nats.

    Raises:
        what ``run_scenarios`` raises, and ``Tally.require_complete`` of the whole set.
    """
    return ended_with(watching(plan, watcher, count))
