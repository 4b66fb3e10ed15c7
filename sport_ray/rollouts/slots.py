"""The environment as scenarios need it: slots that each hold one episode, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.flatten import Flattening

Slots = NDArray[np.int64]


class Transition(NamedTuple):
    """What a step of m slots gives: (m, O), (m, K), the rest (m,)."""

    observation: NDArray[np.float64]
    signals: NDArray[np.float64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]  # the episode is over: there is nothing more to happen
    truncated: NDArray[np.bool_]  # the environment goes no further, although more could happen


class ScenarioEnvironment(Protocol):
    """A fixed number of slots; what happens in one never depends on the others."""

    signal_names: tuple[str, ...]
    action_space: gymnasium.spaces.Space[Any]
    flattening: Flattening | None
    """How observations that were no vectors became such."""

    @property
    def boolean_signals(self) -> frozenset[str]:
        """The signals that are given as Booleans, as far as was seen."""
        ...

    def reset(
        self,
        slots: Slots,
        generators: Sequence[np.random.Generator],
        scenarios: Sequence[int] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start an episode in each slot; observations (m, O) and signals (m, K).

        scenarios: their numbers, for messages alone.
        """
        ...

    def step(self, slots: Slots, actions: NDArray[np.float64]) -> Transition:
        """One step with actions (m, A) as the policy's action mapping gives them."""
        ...

    def poses(self, slots: Slots) -> NDArray[np.float64] | None:
        """(x, y, heading) per slot where the environment has them, else None."""
        ...

    def close(self) -> None:
        """Let go of what the environment holds."""
        ...
