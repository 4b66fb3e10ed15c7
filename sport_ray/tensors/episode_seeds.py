"""Seeds of the episodes that a slot lives through after it was seeded once, as in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.random_streams import stream

SEEDS = 2**31
"""Seeds are drawn below it, as for gymnasium environments in scenarios."""


def drawn_seed(generator: np.random.Generator) -> int:
    """The seed of an episode, of the slot's own generator."""
    return int(generator.integers(SEEDS))


class EpisodeSeeds:
    """One sequence of seeds a slot.

    A slot that was given s begins with an episode of the seed s, as ``reset(seed=s)`` means it;
    every further episode's seed is drawn from the stream "tensor episodes" of s. A slot that was
    given none draws from fresh entropy.
    """

    def __init__(self, num_slots: int) -> None:
        self._generators: list[np.random.Generator | None] = [None] * num_slots
        self._first: list[int | None] = [None] * num_slots

    def give(self, slots: Sequence[int], seeds: Sequence[int | None]) -> None:
        """Seed slots; None leaves a slot's sequence as it is."""
        for slot, seed in zip(slots, seeds, strict=True):
            if seed is not None:
                self._generators[slot] = stream(int(seed), "tensor episodes")
                self._first[slot] = int(seed)

    def draw(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Seeds (n,) of the next episodes of the slots of ``mask`` (n,); 0 for the others."""
        drawn = np.zeros(len(mask), dtype=np.int64)
        for slot in np.flatnonzero(mask).tolist():
            first, self._first[slot] = self._first[slot], None
            if first is not None:
                drawn[slot] = first
                continue
            generator = self._generators[slot]
            if generator is None:
                generator = self._generators[slot] = stream(None, "tensor episodes")
            drawn[slot] = drawn_seed(generator)
        return drawn
