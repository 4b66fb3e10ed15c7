"""Constraints without scipy and numba: what one step may do, and what it spent.

Each rule is the scalar form of a class in ``sport_ray.constraints`` and gives the same bits (a test
compares them); a constraint that has no rule here is refused at export.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.interpreted import log_ratio_row, project_kl_row, project_shift_row
from sport_ray.policies.sealed import Sealed

Array = NDArray[np.float64]
# As in sport_ray.constraints.budget and sport_ray.bounds.tradeoff.
SPENT, RESERVE, RESERVED_SHARE, PACE = 1e-8, 1e-9, 4e-7, 0.75
_ULP = 2.0**-52


class Gaussians(NamedTuple):
    """What a step samples from, and the base's, each (D,)."""

    mean: Array
    std: Array
    base_mean: Array
    base_std: Array


def realised_log_ratio(step: Gaussians, action: Array) -> float:
    """Σ_i log N(a_i; mean, std)/N(a_i; base_mean, base_std) of an action (D,), nats."""
    total = 0.0
    for m, s, m0, s0, a in zip(*(x.tolist() for x in (*step, action)), strict=True):
        total += math.log(s0 / s) + 0.5 * ((a - m0) / s0) ** 2 - 0.5 * ((a - m) / s) ** 2
    return total


def _terms(step: Gaussians, action: Array) -> tuple[Array, Array, Array]:
    far = 0.5 * ((action - step.base_mean) / step.base_std) ** 2
    near = 0.5 * ((action - step.mean) / step.std) ** 2
    return np.log(step.base_std / step.std), far, near


class Rule(Sealed, ABC):
    """A constraint: what is left of a budget is one number, inf where there is none."""

    features: ClassVar[int] = 0
    """Entries that the budget adds to a task policy's observation."""
    total: float = math.inf

    @abstractmethod
    def limit(self, left: float, steps: int) -> float:
        """How far the step after so many may go."""

    @abstractmethod
    def project(self, base: tuple[Array, Array], task: tuple[Array, Array], limit: float) -> Any:
        """The closest Gaussian to the task's within the limit: mean and std, lists of floats."""

    @abstractmethod
    def reached(self, step: Gaussians) -> float:
        """How far a step goes, in the units of ``limit``, in float64 on the numbers given."""

    def seen(self, limit: float, left: float) -> list[float]:
        """The features: limit and what is left, float32 numbers."""
        return [limit, _down(left)] if self.features else []

    def cost(self, step: Gaussians, action: Array) -> float:
        """What drawing the action (D,) spent, rounded up."""
        return 0.0

    def spend(self, left: float, cost: float) -> float:
        """What is left after a step.

        Raises:
            ArithmeticError: more was spent than there was, or a cost that is not a number.
        """
        if not (cost <= left and math.isfinite(cost)):
            raise ArithmeticError(f"a step overspent its budget: {left} left, cost {cost}")
        return left if cost == 0.0 else max(math.nextafter(left - cost, -math.inf), 0.0)


class ConstantRatio(Rule):
    """Max log ratio at most log α in every state."""

    def __init__(self, alpha: float) -> None:
        self.alpha = _number("alpha", alpha, 1.0)
        self.log_alpha = math.log(self.alpha)

    def limit(self, left: float, steps: int) -> float:
        return self.log_alpha

    def project(self, base: tuple[Array, Array], task: tuple[Array, Array], limit: float) -> Any:
        m, s, mt, st = (x.tolist() for x in (*base, *task))
        return project_kl_row(m, s, mt, st, limit)

    def reached(self, step: Gaussians) -> float:
        """The max log ratio, nats."""
        return log_ratio_row(*(x.tolist() for x in step))

    def spend(self, left: float, cost: float) -> float:
        return left


class _Budget(Rule):
    features = 2

    def __init__(self, steps_left: Any) -> None:
        self.steps_left = tuple(max(_number("steps_left", value, 0.0), 1.0) for value in steps_left)
        if not self.steps_left:
            raise ValueError("steps_left is empty")

    @abstractmethod
    def offer(self, left: float, expected: float) -> float:
        """How far a step may go with so much left and so many steps expected."""

    def limit(self, left: float, steps: int) -> float:
        expected = self.steps_left[min(steps, len(self.steps_left) - 1)]
        return _down(0.0 if left < SPENT else self.offer(left, expected))


