"""Steps of the task alone: only what a violation ended is run again, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.constraints import constraint_from_json
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.evaluation import (
    may_have_ended_by_violation,
    task_steps,
    through_violations,
)
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy
from sport_ray.rollouts import Behaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.environment import POINT_REACH_AVOID

COUNT = 400
PLAN = ScenarioPlan(
    env_id=POINT_REACH_AVOID,
    env_kwargs={"layout": "random"},
    property="(!hazard) U goal",
    horizon=25,
    root_seed=5,
    purpose="evaluate",
    environment_horizon=40,
)


@pytest.fixture(scope="module", params=["ratio", "pathwise_all"])
def behaviour(request: pytest.FixtureRequest) -> Behaviour:
    """The shipped base projected onto a policy that is some way off, and violates often."""
    base = load_policy(BUNDLED / "point_reach_avoid").network
    task = PolicyNetwork(base.spec)
    task.load_state_dict({name: value * 1.3 for name, value in base.state_dict().items()})
    limit = {"ratio": {"alpha": 3.0}, "pathwise_all": {"log_budget": 8.0}}[request.param]
    constraint = constraint_from_json({"name": request.param, **limit})
    return ProjectedBehaviour(FrozenPolicy(base), FrozenPolicy(task), constraint)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"horizon": 8},
        {"env_kwargs": {"layout": "random", "actuation_noise": 0.3}},
        {"property": "(!goal) U hazard"},
    ],
    ids=["as shipped", "a short horizon", "a noisy world", "another property of that form"],
)
def test_the_steps_are_those_of_a_whole_second_run_to_the_bit(behaviour, changes):
    plan = PLAN.model_copy(update=changes)
    outcomes = run_scenarios(plan, behaviour, 0, COUNT)
    whole = run_scenarios(through_violations(plan), behaviour, 0, COUNT).length
    found = task_steps(plan, behaviour, outcomes)
    assert found is not None
    np.testing.assert_array_equal(found, whole)
    assert found.dtype == whole.dtype
    assert (found != outcomes.length).any() or plan.horizon < 10  # a violation did cut some short


def test_few_scenarios_are_run_again(behaviour):
    outcomes = run_scenarios(PLAN, behaviour, 0, COUNT)
    again = may_have_ended_by_violation(PLAN, outcomes)
    violated = ~outcomes.satisfied_by(PLAN.horizon)
    assert not (again & ~violated).any()
    assert 0 < again.sum() < COUNT / 2


def test_a_task_without_a_goal_has_no_steps(behaviour):
    plan = PLAN.model_copy(update={"property": "G !hazard"})
    outcomes = run_scenarios(plan, behaviour, 0, 5)
    assert task_steps(plan, behaviour, outcomes) is None
