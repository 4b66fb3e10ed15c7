"""Streams where generators are expected: a sequence of them, each made only if asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sport_ray.streams.kernels import States, fill_normal, fill_uniform, generator_of

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, Array], object]
Fill = Callable[[States, NDArray[np.int64], Array], None]


class StreamTable:
    """One stream for each slot of a batch, as a state or, once somebody asked, as a generator."""

    def __init__(self, num_slots: int) -> None:
        self.states: States = np.zeros((num_slots, 4), dtype=np.uint64)
        self.generators: dict[int, np.random.Generator] = {}

    def start(self, slots: NDArray[np.int64], states: States) -> None:
        """New streams (m, 4) in slots (m,)."""
        self.states[slots] = states
        if self.generators:
            for slot in slots.tolist():
                self.generators.pop(slot, None)

    def generator(self, slot: int) -> np.random.Generator:
        """The slot's generator: from now on its stream moves in there."""
        if slot not in self.generators:
            self.generators[slot] = generator_of(self.states[slot])
        return self.generators[slot]

    def rows(self, slots: NDArray[np.int64]) -> Streams:
        """The streams of some slots (n,), each at most once."""
        return Streams(self, slots)


class Streams(Sequence[np.random.Generator]):
    """The generators of n slots; numbers of all at once without any of them."""

    def __init__(self, table: StreamTable, slots: NDArray[np.int64]) -> None:
        self._table = table
        self._slots = slots

    def __len__(self) -> int:
        return len(self._slots)

    @overload
    def __getitem__(self, row: int) -> np.random.Generator: ...

    @overload
    def __getitem__(self, row: slice) -> Streams: ...

    def __getitem__(self, row: int | slice) -> np.random.Generator | Streams:
        if isinstance(row, slice):
            return Streams(self._table, self._slots[row])
        return self._table.generator(int(self._slots[row]))

    def standard_normal(self, size: int) -> Array:
        """(n, size), each row as its generator's ``standard_normal(size)``."""
        return self._filled(size, fill_normal, _normal)

    def random(self, size: int) -> Array:
        """(n, size), each row as its generator's ``random(size)``."""
        return self._filled(size, fill_uniform, _uniform)

    def _filled(self, size: int, fill: Fill, draw: Draw) -> Array:
        out = np.empty((len(self), size))
        made = self._table.generators
        if not made:
            fill(self._table.states, self._slots, out)
            return out
        for row, slot in enumerate(self._slots.tolist()):
            if slot in made:
                draw(made[slot], out[row])
            else:
                fill(self._table.states, self._slots[row : row + 1], out[row : row + 1])
        return out


def normal_rows(generators: Sequence[np.random.Generator], size: int) -> Array:
    """Standard normal numbers (n, size), each row from its own generator."""
    if isinstance(generators, Streams):
        return generators.standard_normal(size)
    return _rows(generators, size, _normal)


def uniform_rows(generators: Sequence[np.random.Generator], size: int) -> Array:
    """Uniform numbers of [0, 1), (n, size), each row from its own generator."""
    if isinstance(generators, Streams):
        return generators.random(size)
    return _rows(generators, size, _uniform)


def _rows(generators: Sequence[np.random.Generator], size: int, draw: Draw) -> Array:
    out = np.empty((len(generators), size))
    for row, one in zip(out, generators, strict=True):
        draw(one, row)
    return out


def _normal(generator: np.random.Generator, out: Array) -> object:
    return generator.standard_normal(out=out)


def _uniform(generator: np.random.Generator, out: Array) -> object:
    return generator.random(out=out)
