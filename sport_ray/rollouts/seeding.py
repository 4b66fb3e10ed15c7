"""Random streams: every scenario has its own, whatever worker or batch it runs in."""

from __future__ import annotations

from typing import Literal

import numpy as np

Purpose = Literal[
    "certify", "evaluate", "base", "choose", "off_policy", "tune", "presa", "scpo", "age", "iterate"
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
}


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
