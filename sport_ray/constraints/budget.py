"""What budgets share: a state (left, steps taken), and how much of it one step may take."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sport_ray.constraints.constraint import Array, Constraint, float32_down
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

SPENT = 1e-8
"""With less than this left, exactly the base is played."""
RESERVE = 1e-9
"""Never offered: far more than all rounding of a step's cost in float64."""
RESERVED_SHARE = 4e-7
"""Nor this share of what is left: more than a cost grows by when it is rounded up to float32."""
PACE = 0.75
"""How much of the steps left a budget is spread over: a task policy needs fewer than the base."""


class Budget(Constraint):
    """An amount that an episode may spend; its state is (left of it, steps taken).

    Subclasses say what there is (``total``), what a step may take (``offer``) and what it cost.
    """

    steps_left: tuple[float, ...]
    """Expected steps left after t = 0, 1, …"""
    state_size: ClassVar[int] = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps_left", require_steps(self.steps_left))

    @property
    @abstractmethod
    def total(self) -> float:
        """What an episode may spend."""

    @abstractmethod
    def offer(self, left: Array, steps: Array) -> Array:
        """How far the next step may go with so much left and so many steps expected, (n,)."""

    @property
    def log_ratio_limit(self) -> float:
        return math.inf  # refunds may raise what is left above the total

    def start(self, count: int) -> Array:
        """(total, 0) for each episode."""
        return np.tile([self.total, 0.0], (count, 1))

    def limits(self, state: Array) -> Array:
        """The offer, rounded down to float32: 0 once less than 1e-8 is left."""
        left = state[:, 0]
        offer = self.offer(left, steps_left(self.steps_left, state[:, 1]))
        return float32_down(np.where(left < SPENT, 0.0, offer))

    def limits_or_first(self, limits: Tensor | float | None) -> Tensor | float:
        """The limits given, or that of an episode's first state."""
        return float(self.limits(self.start(1))[0]) if limits is None else limits

    def features(self, state: Array) -> NDArray[np.float32]:
        """(limit, what is left), rounded down."""
        return np.stack([self.limits(state), float32_down(state[:, 0])], axis=1).astype(np.float32)

    def share_left(self, features: Tensor) -> Tensor | None:
        """Of the total; refunds may raise it above 1. None where there is nothing to spend."""
        return features[..., 1].double() / self.total if self.total > 0.0 else None

    def spend(self, state: Array, cost: Array) -> Array:
        """(left − cost, t + 1)."""
        return spent(state, cost)

    def widened(self, factor: float) -> Self:
        """The limit, B or μ, times the factor."""
        return self.with_limit(self.limit * factor)


def steps_left(table: Sequence[float], steps_taken: Array) -> Array:
    """Expected steps left after so many, from a table for t = 0 …; at least 1."""
    values = np.asarray(table, dtype=np.float64)
    index = np.minimum(steps_taken.astype(np.int64), len(values) - 1)
    return np.maximum(values[index], 1.0)


def spent(state: Array, cost: Array) -> Array:
    """The state after a step: (left − cost, steps taken + 1); left is rounded down, at least 0.

    Raises:
        ArithmeticError: a cost that is not finite, or above what was left: the projection or the
            limits are broken, and no promise would hold.
    """
    before = state[:, 0]
    good = (cost <= before) & np.isfinite(cost)  # written so that NaN is caught
    if not good.all():
        row = int(np.argmin(good))
        raise ArithmeticError(
            f"a step overspent its budget: {before[row]} left, cost {cost[row]} in row {row}"
        )
    # What rounding gives back in one step, a later step could spend.
    left = np.where(cost == 0.0, before, np.nextafter(before - cost, -np.inf))
    found = state + 1.0
    found[:, 0] = np.maximum(left, 0.0)
    return found


def require_budget(name: str, given: float) -> float:
    """A finite number ≥ 0, or a UserError."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise UserError(f"{name} must be a finite number >= 0, got {given!r}")
    if given < 0.0:
        raise UserError(f"{name} must be at least 0, got {given!r}")
    return float(given)


def require_steps(given: Sequence[float]) -> tuple[float, ...]:
    """Expected steps left: finite positive numbers, at least one; or a UserError."""
    try:
        if isinstance(given, str):
            raise TypeError
        values = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        raise UserError(f"steps_left must be a list of numbers above 0, got {given!r}") from None
    if not values or not all(math.isfinite(value) and value > 0.0 for value in values):
        raise UserError(f"steps_left must be finite numbers above 0, got {list(given)[:5]}")
    return values
