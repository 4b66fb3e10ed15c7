"""The noise that K cells' actions are drawn with, some steps ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.families import Distribution
from sport_ray.families.family import Array

AHEAD = 8192
"""Numbers of one cell that are drawn at a time, about."""


class NoiseAhead:
    """Each cell's noise from its own generator, drawn for many steps in one call.

    The numbers are those that a call for each step would give, in the same order; what a fragment
    leaves over goes to the next.
    """

    def __init__(
        self,
        generators: Sequence[np.random.Generator],
        family: type[Distribution],
        copies: int,
        action_size: int,
    ) -> None:
        self._generators = list(generators)
        self._family, self._copies, self._size = family, copies, action_size
        width = family.noise_size(action_size)
        self._ahead = max(1, AHEAD // (copies * width))
        self._drawn = np.empty((len(self._generators), self._ahead, copies, width))
        self._next = np.full(len(self._generators), self._ahead)

    def draw(self, cells: NDArray[np.intp]) -> Array:
        """The next step's noise of some cells, (len(cells), n, M)."""
        for cell in cells[self._next[cells] == self._ahead].tolist():
            rows = self._ahead * self._copies
            noise = self._family.draw_noise(self._generators[cell], rows, self._size)
            self._drawn[cell] = noise.reshape(self._drawn.shape[1:])
            self._next[cell] = 0
        found: Array = self._drawn[cells, self._next[cells]]
        self._next[cells] += 1
        return found
