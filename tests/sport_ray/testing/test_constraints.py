"""The checks of a constraint: ours pass, and each check finds the mistake that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from sport_ray.constraints import Constraint, RatioConstraint
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget, PathwiseBudgetAll
from sport_ray.constraints.two_point import TwoPointConstraint
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.testing import CheckFailed, ConstraintCase, check_constraint, constraint_checks
from sport_ray.testing import constraints as checks

OURS = [
    RatioConstraint(1.25),
    GaussRenyiConstraint(1.1),
    ViolationTimeConstraint(1.1),
    TwoPointConstraint(1.14, 0.85),
    PathwiseBudget(0.7, "all"),
    PathwiseBudgetAll(0.7),
    MeanShiftBudget(1.0),
]


@pytest.mark.parametrize("check", constraint_checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("constraint", OURS, ids=lambda one: one.name)
def test_ours_pass(check, constraint: Constraint) -> None:
    check(ConstraintCase(constraint))


@dataclass(frozen=True)
class Forgets(RatioConstraint):
    """Its JSON has another α."""

    def to_json(self):
        return super().to_json() | {"alpha": 1.5}


class Changes(RatioConstraint):
    """Takes other values later."""

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


class Wide(RatioConstraint):
    """Features of another type."""

    def features(self, state):
        return np.zeros((len(state), 0))


class Outside(RatioConstraint):
    """What the task policy asks for."""

    def project(self, base, task, limits=None):
        return task


class Mixed(RatioConstraint):
    """Every row as the first."""

    def project(self, base, task, limits=None):
        first = task[np.zeros(len(task), dtype=np.int64)]
        return super().project(base, first, limits)


class Generous(PathwiseBudget):
    """Whatever it costs, it is there."""

    def spend(self, state, cost):
        return state


class Rosy(RatioConstraint):
    """Forgets that the ratio is spent at every step."""

    def prior_bound(self, evidence):
        return self.alpha * evidence.eps_base


class Odd(RatioConstraint):
    """Promises more of a worse base."""

    def prior_bound(self, evidence):
        return 1.0 - evidence.eps_base


class TooFar(RatioConstraint):
    """Derives twice the ratio that a risk allows."""

    @classmethod
    def for_target(cls, evidence, eps_max, *, trained=False):
        return cls(2.0 * super().for_target(evidence, eps_max, trained=trained).alpha)


class Spendthrift(PathwiseBudget):
    """A step may take all that an episode has, and pays half."""

    def cost(self, step, base, action):
        return 0.5 * super().cost(step, base, action)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Forgets(1.25), checks.it_goes_to_json_and_back),
        (Changes(1.25), checks.it_cannot_be_changed),
        (Wide(1.25), checks.states_have_their_shapes),
        (Outside(1.25), checks.steps_stay_within_whatever_is_asked_for),
        (Spendthrift(0.7, "all"), checks.steps_stay_within_whatever_is_asked_for),
        (Mixed(1.25), checks.rows_do_not_mix),
        (Generous(0.7, "all"), checks.what_was_not_there_cannot_be_spent),
        (Odd(1.25), checks.its_bound_is_a_bound),
        (TooFar(1.25), checks.a_target_is_met),
        (Rosy(1.25), checks.its_bound_is_not_below_the_truth),
        (Generous(0.7, "all"), checks.its_bound_is_not_below_the_truth),
    ],
)
def test_a_mistake_is_found(broken: Constraint, check) -> None:
    with pytest.raises(CheckFailed) as error:
        check(ConstraintCase(broken))
    assert "\n" not in str(error.value)


def test_the_base_that_is_moved_is_found() -> None:
    class Aside(RatioConstraint):
        """A little beside the base, always."""

        def project(self, base, task, limits=None):
            return base[np.roll(np.arange(len(base)), 1)]

    with pytest.raises(CheckFailed, match="gaussian base is moved"):
        checks.the_base_may_always_act(ConstraintCase(Aside(1.25)))


@dataclass(frozen=True)
class Named(TooFar):
    """The same, found by its name."""

    name: ClassVar[str] = "too_far"


@dataclass(frozen=True)
class Raises(RatioConstraint):
    """Not finished."""

    name: ClassVar[str] = "raises"

    def limits(self, state):
        raise RuntimeError("no limits yet\nat all")


def test_all_of_them_name_the_one_that_failed() -> None:
    with pytest.raises(CheckFailed, match=r"a target is met: for ε_max = 0.\d+ it derives"):
        check_constraint(Named(1.25))
    with pytest.raises(CheckFailed, match="it is found by its name: 'ratio' does not name"):
        check_constraint(TooFar(1.25))


def test_what_raises_is_told_in_one_line() -> None:
    with pytest.raises(CheckFailed, match="it raised RuntimeError: no limits yet at all") as error:
        check_constraint(Raises(1.25))
    assert "\n" not in str(error.value)
