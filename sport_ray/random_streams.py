"""Random streams for an integer that a user hands in: one for each use, none like another."""

from __future__ import annotations

import numpy as np


def seed_sequence(seed: int | None, use: str) -> np.random.SeedSequence:
    """The sequence of a use under a seed; fresh entropy for None.

    The spawn key keeps it apart from every other use of the same integer, ours and whatever
    ``np.random.default_rng(seed)`` or gymnasium's ``np_random`` make of it. That two streams are
    independent is what every bound assumes (docs/bounds.md, section 0).
    """
    return np.random.SeedSequence(seed, spawn_key=tuple(use.encode()))


def stream(seed: int | None, use: str) -> np.random.Generator:
    """A generator on :func:`seed_sequence`.

    >>> stream(7, "robot").random() == np.random.default_rng(7).random()
    False
    """
    return np.random.default_rng(seed_sequence(seed, use))
