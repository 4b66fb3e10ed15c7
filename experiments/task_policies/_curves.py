"""Learning curves as training goes on: a row per iteration, joined so that they stay few."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.tracking.results.curves import MOST, QUANTITIES, Curves

OF_RESULTS = {
    "env_steps": ("num_env_steps_sampled_lifetime",),
    "violations": ("num_violating_episodes_lifetime",),
    "mean_return": ("episode_return_mean",),
    "mean_length": ("episode_len_mean",),
    "value_loss": ("vf_loss", "qf_loss"),
}
"""Where an algorithm's results have other names than ours: the first that is there."""
_NAMES = tuple(QUANTITIES)
_KEYS = tuple((name, OF_RESULTS.get(name, (name,))) for name in _NAMES)
_AVERAGED = np.array([one.join == "mean" for one in QUANTITIES.values()])


class CurveRecorder:
    """Takes an iteration's numbers, and keeps at most `MOST` points however many there are.

    Points are of equally many iterations, of one as long as there is room; then neighbours are
    joined and each is of twice as many. The last point may be of fewer.
    """

    def __init__(self) -> None:
        self.iterations = 0
        self._share = 1  # iterations of a point
        self._points: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._open: list[list[float]] = []  # iterations of the point that is not whole yet

    def add(self, numbers: Mapping[str, Any]) -> None:
        """One more iteration: quantities by name; None or no entry for what is not known."""
        self.iterations += 1
        row = [math.nan if (one := numbers.get(name)) is None else float(one) for name in _NAMES]
        row[0] = float(self.iterations)
        if len(self._points) == MOST:
            self._halve()
        self._open.append(row)
        if len(self._open) == self._share:
            self._points.append(_whole(self._open))
            self._open = []

    def _halve(self) -> None:
        """Join neighbours, of which there are pairs, and go on with points twice as large."""
        pairs = [self._points[place : place + 2] for place in range(0, MOST, 2)]
        self._points = [_joined(*map(np.stack, zip(*pair, strict=True))) for pair in pairs]
        self._share *= 2

    def add_result(self, result: Mapping[str, Any], begun: int) -> None:
        """One more iteration, as an algorithm's result tells it, of sampling and learning alike.

        begun: episodes so far, at most.
        """
        numbers: dict[str, Any] = {"episodes_begun": begun}
        for name, keys in _KEYS:
            for key in keys:
                if key in result:
                    numbers[name] = result[key]
        self.add(numbers)

    def curves(self) -> Curves | None:
        """What there is so far; None before the first iteration."""
        points = [*self._points, *([_whole(self._open)] if self._open else [])]
        if not points:
            return None
        table = np.stack([values for values, _ in points], axis=1)
        columns = zip(_NAMES, table, strict=True)
        return Curves({name: column for name, column in columns if np.isfinite(column).any()})


def _whole(rows: list[list[float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.array(rows)
    return _joined(values, np.isfinite(values).astype(np.float64))


def _joined(
    values: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows (n, Q) as one, and of how many iterations each quantity is known (n, Q) → (Q,).

    Means are weighted by these; of what grows the last is the largest.
    """
    known = counts.sum(axis=0)
    seen = np.where(counts > 0.0, values, 0.0)
    with np.errstate(invalid="ignore"):
        means = (seen * counts).sum(axis=0) / known
    largest = np.where(counts > 0.0, values, -np.inf).max(axis=0)
    found: NDArray[np.float64] = np.where(_AVERAGED, means, largest)
    found[known == 0.0] = np.nan
    return found, known
