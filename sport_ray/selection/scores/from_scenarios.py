"""From the steps of scenarios to what a critic is learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sport_ray.properties import NEVER
from sport_ray.rollouts.transitions import Transitions
from sport_ray.samplers import BaseSampler
from sport_ray.selection.scores.critic_data import CriticData

_CHUNK = 4_096


def steps_to_satisfaction(
    kept: Transitions, sampler: BaseSampler, draws: int, generator: np.random.Generator
) -> CriticData:
    """Remaining steps to satisfaction as returns: −1 a step; a scenario that never satisfies fails.

    draws: C, fresh actions of the base at every state, from the generator.
    """
    satisfied = kept.satisfied_at != NEVER
    last = np.where(satisfied, kept.satisfied_at, _end(kept))
    return _data(kept, last, satisfied, -np.ones(len(kept)), sampler, draws, generator)


def returns_within(
    kept: Transitions,
    horizon: int,
    sampler: BaseSampler,
    draws: int,
    generator: np.random.Generator,
) -> CriticData:
    """Rewards of the first T steps; a scenario that violates within them fails where it does."""
    violated = (kept.violated_at != NEVER) & (kept.violated_at <= horizon)
    last = np.minimum(_end(kept), horizon)
    return _data(kept, last, ~violated, kept.reward, sampler, draws, generator)


def _end(kept: Transitions) -> NDArray[np.int64]:
    """Steps until nothing more is to be learned of a scenario: violated, or over."""
    return np.where(kept.violated_at == NEVER, kept.length, kept.violated_at)


def _data(
    kept: Transitions,
    last: NDArray[np.int64],
    good: NDArray[np.bool_],
    reward: NDArray[np.float64],
    sampler: BaseSampler,
    draws: int,
    generator: np.random.Generator,
) -> CriticData:
    # A scenario that is decided in its first state has no step to learn from.
    used = np.flatnonzero(kept.step < last)
    ends = kept.step[used] == last[used] - 1
    following = np.where(ends, -1, np.arange(1, len(used) + 1))
    observation = kept.observation[used]
    parts = [
        sampler.sample_many(
            observation[at : at + _CHUNK].astype(np.float64),
            draws,
            [generator] * len(observation[at : at + _CHUNK]),
        ).astype(np.float32)
        for at in range(0, len(used), _CHUNK)
    ]
    return CriticData(
        observation=observation,
        action=kept.action[used].astype(np.float32),
        candidates=np.concatenate(parts),
        reward=reward[used].astype(np.float32),
        following=following,
        failed=ends & ~good[used],
        step=kept.step[used],
    )
