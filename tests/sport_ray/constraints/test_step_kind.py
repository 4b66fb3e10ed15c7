"""Constraints that share a call do the same with a step; whoever reads more stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sport_ray.constraints import RatioConstraint, Unconstrained, constraint_from_json


def made(name, **parameters):
    return constraint_from_json({"name": name, **parameters})


def test_constraints_that_differ_in_their_limits_are_of_one_kind():
    kind = made("ratio", alpha=1.1).step_kind()
    assert made("ratio", alpha=2.0).step_kind() == kind
    assert made("gauss_renyi", alpha=2.0).step_kind() == kind
    assert made("violation_time", alpha=2.0).step_kind() == kind
    budgets = made("pathwise", log_budget=1.0), made("pathwise_all", log_budget=2.0)
    assert budgets[0].step_kind() == budgets[1].step_kind()
    assert made("mean_shift", mu=1.0).step_kind() == made("mean_shift", mu=2.0).step_kind()


def test_other_projections_are_of_other_kinds():
    kinds = {
        made("ratio", alpha=1.1).step_kind(),
        made("pathwise", log_budget=1.0).step_kind(),
        made("mean_shift", mu=1.0).step_kind(),
        Unconstrained().step_kind(),
    }
    assert len(kinds) == 4


def test_what_reads_a_parameter_is_of_a_kind_with_its_equals_alone():
    floors = [made("two_point", alpha=1.2, kappa=kappa) for kappa in (0.5, 0.5, 0.6)]
    assert floors[0].step_kind() == floors[1].step_kind()
    assert floors[0].step_kind() != floors[2].step_kind()


def test_a_users_own_method_is_trusted_with_nothing():
    """Overridden without the mark: it may read any field."""

    @dataclass(frozen=True)
    class Halfway(RatioConstraint):
        share: float = 0.5
        name: ClassVar[str] = "halfway_for_step_kind"

        def project(self, base, task, limits=None):
            return super().project(base, task, self.share * self.log_alpha)

    one, other = Halfway(1.2, 0.5), Halfway(1.2, 0.7)
    assert one.step_kind() != other.step_kind()
    assert one.step_kind() == Halfway(1.2, 0.5).step_kind()
