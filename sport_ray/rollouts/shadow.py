"""Scenarios of the base policy, watched by another: what it would have made of the same actions.

The other policy's log ratio over each trajectory of the base is all that an off-policy bound needs:
the policy itself never acts.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple

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
from sport_ray.rollouts.capped_ratio import follow
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.streaming import ended_with, portions_here
from sport_ray.rollouts.tally import Tally


class Watched(NamedTuple):
    """What a policy would have made of scenarios of the base, of each up to its end.

    log_ratios: (n,), Σ_t log π(a_t|s_t)/π_base(a_t|s_t), nats. capped: (n, k), the same as ratios,
    as far as caps allow (``sport_ray.rollouts.capped_ratio``).
    """

    outcomes: Outcomes
    log_ratios: NDArray[np.float64]
    capped: NDArray[np.float64]


class Shadowed:
    """Acts as the watcher's base; its state is the watcher's, between ratios of the path so far.

    Before it the capped ratios, after it the watcher's log ratio. Where the watcher chooses among
    candidates, the base's action is one of them, whichever.
    """

    def __init__(self, watcher: Behaviour, caps: Sequence[float] = ()) -> None:
        self.watcher = watcher
        self.caps = np.array(caps, dtype=np.float64)
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
        """Capped ratios of 1, the watcher's state, and 0 nats."""
        ones, zero = np.ones((count, len(self.caps))), np.zeros((count, 1))
        return np.concatenate([ones, self.watcher.start(count), zero], axis=1)

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
        self._seen = self.watcher.step(observation, state[:, len(self.caps) : -1], draws, taken)
        return base_step(self._seen.base, self._seen.candidates, self._seen.memory)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """The watcher pays for the base's action as if it were its own, and adds its log ratio."""
        assert self._seen is not None
        found, capped = state.copy(), len(self.caps)
        log_ratio = self._seen.chosen.log_ratio(self._seen.base, drawn)
        found[:, -1] += log_ratio
        if capped:
            before, largest = state[:, :capped], self._seen.max_log_ratio
            found[:, :capped] = follow(before, self.caps, log_ratio, largest)
        if step.memory is not None:  # the base goes on acting everywhere
            found[:, -1 - step.memory.shape[1] : -1] = step.memory
        # Where the watcher could not have come, its weight is 0 whatever follows.
        there = np.flatnonzero(found[:, -1] > -np.inf)
        seen = self._seen.rows(there)
        found[there, capped:-1] = self.watcher.spend(state[there, capped:-1], seen, drawn[there])
        return found


def watching(
    plan: ScenarioPlan,
    watcher: Behaviour,
    count: int,
    *,
    first: int = 0,
    caps: Sequence[float] = (),
) -> Generator[int, None, Watched]:
    """As :func:`watched_scenarios`; yields how many more have run, every few seconds."""
    ratios, capped = np.full(count, np.nan), np.full((count, len(caps)), np.nan)

    def ended(index: NDArray[np.int64], state: Array) -> None:
        ratios[index - first], capped[index - first] = state[:, -1], state[:, : len(caps)]

    tally, found = Tally(), []
    shadowed, end = Shadowed(watcher, caps), first + count
    with closing(portions_here(plan, shadowed, end, first=first, on_end=ended)) as parts:
        for outcomes, counted in parts:
            found.append(outcomes)
            tally.add(counted)
            yield outcomes.num_scenarios
    tally.require_complete(count)
    return Watched(Outcomes.concatenate(found), ratios, capped)


def watched_scenarios(
    plan: ScenarioPlan,
    watcher: Behaviour,
    count: int,
    *,
    first: int = 0,
    caps: Sequence[float] = (),
) -> Watched:
    """The base in scenarios ``first`` … ``first + count − 1``, seen by another policy.

    caps: of the capped ratios that are wanted, each > 1.

    Raises:
        what ``run_scenarios`` raises, and ``Tally.require_complete`` of the whole set.
    """
    return ended_with(watching(plan, watcher, count, first=first, caps=caps))
