"""What a stream of outcomes adds up to, in memory that does not grow with it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from sport_ray.canonical import digest
from sport_ray.properties import NEVER
from sport_ray.rollouts.outcomes import Outcomes, unpack_verdicts


class OutcomeTotals:
    """Counts, moments and the digest of scenarios 0, 1, 2, … added in order, in any portions.

    All sums are of integers, so nothing depends on how the stream was cut.
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.num_scenarios = 0
        self._satisfied = np.zeros(horizon, dtype=np.int64)
        self._settled = np.zeros(horizon, dtype=np.int64)
        self._running = np.zeros(horizon, dtype=np.int64)
        self._reached = 0
        self._steps = 0
        self._squares = 0
        self._hashes = {field.name: hashlib.sha256() for field in fields(Outcomes)}

    def add(self, outcomes: Outcomes) -> None:
        """Count the next scenarios.

        Raises:
            ValueError: scenarios that do not continue where the last ones ended.
        """
        first = self.num_scenarios
        wanted = np.arange(first, first + outcomes.num_scenarios)
        if not np.array_equal(outcomes.index, wanted):
            raise ValueError(
                f"scenarios from {first} on come next, got {outcomes.index[:3].tolist()} …: "
                "an incomplete set certifies nothing"
            )
        self.num_scenarios += outcomes.num_scenarios
        self._satisfied += unpack_verdicts(outcomes.verdicts, self.horizon).sum(axis=0)
        lost = outcomes.violated_at[outcomes.violated_at != NEVER]
        self._settled += self._by_step(np.maximum(lost, 1)).cumsum()
        self._running += outcomes.num_scenarios - self._by_step(outcomes.length).cumsum()
        steps = outcomes.satisfied_at[outcomes.satisfied_at != NEVER]
        self._reached += steps.size
        self._steps += int(steps.sum())
        self._squares += int((steps**2).sum())
        for name, values in outcomes.to_arrays().items():
            self._hashes[name].update(_little_endian(values))

    def _by_step(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of the step numbers are each of 1 … T_max, (T_max,)."""
        return np.bincount(np.clip(steps, 1, self.horizon) - 1, minlength=self.horizon)

    @property
    def num_settled(self) -> list[int]:
        """Scenarios whose violation was settled by step T, T = 1 … T_max."""
        return self._settled.tolist()

    @property
    def num_running(self) -> list[int]:
        """Scenarios that lasted longer than T steps, T = 1 … T_max."""
        return self._running.tolist()

    @property
    def num_violations(self) -> list[int]:
        """Scenarios that violate within T steps, T = 1 … T_max."""
        return (self.num_scenarios - self._satisfied).tolist()

    @property
    def mean_steps_to_goal(self) -> float | None:
        """Mean step at which satisfaction was settled, where it was; None if it never was."""
        return self._steps / self._reached if self._reached else None

    @property
    def std_steps_to_goal(self) -> float | None:
        """Standard deviation of the same, steps."""
        if not self._reached:
            return None
        return math.sqrt(self._reached * self._squares - self._steps**2) / self._reached

    @property
    def digest(self) -> str:
        """sha256 over the sha256 of every column's numbers (little endian, in order of index)."""
        columns = {name: column.hexdigest() for name, column in self._hashes.items()}
        return digest({"num_scenarios": self.num_scenarios, "columns": columns})


def _little_endian(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
