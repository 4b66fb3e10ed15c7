"""One step of a deployed policy: what it samples from, what was drawn, and what that cost."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.projection import realised_log_ratio
from sport_ray.rollouts.behaviour import Step

Array = NDArray[np.float64]
Played = Literal["task", "base"]


class Gaussians(NamedTuple):
    """What a step samples from, and the base's, each (D,)."""

    mean: Array
    std: Array
    base_mean: Array
    base_std: Array

    def rows(self) -> tuple[Array, Array, Array, Array]:
        """The four as arrays of one row, (1, D), as constraints take them."""
        return self.mean[None], self.std[None], self.base_mean[None], self.base_std[None]


class StepRecord(NamedTuple):
    """What a step did: which policy played, how far it may and did go, what it cost.

    limit: in the constraint's units; 0 outside of the promise. max_log_ratio: nats, inf where the
    constraint does not bound it. state: of the constraint after the step; empty without a budget.
    """

    step: int
    played: Played
    limit: float
    max_log_ratio: float
    cost: float
    state: tuple[float, ...]
    gaussians: Gaussians
    drawn: Array  # before the action mapping

    @property
    def left(self) -> float:
        """What is left of the budget, the first number of the state; inf without one."""
        return self.state[0] if self.state else math.inf

    def fields(self, seen: Array) -> dict[str, Any]:
        """The step as a log has it, with the observation (O,) that it was for."""
        mean, std, base_mean, base_std = (x.tolist() for x in self.gaussians)
        own = {"mean": mean, "std": std} if self.played == "task" else {}
        return {
            "step": self.step,
            "played": self.played,
            "observation": seen.astype("<f4").tobytes().hex(),
            "base_mean": base_mean,
            "base_std": base_std,
            "drawn": self.drawn.tolist(),
            "limit": _number(self.limit),
            "max_log_ratio": _number(self.max_log_ratio),
            "log_ratio": float(realised_log_ratio(*self.gaussians.rows(), self.drawn[None])[0]),
            "cost": self.cost,
            "state": self.state,
            **own,
        }


def draw(
    constraint: Constraint, number: int, played: Played, step: Step, noise: Array, state: Array,
    promised: bool,
) -> StepRecord:  # fmt: skip
    """Draw with noise (D,) and charge it to the state (1, S), of a step after ``number`` others.

    promised: whether the episode is within the promise; outside nothing is charged.

    Raises:
        ArithmeticError: the action that was drawn costs more than there is, or no number.
    """
    drawn = step.mean + step.std * noise
    given = step.mean, step.std, step.base_mean, step.base_std
    limit, cost = 0.0, 0.0
    if promised:
        limit = float(constraint.limits(state)[0])
        # From here on the noise has had its say: the base policy with the same noise, or another
        # draw, would no longer be a sample of it. What cannot be charged is not played at all.
        costs = constraint.cost(*given, drawn)
        cost, state = float(costs[0]), constraint.spend(state, costs)
    ratio = float(step.max_log_ratio[0])
    gaussians = Gaussians(*(rows[0] for rows in given))
    after = tuple(state[0].tolist())
    return StepRecord(number, played, limit, ratio, cost, after, gaussians, drawn[0])


def _number(value: float) -> float | None:
    """As JSON: null where there is no end."""
    return None if math.isinf(value) else value