class Pathwise(_Budget):
    """The sum of realised log ratios at most B nats on every prefix."""

    def __init__(self, log_budget: float, rule: str, steps_left: Any) -> None:
        super().__init__(steps_left)
        self.total = _number("log_budget", log_budget, 0.0)
        if rule not in ("spread", "all"):
            raise ValueError(f"rule {rule!r} is unknown")
        self.spread = rule == "spread"

    def offer(self, left: float, expected: float) -> float:
        most = left - RESERVE - RESERVED_SHARE * left
        return min(most, math.sqrt(left / (PACE * expected))) if self.spread else most

    def project(self, base: tuple[Array, Array], task: tuple[Array, Array], limit: float) -> Any:
        m, s, mt, st = (x.tolist() for x in (*base, *task))
        return project_kl_row(m, s, mt, st, limit)

    def reached(self, step: Gaussians) -> float:
        """The max log ratio, nats."""
        return log_ratio_row(*(x.tolist() for x in step))

    def cost(self, step: Gaussians, action: Array) -> float:
        if (step.mean == step.base_mean).all() and (step.std == step.base_std).all():
            return 0.0
        log_std, far, near = _terms(step, action)
        total = (log_std + far - near).sum()
        return float(total + 1e-13 * (1.0 + (np.abs(log_std) + far + near).sum()))


class MeanShift(_Budget):
    """Squared mean shifts, in the base's std, at most μ² on every path; the std is the base's."""

    def __init__(self, mu: float, steps_left: Any) -> None:
        super().__init__(steps_left)
        self.total = math.nextafter(_number("mu", mu, 0.0) ** 2, 0.0)

    def offer(self, left: float, expected: float) -> float:
        return math.sqrt(left / expected) * (1.0 - RESERVED_SHARE)

    def project(self, base: tuple[Array, Array], task: tuple[Array, Array], limit: float) -> Any:
        inside = limit * (1.0 - 1e-12)
        m, s, mt = (x.tolist() for x in (*base, task[0]))
        return project_shift_row(m, s, mt, inside)

    def reached(self, step: Gaussians) -> float:
        """The length of the shift in the base's std; inf where the std is another."""
        if not (step.std == step.base_std).all():
            return math.inf
        # The original compares squares; a root that rounds down must not pass for less.
        root = math.sqrt(self.cost(step, step.mean))
        return root if root == 0.0 else math.nextafter(root, math.inf)

    def cost(self, step: Gaussians, action: Array) -> float:
        if (step.mean == step.base_mean).all():
            return 0.0
        with np.errstate(over="ignore", under="ignore"):
            square = ((step.mean - step.base_mean) / step.base_std) ** 2
            rounded = square.sum() * (1.0 + (len(square) + 8.0) * _ULP)
            return float(rounded + len(square) * np.finfo(np.float64).tiny)


_CONSTANT = ("ratio", "gauss_renyi", "violation_time")
_PATHWISE = ("pathwise", "pathwise_spread", "pathwise_all")
SUPPORTED = (*_CONSTANT, *_PATHWISE, "mean_shift")
_PARAMETERS = {
    **{name: {"alpha"} for name in _CONSTANT},
    **{name: {"log_budget", "rule", "steps_left"} for name in _PATHWISE},
    "mean_shift": {"mu", "steps_left"},
}


def rule_from_json(constraint: Mapping[str, Any]) -> Rule:
    """The rule of a constraint as ``Constraint.to_json`` describes it.

    Raises:
        ValueError: one that has no rule, or parameters that are not its own.
    """
    values = dict(constraint)
    name = values.pop("name", None)
    if name not in _PARAMETERS:
        raise ValueError(f"constraint {name!r} has no rule for deployment: {', '.join(SUPPORTED)}")
    if set(values) != _PARAMETERS[name]:
        raise ValueError(f"constraint {name!r} has the parameters {sorted(values)}")
    if name in _CONSTANT:
        return ConstantRatio(**values).seal()
    return (Pathwise(**values) if name in _PATHWISE else MeanShift(**values)).seal()


def _number(name: str, value: Any, least: float) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (good and least <= value < math.inf):
        raise ValueError(f"{name} must be a finite number of at least {least:g}, got {value!r}")
    return float(value)


def _down(value: float) -> float:
    """The largest float32 number not above the value."""
    rounded = np.float32(value)
    if float(rounded) > value:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)
