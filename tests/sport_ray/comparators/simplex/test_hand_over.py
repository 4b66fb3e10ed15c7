"""Hand-over rollouts: who acts when, what is kept of them, and what they count."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.comparators.simplex import hand_overs
from sport_ray.comparators.simplex.hand_over import HandOverBehaviour, base_has_turn
from sport_ray.policies import FrozenPolicy
from sport_ray.rollouts.transitions import collect_transitions


@pytest.fixture
def run(walk_base, walk_task, walk_plan):
    def found(count: int):
        return hand_overs(walk_plan, walk_base, FrozenPolicy(walk_task), count)

    return found


def test_whose_turn_it_is():
    schedule = np.array([[1.0, 3.0, 5.0]]).repeat(7, axis=0)
    assert base_has_turn(schedule, np.arange(7)).tolist() == [0, 1, 1, 0, 0, 1, 1]


def test_schedules_are_drawn_as_they_are_said_to_be(walk_base, walk_task):
    """C is uniform on 0 … L, and in half of them the base acts for a while before it."""
    behaviour = HandOverBehaviour(walk_base, FrozenPolicy(walk_task), np.array([4]), 12)
    found = behaviour._schedules(np.random.default_rng(0).random((50_000, 4)))
    begins, ends, over = found.T
    assert ((begins >= 0) & (begins <= ends) & (ends <= over)).all()
    np.testing.assert_allclose(np.bincount(over.astype(int)) / len(over), 0.2, atol=0.01)
    broken = ends > begins
    np.testing.assert_allclose(broken[over > 0].mean(), 0.5, atol=0.01)
    starts = np.bincount(begins[broken & (over == 4)].astype(int))
    np.testing.assert_allclose(starts / starts.sum(), 0.25, atol=0.03)


def test_what_is_kept_is_open_and_knows_who_acts(run):
    found = run(200)
    steps = found.steps
    assert not (found.base_to_end & found.task_acts).any()
    first = steps.scenario < 40  # a fifth are pilots, which never hand over
    assert found.task_acts[first].all()
    assert found.base_to_end[~first].any()
    settled = np.where(steps.violated_at >= 0, steps.violated_at, steps.satisfied_at)
    assert (steps.step < np.where(settled < 0, 12, settled)).all()
    last = np.flatnonzero(found.settles)
    assert len(last) == len(np.unique(steps.scenario))
    assert (np.diff(steps.scenario)[last[:-1]] > 0).all()
    for one in np.unique(steps.scenario):
        assert len(set(found.violated[steps.scenario == one])) == 1
    assert found.episodes == 200
    assert 0 < found.violations < 200
    # The walk ends where its verdict is settled: every step is open.
    assert found.env_steps == len(steps)


def test_the_actions_are_those_of_who_is_said_to_act(walk_base, walk_task, walk_plan):
    """The task policy's mean lies 0.6 below the base's, its spread is the same."""
    task = FrozenPolicy(walk_task)
    found = hand_overs(walk_plan, walk_base, task, 400)
    steps = found.steps
    for acts, policy in ((found.task_acts, task), (~found.task_acts, walk_base)):
        mean, std = policy.distribution(steps.observation[acts]).arrays()
        noise = (steps.action[acts] - mean) / std
        assert abs(noise.mean()) < 4.0 / np.sqrt(acts.sum())


def test_rollouts_do_not_depend_on_slots(walk_base, walk_task, walk_plan):
    behaviour = HandOverBehaviour(walk_base, FrozenPolicy(walk_task), np.array([3, 5, 9]), 12)
    one, many = (collect_transitions(walk_plan, behaviour, 0, 30, slots=n)[0] for n in (1, 30))
    np.testing.assert_array_equal(one.action, many.action)


def test_one_rollout_is_too_few(run):
    with pytest.raises(ValueError, match="count must be at least 2, got 1"):
        run(1)
