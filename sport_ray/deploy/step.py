"""One step of a deployed policy: what it samples from, what was drawn, and what that cost."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.rules import Gaussians, realised_log_ratio

Array = NDArray[np.float64]


class StepRecord(NamedTuple):
    """What a step did: which policy played, how far it may and did go, what is left (or inf)."""

    step: int
    played: Literal["task", "base"]
    limit: float
    reached: float
    cost: float
    left: float
    gaussians: Gaussians
    drawn: Array  # before the action mapping

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
            "limit": self.limit,
            "reached": self.reached,
            "log_ratio": realised_log_ratio(self.gaussians, self.drawn),
            "cost": self.cost,
            "left": None if math.isinf(self.left) else self.left,
            **own,
        }


def task_step(
    bundle: Bundle, number: int, seen: Array, base: tuple[Array, Array], noise: Array,
    limit: float, left: float,
) -> StepRecord | None:  # fmt: skip
    """A step of the projected task policy; None where it cannot be shown to be within.

    number: steps before it. left: of the budget, before it.

    Raises:
        ArithmeticError: the action that was drawn costs more than there is, or no number.
    """
    rule, task = bundle.rule, bundle.task
    assert task is not None
    entries = seen
    if task.observation_size > len(seen):
        entries = np.concatenate((seen, rule.seen(limit, left)))
    try:
        mean, std = rule.project(base, task.distribution(entries), limit)
        step = Gaussians(np.array(mean), np.array(std), *base)
        reached = rule.reached(step)
    except ArithmeticError:
        return None
    if not reached <= limit:
        return None
    drawn = step.mean + step.std * noise
    # From here on the noise has had its say: the base policy with the same noise, or another
    # draw, would no longer be a sample of it. What cannot be charged is not played at all.
    cost = rule.cost(step, drawn)
    return StepRecord(number, "task", limit, reached, cost, rule.spend(left, cost), step, drawn)


def base_step(
    number: int, base: tuple[Array, Array], noise: Array, limit: float, left: float
) -> StepRecord:
    """A step of the base policy, which spends nothing."""
    drawn = base[0] + base[1] * noise
    return StepRecord(number, "base", limit, 0.0, 0.0, left, Gaussians(*base, *base), drawn)
