"""The regression that a choice may begin with: what it is fitted to, and that it finds it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies._warm_start import _returns, warm_start
from sport_ray.policies.actions import ActionMapping
from sport_ray.rollouts.transitions import Transitions
from sport_ray.selection.scores.preference import PreferenceNetwork, PreferenceSpec

MAPPING = ActionMapping("tanh")


@pytest.fixture
def task(small_study):
    return Study.model_validate(small_study).task(20, 0)


def rows(count: int = 20_000, **changes) -> Transitions:
    """First steps: 3 more lead to the goal where the action is positive, else 8."""
    rng = np.random.default_rng(0)
    action = rng.normal(size=(count, 2))
    left = np.where(action[:, 0] > 0.0, 3, 8)
    fields = {
        "scenario": np.arange(count),
        "step": np.zeros(count, dtype=np.int64),
        "observation": rng.normal(size=(count, 44)).astype(np.float32),
        "action": action,
        "reward": np.zeros(count),
        "length": left,
        "satisfied_at": left,
        "violated_at": np.full(count, -1),
    }
    return Transitions(**(fields | changes))


def new_network(**changes) -> PreferenceNetwork:
    return PreferenceNetwork(PreferenceSpec(observation_size=44, action_size=2, **changes))


@pytest.mark.parametrize("scale", [None, 2.0])
def test_the_better_action_is_preferred_by_what_it_saves(task, scale):
    """5 steps are 2 standard deviations of a return that is 3 or 8 with equal probability."""
    network = warm_start(task, rows(), new_network(limit_scale=scale), MAPPING, 6.0)
    seen = torch.from_numpy(np.random.default_rng(1).normal(size=(500, 44)).astype(np.float32))
    actions = torch.tensor([[-0.7, 0.1], [0.7, 0.1]]).expand(500, 2, 2)
    limits = None if scale is None else torch.full((500,), scale)
    with torch.no_grad():
        weights = network(seen, actions, limits)
    gained = (weights[:, 1] - weights[:, 0]).numpy()
    assert gained.mean() == pytest.approx(12.0, rel=0.1)
    assert gained.std() < 1.5


def test_the_same_seed_gives_the_same_weights(task):
    first, second = (
        warm_start(task, rows(2_000), seeded(), MAPPING, 6.0).state_dict() for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def seeded() -> PreferenceNetwork:
    torch.manual_seed(5)
    return new_network()


def test_the_return_is_the_steps_to_the_goal_and_failures_have_a_price(task):
    given = rows(
        4,
        scenario=np.array([0, 0, 1, 2]),
        step=np.array([0, 1, 3, 0]),
        satisfied_at=np.array([13, 13, -1, 90]),
        violated_at=np.array([-1, -1, 5, -1]),
    )
    assert _returns(task, given).tolist() == [-13.0, -12.0, -30.0, -30.0]


def test_without_a_goal_it_is_the_sum_of_rewards_to_come(task):
    safe = dataclasses.replace(task, property="G !hazard")
    given = rows(5, scenario=np.array([3, 3, 3, 8, 8]), reward=np.array([1.0, 2.0, 4.0, -5.0, 0.5]))
    assert _returns(safe, given).tolist() == [7.0, 6.0, 4.0, -4.5, 0.5]


def test_transitions_that_teach_nothing_are_refused(task):
    with pytest.raises(UserError, match="have one return") as caught:
        warm_start(task, rows(100, satisfied_at=np.full(100, 9)), new_network(), MAPPING, 6.0)
    assert "\n" not in str(caught.value)


def test_transitions_of_another_environment_are_refused(task):
    with pytest.raises(UserError, match="have 3 observations and 2 actions, the base 44 and 2"):
        warm_start(task, rows(100, observation=np.zeros((100, 3))), new_network(), MAPPING, 6.0)
