"""One step of a deployed policy: what it samples from, what was drawn, and what that cost."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.families import Distribution
from sport_ray.rollouts.behaviour import Step

Array = NDArray[np.float64]
Played = Literal["task", "base"]


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
    chosen: Distribution  # what was sampled from, one member, and the base policy's
    base: Distribution
    drawn: Array  # an action before the action mapping, or the index of a candidate, (1,)
    action: Array  # before the action mapping: what was drawn, or the candidate of that index
    candidates: int | None = None  # how many there were; None where none was chosen among

    @property
    def left(self) -> float:
        """What is left of the budget, the first number of the state; inf without one."""
        return self.state[0] if self.state else math.inf

    def fields(self, seen: Array) -> dict[str, Any]:
        """The step as a log has it, with the observation (O,) that it was for."""
        own: dict[str, Any] = {}
        if self.played == "task":
            own["chosen"] = _listed(self.chosen)
        if self.candidates is None:
            own["base"] = _listed(self.base)
        else:  # the base is uniform
            own |= {"candidates": self.candidates, "action": self.action.tolist()}
        return {
            "step": self.step,
            "played": self.played,
            "observation": seen.astype("<f4").tobytes().hex(),
            "drawn": self.drawn.tolist(),
            "limit": _number(self.limit),
            "max_log_ratio": _number(self.max_log_ratio),
            "log_ratio": _number(float(self.chosen.log_ratio(self.base, self.drawn))),
            "cost": self.cost,
            "state": self.state,
            **own,
        }


def draw(
    constraint: Constraint, number: int, played: Played, step: Step, noise: Array, state: Array,
    promised: bool,
) -> StepRecord:  # fmt: skip
    """Draw with noise (1, K) and charge it to the state (1, S), of a step after ``number`` others.

    promised: whether the episode is within the promise; outside nothing is charged.

    Raises:
        ArithmeticError: the action that was drawn costs more than there is, or no number.
    """
    drawn = step.chosen.sample(noise)
    limit, cost = 0.0, 0.0
    if promised:
        limit = float((step.limits if played == "task" else constraint.limits(state))[0])
        # From here on the noise has had its say: the base policy with the same noise, or another
        # draw, would no longer be a sample of it. What cannot be charged is not played at all.
        costs = constraint.cost(step.chosen, step.base, drawn)
        cost, state = float(costs[0]), constraint.spend(state, costs)
    ratio = float(step.max_log_ratio[0])
    after = tuple(state[0].tolist())
    options = None if step.candidates is None else step.candidates.shape[1]
    return StepRecord(
        number, played, limit, ratio, cost, after, step.chosen[0], step.base[0], drawn[0],
        step.played(drawn)[0], options,
    )  # fmt: skip


def _listed(member: Distribution) -> dict[str, list[float]]:
    """Its numbers by name."""
    return {name: part.tolist() for name, part in member.fields().items()}


def _number(value: float) -> float | None:
    """As JSON: null where there is no end."""
    return None if math.isinf(value) else value
