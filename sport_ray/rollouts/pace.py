"""How many scenarios a portion of work has: a few seconds of them, by what was measured so far."""

from __future__ import annotations

from collections import deque

SECONDS = 3.0
"""Of work in a portion: between two signs of progress, and what a lost worker loses."""
LEAST_SECONDS = 0.25
"""Of work in the small portions at the end: handing one out costs some milliseconds."""
GROWTH = 8
"""How many times larger than any that was measured a portion may be: the first ones may mislead."""
REMEMBERED = 16
"""Portions whose rate counts: a simulator may become slower, as a machine may become busier."""


class Pace:
    """Sizes of portions for workers that share scenarios; what comes out does not depend on them.

    The first portions are small, since nothing is known. Then a portion takes about SECONDS, and
    less towards the end, so that no worker waits long for the last one.

    workers: that take portions side by side. most: scenarios in a portion, for memory's sake.
    first: scenarios in a portion before anything is known. least: fewer cost no less.
    """

    def __init__(self, workers: int, most: int, first: int = 1, least: int = 1) -> None:
        self.workers, self.most = workers, most
        self.first, self.least = min(first, most), min(least, most)
        self._largest = 0
        self._number = 0
        self._measured: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)

    def add(self, count: int, seconds: float) -> None:
        """Take note of a portion that took so long on its worker, the environment being there."""
        if self._number == 1:
            self._measured.clear()  # the very first has what imports and compilers took
        self._number += 1
        self._largest = max(self._largest, count)
        self._measured.append((count, seconds))

    @property
    def is_known(self) -> bool:
        """Whether more than the very first portion was measured."""
        return self._number > 1

    @property
    def rate(self) -> float | None:
        """Scenarios a second of one worker; None before anything is measured."""
        if not self._measured:
            return None
        counts, seconds = zip(*self._measured, strict=True)
        return float(sum(counts) / max(sum(seconds), 1e-9))

    def size(self, left: int) -> int:
        """Scenarios of the next portion, where so many (≥ 1) are left."""
        rate = self.rate
        if rate is None or not self.is_known:
            return min(self.first, left)
        share = -(-left // (2 * self.workers))  # every worker has two more, at the least
        wanted = max(rate * LEAST_SECONDS, min(rate * SECONDS, share))
        wanted = min(max(int(wanted), self.least), GROWTH * self._largest, self.most, left)
        return max(1, int(wanted))
