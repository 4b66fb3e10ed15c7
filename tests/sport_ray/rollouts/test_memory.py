"""A base that remembers, in scenarios: from nothing at each start, beside a budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sport_ray.constraints import constraint_from_json
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.recurrence import Recurrence
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.shadow import Shadowed
from sport_ray.tensors.acting import can_act
from tests.sport_ray.rollouts.conftest import WALK

HORIZON = 12


def spec_of(**more: Any) -> PolicySpec:
    return PolicySpec(
        observation_size=2, action_size=1, hidden=(6,), log_std_min=-2.0, log_std_max=0.0, **more
    )


def frozen_of(seed: int, **more: Any) -> FrozenPolicy:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = PolicyNetwork(spec_of(**more))
    with torch.no_grad():
        for value in network.parameters():
            value *= 2.0  # so that the past is felt
    return FrozenPolicy(network)


@pytest.fixture(scope="module")
def base() -> FrozenPolicy:
    """A recurrent policy."""
    return frozen_of(1, recurrence=Recurrence(size=5, layers=2))


@pytest.fixture(scope="module")
def task() -> FrozenPolicy:
    """One that remembers nothing."""
    return frozen_of(2)


@pytest.fixture(scope="module")
def plan() -> ScenarioPlan:
    return ScenarioPlan(
        env_id=WALK, env_kwargs={}, property="(!hazard) U goal", horizon=HORIZON, root_seed=3,
        purpose="certify",
    )  # fmt: skip


CONSTRAINTS: list[dict[str, Any]] = [
    {"name": "ratio", "alpha": 1.2},
    {"name": "pathwise_spread", "log_budget": 0.5},
    {"name": "unconstrained"},
]


def columns(outcomes: Any) -> list[np.ndarray]:
    return [outcomes.length, outcomes.total_reward, outcomes.sum_log_ratio, outcomes.robustness]


@pytest.mark.parametrize("given", [None, *CONSTRAINTS], ids=str)
def test_scenarios_do_not_depend_on_who_runs_beside_them(plan, base, task, given):
    behaviour: Any = BaseBehaviour(base)
    if given is not None:
        behaviour = ProjectedBehaviour(base, task, constraint_from_json(given))
    want = columns(run_scenarios(plan, behaviour, 0, 30, slots=30))
    for slots in (1, 7):
        for mine, its in zip(
            columns(run_scenarios(plan, behaviour, 0, 30, slots=slots)), want, strict=True
        ):
            np.testing.assert_array_equal(mine, its)


def test_the_past_is_felt_and_begins_anew(base):
    behaviour = BaseBehaviour(base)
    state = behaviour.start(1)
    assert state.shape == (1, 20)
    seen = np.array([[0.3, 0.1]])
    laws = []
    for _ in range(3):
        step = behaviour.step(seen, state)
        laws.append(np.asarray(step.chosen.parameters)[0])
        state = behaviour.spend(state, step, np.zeros((1, 1)))
    assert not np.array_equal(laws[0], laws[1])
    assert not np.array_equal(laws[1], laws[2])
    again = behaviour.step(seen, behaviour.start(1))
    np.testing.assert_array_equal(np.asarray(again.chosen.parameters)[0], laws[0])


@pytest.mark.parametrize("given", CONSTRAINTS[:2], ids=str)
def test_every_path_keeps_to_its_limit(plan, base, task, given):
    constraint = constraint_from_json(given)
    outcomes = run_scenarios(plan, ProjectedBehaviour(base, task, constraint), 0, 60)
    assert outcomes.projected_steps.sum() > 0
    if given["name"] == "ratio":
        assert (outcomes.max_log_ratio <= np.log(1.2)).all()
        assert (outcomes.sum_log_ratio <= outcomes.length * np.log(1.2) + 1e-12).all()
    else:
        assert (outcomes.sum_realised_log_ratio <= 0.5 + 1e-12).all()


@pytest.mark.parametrize("given", CONSTRAINTS[:2], ids=str)
def test_a_watched_base_is_the_base_itself(plan, base, task, given):
    """Also where the watcher could not have come: the base's memory goes on."""
    watcher = ProjectedBehaviour(base, task, constraint_from_json(given))
    own = run_scenarios(plan, BaseBehaviour(base), 0, 40)
    seen = run_scenarios(plan, Shadowed(watcher), 0, 40)
    for mine, its in zip(columns(seen), columns(own), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_the_budget_and_the_memory_stay_apart(base, task):
    constraint = constraint_from_json(CONSTRAINTS[1])
    behaviour = ProjectedBehaviour(base, task, constraint)
    state = behaviour.start(2)
    budget, memory = behaviour.split(state)
    np.testing.assert_array_equal(budget, constraint.start(2))
    assert memory.shape == (2, 20)
    step = behaviour.step(np.array([[0.1, 0.0], [0.4, 0.2]]), state)
    drawn = step.chosen.sample(np.array([[0.5], [-1.0]]))
    after, kept = behaviour.split(behaviour.spend(state, step, drawn))
    cost = constraint.cost(step.chosen, step.base, drawn)
    np.testing.assert_array_equal(after, constraint.spend(budget, cost))
    np.testing.assert_array_equal(kept, step.memory)


def test_a_task_policy_may_see_the_budget_but_not_remember(base):
    constraint = constraint_from_json(CONSTRAINTS[1])
    with_budget = frozen_of(2).spec.model_copy(update={"observation_size": 4})
    sees = ProjectedBehaviour(base, FrozenPolicy(PolicyNetwork(with_budget)), constraint)
    assert sees.sees_budget
    sees.step(np.array([[0.1, 0.0]]), sees.start(1))
    with pytest.raises(ValueError, match="only a base policy may remember"):
        ProjectedBehaviour(base, base, constraint)


def test_tensors_leave_it_to_the_plain_engine(base, task):
    assert not can_act(BaseBehaviour(base))
    assert can_act(BaseBehaviour(task))
