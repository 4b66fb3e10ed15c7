"""Random streams: every scenario has its own, whatever worker or batch it runs in."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sport_ray.streams import Streams, StreamTable, as_numpy, seeded

Purpose = Literal[
    "certify",
    "evaluate",
    "base",
    "choose",
    "off_policy",
    "tune",
    "presa",
    "scpo",
    "age",
    "iterate",
    "statistics",
    "limits",
    "mix",
    "simplex",
]

_PURPOSES: dict[Purpose, int] = {
    "certify": 0,
    "evaluate": 1,
    "base": 2,
    "choose": 3,
    "off_policy": 4,
    "tune": 5,
    "presa": 6,
    "scpo": 7,
    "age": 8,
    "iterate": 9,
    "statistics": 10,
    "limits": 11,
    "mix": 15,
    "simplex": 16,
}


def purpose_number(purpose: Purpose) -> int:
    """The word of a purpose in the spawn keys of its scenarios."""
    return _PURPOSES[purpose]


def scenario_generators(
    root_seed: int, purpose: Purpose, index: int
) -> tuple[np.random.Generator, np.random.Generator]:
    """Generators (environment, actions) of scenario ``index``, independent of all others.

    Children of ``SeedSequence(root_seed)`` under the spawn key (purpose, index): scenarios for
    different purposes are fresh even under one root seed.
    """
    sequence = np.random.SeedSequence(root_seed, spawn_key=(_PURPOSES[purpose], index))
    environment, actions = sequence.spawn(2)
    return np.random.default_rng(environment), np.random.default_rng(actions)


def part_numbers(
    root_seed: int, purpose: Purpose, scenarios: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Uniform numbers (n,) in [0, 1), by which scenarios (n,) draw their part of a mixture.

    Each from a third child of its scenario's own sequence: independent of environment and actions,
    whose streams are the same with and without a mixture.
    """
    found = np.empty(len(scenarios))
    for row, index in enumerate(scenarios.tolist()):
        sequence = np.random.SeedSequence(root_seed, spawn_key=(_PURPOSES[purpose], index, 2))
        found[row] = np.random.default_rng(sequence).random()
    return found


class ScenarioStreams:
    """The generators of the scenarios in a batch's slots: numbers for all slots at once.

    Row by row they are those of :func:`scenario_generators`, to the bit.
    """

    def __init__(self, root_seed: int, purpose: Purpose, num_slots: int) -> None:
        self._root_seed, self._purpose = root_seed, purpose
        self._environment, self._actions = StreamTable(num_slots), StreamTable(num_slots)

    def start(self, slots: NDArray[np.int64], scenarios: NDArray[np.int64]) -> None:
        """Scenarios (m,) begin in slots (m,)."""
        if as_numpy():
            both = seeded(self._root_seed, _PURPOSES[self._purpose], scenarios)
            self._environment.start(slots, both[0])
            self._actions.start(slots, both[1])
            return
        for slot, scenario in zip(slots.tolist(), scenarios.tolist(), strict=True):
            pair = scenario_generators(self._root_seed, self._purpose, scenario)
            self._environment.generators[slot], self._actions.generators[slot] = pair

    def environment(self, slots: NDArray[np.int64]) -> Streams:
        """What the environment draws from in slots (n,)."""
        return self._environment.rows(slots)

    def actions(self, slots: NDArray[np.int64]) -> Streams:
        """What actions are drawn from."""
        return self._actions.rows(slots)
