"""Budgets in rollouts: the table does not depend on the slots, and no prefix is above B."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget, PathwiseBudgetAll
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.network import widened
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    ProjectedBehaviour,
    ScenarioPlan,
    run_scenarios,
)

TABLE = (12.0, 8.0, 4.0, 2.0, 1.0)
BUDGETS = [
    PathwiseBudget(1.7, steps_left=TABLE),
    PathwiseBudgetAll(1.7),
    MeanShiftBudget(1.3, steps_left=TABLE),
]
names = pytest.mark.parametrize("budget", BUDGETS, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def plan():
    return ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "random"},
        property="(!hazard) U goal",
        horizon=12,
        root_seed=3,
        purpose="evaluate",
    )


@pytest.fixture(scope="module")
def base(small_base):
    return FrozenPolicy(small_base)


@pytest.fixture(scope="module", params=[False, True], ids=["blind", "sees"])
def task(request, small_base):
    """A task policy some way off, which asks for more the more is left, or does not see it."""
    network = PolicyNetwork(small_base.spec)
    network.load_state_dict({k: 1.5 * v for k, v in small_base.state_dict().items()})
    if request.param:
        network = widened(network, 2)
        with torch.no_grad():
            network.body[0].weight[:, -2:] = 0.3
    return FrozenPolicy(network)


def assert_same(got: Outcomes, want: Outcomes) -> None:
    for name, values in want.to_arrays().items():
        np.testing.assert_array_equal(got.to_arrays()[name], values, err_msg=name)


@names
def test_the_table_depends_neither_on_slots_nor_on_how_it_is_split(plan, base, task, budget):
    behaviour = ProjectedBehaviour(base, task, budget)
    want = run_scenarios(plan, behaviour, 0, 60, slots=17)
    for slots in (1, 60):
        assert_same(run_scenarios(plan, behaviour, 0, 60, slots=slots), want)
    parts = [
        run_scenarios(plan, behaviour, first, count, slots=5)
        for first, count in ((41, 19), (0, 1), (1, 40))
    ]
    assert_same(Outcomes.concatenate(parts), want)


@names
def test_no_prefix_is_above_the_budget_and_the_budget_is_used(plan, base, task, budget):
    table = run_scenarios(plan, ProjectedBehaviour(base, task, budget), 0, 300)
    assert table.projected_steps.sum() > 0
    if isinstance(budget, PathwiseBudget):
        assert (table.max_prefix_log_ratio <= budget.log_budget).all()
        assert (table.max_prefix_log_ratio >= 0.0).all()
        assert table.max_prefix_log_ratio.max() > 0.5 * budget.log_budget
        assert (table.sum_realised_log_ratio <= table.max_prefix_log_ratio).all()
    else:  # Σ KL to the base is half the squared shift
        assert (2.0 * table.sum_kl_to_base <= budget.mu**2 * (1.0 + 1e-12)).all()
        assert 2.0 * table.sum_kl_to_base.max() > 0.5 * budget.mu**2


def test_the_same_task_policy_would_spend_more(plan, base, task):
    table = run_scenarios(plan, ProjectedBehaviour(base, task, PathwiseBudgetAll(8.0)), 0, 100)
    assert table.max_prefix_log_ratio.max() > 1.7


@pytest.mark.parametrize("nothing", [PathwiseBudget(0.0), PathwiseBudgetAll(9e-9)])
def test_with_nothing_to_spend_the_table_is_the_base_s(plan, base, task, nothing):
    got = run_scenarios(plan, ProjectedBehaviour(base, task, nothing), 0, 50)
    want = run_scenarios(plan, BaseBehaviour(base), 0, 50)
    for name in ("length", "verdicts", "robustness", "total_reward"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)
    assert not got.max_prefix_log_ratio.any()


def test_a_policy_that_sees_the_budget_needs_one(base, small_base):
    wide = FrozenPolicy(widened(small_base, 2))
    for stateless in (RatioConstraint(1.2), Unconstrained()):
        with pytest.raises(ValueError, match=f"the constraint '{stateless.name}' adds 0"):
            ProjectedBehaviour(base, wide, stateless)
    with pytest.raises(ValueError, match="sees 1 more entries, the constraint 'pathwise' adds 2"):
        ProjectedBehaviour(base, FrozenPolicy(widened(small_base, 1)), PathwiseBudget(1.0))


@names
def test_an_overspending_step_stops_the_run(plan, base, task, budget, monkeypatch):
    """A projection that forgets its limit is caught before its action is charged."""
    loose = RatioConstraint(3.0)
    kind = type(budget)
    monkeypatch.setattr(kind, "project", lambda self, base, task, limits: loose.project(base, task))
    with pytest.raises(ArithmeticError, match="left its limit"):
        run_scenarios(plan, ProjectedBehaviour(base, task, budget), 0, 50)
    monkeypatch.setattr(kind, "within", lambda self, step, *rest: step.valid())
    with pytest.raises(ArithmeticError, match="overspent its budget"):
        run_scenarios(plan, ProjectedBehaviour(base, task, budget), 0, 50)


def test_a_refund_may_raise_what_is_left_above_the_start(base, task, plan):
    constraint = PathwiseBudgetAll(1.7)
    most = []
    spend = constraint.spend

    class Watching(PathwiseBudgetAll):
        """Remembers the most that was ever left."""

        def spend(self, state, cost):
            after = spend(state, cost)
            most.append(after[:, 0].max())
            return after

    run_scenarios(plan, ProjectedBehaviour(base, task, Watching(1.7)), 0, 100)
    assert 1.7 < max(most) < math.inf
