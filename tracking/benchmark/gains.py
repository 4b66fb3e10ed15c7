"""What there is to gain on one base of a task: what is compared, the base's and the free policy's.

The share of the unconstrained gain of a policy with value J is (J − J_base) / (J_free − J_base).
J_base is that of the same seed, whose scenarios are the same; the gain is that of the means over
seeds, one number for all methods, so that no seed's luck divides a score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sport_ray.bounds import ratio_bound
from sport_ray.tracking.results.kinds import is_base, is_reference

CLEAR = 2.0
"""Standard errors by which the free policy must be better than the base for shares of it."""


class Measure(NamedTuple):
    """A column of the results, and what it means. conditional: over satisfied scenarios alone."""

    name: str
    column: str
    spread: str
    sign: int
    conditional: bool = False


TASK_STEPS = Measure("steps of the task", "mean_task_steps", "std_task_steps", 1)
STEPS = Measure("steps to satisfaction", "mean_steps_to_goal", "std_steps_to_goal", 1, True)
RETURN = Measure("return", "mean_return", "std_return", -1)


@dataclass(frozen=True)
class Gain:
    """What is compared on a base, and what there is to gain.

    base: the base's cells by seed, free: those of unconstrained PPO; both finished, plain rows.
    eps_base: risk that the base is certified for at T, 1 where no cell says it.
    why_not: why no share of the gain can be had; '' where it can.
    """

    measure: Measure
    base: Mapping[int, Mapping[str, Any]]
    free: Mapping[int, Mapping[str, Any]]
    eps_base: float
    base_value: float
    free_value: float
    error: float

    @property
    def whole(self) -> float:
        """The unconstrained gain, positive where the free policy is better."""
        return self.measure.sign * (self.base_value - self.free_value)

    @property
    def why_not(self) -> str:
        """One clause for tables."""
        if not self.base:
            return "no finished cell is the base itself (α = 1)"
        if not self.free:
            return "no finished cell of unconstrained PPO"
        if not (math.isfinite(self.base_value) and math.isfinite(self.free_value)):
            return f"no {self.measure.name} of the base or of unconstrained PPO"
        if not self.whole > CLEAR * self.error:
            return (
                f"unconstrained PPO is not clearly better than the base ({self.whole:.3g} ± "
                f"{self.error:.2g} {self.measure.name})"
            )
        return ""

    def gained(self, value: float | None, seed: int) -> float:
        """How much better than the base of this seed; NaN without a value."""
        slow = self.base.get(seed, {}).get(self.measure.column)
        slow = self.base_value if slow is None else slow
        return math.nan if value is None else self.measure.sign * (slow - value)

    def share(self, value: float | None, seed: int) -> float:
        """The share of the unconstrained gain; NaN without a value."""
        return math.nan if self.why_not else self.gained(value, seed) / self.whole

    def mixed(self, weights: Mapping[int, float], rows: Mapping[int, Mapping[str, Any]]) -> float:
        """The value of a policy that plays row i for whole episodes with probability w_i.

        Of a conditional measure the mean over the satisfied episodes of all parts.
        """
        top = bottom = 0.0
        for key, weight in weights.items():
            row = rows[key]
            if self.measure.conditional:
                weight *= 1.0 - row["empirical_violation_rate"]
            value = row[self.measure.column]
            top += 0.0 if weight == 0.0 else weight * (math.nan if value is None else value)
            bottom += weight
        return top / bottom if bottom > 0 else math.nan


def gain_of(frame: pd.DataFrame, rows: list[dict[str, Any]], measure: str | None) -> Gain:
    """What there is to gain in a results table. rows: the same as plain values.

    measure: 'steps' or 'return'; by default steps, where the base has any.
    """
    done = (frame["status"] == "finished").to_numpy()
    base = _by_seed(rows, (is_base(frame).to_numpy() & done))
    free = _by_seed(rows, (is_reference(frame).to_numpy() & done))
    chosen = _measure([*base.values(), *free.values()], measure)
    first = next(iter(base.values()), None)
    eps_base = 1.0
    if first is not None:
        world = {"alpha_mu": first["alpha_mu"], "alpha_p": first["alpha_p"]}
        eps_base = ratio_bound(first["eps_base"], 1.0, int(first["horizon"]), **world)
    sides = [_mean(side, chosen) for side in (base, free)]
    error = math.hypot(sides[0][1], sides[1][1])
    return Gain(chosen, base, free, eps_base, sides[0][0], sides[1][0], error)


def _by_seed(rows: list[dict[str, Any]], chosen: np.ndarray) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for row, taken in zip(rows, chosen, strict=True):
        if taken:
            found.setdefault(int(row["seed"]), row)
    return found


def _measure(rows: list[dict[str, Any]], asked: str | None) -> Measure:
    if asked == "return":
        return RETURN
    for one in (TASK_STEPS, STEPS):
        if rows and all(row[one.column] is not None for row in rows):
            return one
    some = any(row[STEPS.column] is not None for row in rows)
    return STEPS if asked == "steps" or some else RETURN


def _mean(side: Mapping[int, Mapping[str, Any]], measure: Measure) -> tuple[float, float]:
    """Mean over seeds and its standard error from scenarios alone, seeds taken as given."""
    values = [row[measure.column] for row in side.values()]
    if not values or any(value is None for value in values):
        return math.nan, math.nan
    squares = []
    for row in side.values():
        count = row["num_scenarios"] - (row["num_violations"] if measure.conditional else 0)
        squares.append((row[measure.spread] or 0.0) ** 2 / max(count, 1))
    return math.fsum(values) / len(values), math.sqrt(math.fsum(squares)) / len(values)
