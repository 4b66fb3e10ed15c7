"""Robots side by side are each cell's own environment; any environment goes one by one."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.projected_ppo.cohort.environment import (
    SeparateEnvironments,
    _made,
    cohort_environment,
)
from sport_ray.projected_ppo.cohort.robots import CohortOfRobots


def separate(contexts, copies) -> SeparateEnvironments:
    return SeparateEnvironments([_made(context, copies) for context in contexts])


@pytest.mark.parametrize("kinds", [["ratio", "unconstrained"], ["mean_shift", "pathwise"]])
@pytest.mark.parametrize(
    "kwargs",
    [
        {"horizon": 7, "layout": "random"},
        {"horizon": 20, "layout": "random", "reward": "guided", "end_on_violation": False},
        {"horizon": 9, "actuation_noise": [0.3, 0.2], "start_noise": [0.2, 0.2, 0.5]},
    ],
    ids=["random", "guided", "noisy"],
)
def test_robots_together_give_the_numbers_of_each_cells_environment(rollout, cell, kinds, kwargs):
    """Through pauses, resets, budgets and counts of violations, to the bit."""
    configs = [cell(seed, kind, 3, kwargs=kwargs) for seed, kind in enumerate(kinds)]
    fast, slow = rollout(configs), rollout(configs, separate)
    assert isinstance(fast.environment, CohortOfRobots)
    violations = 0
    for _ in range(3):
        got, expected = fast.sample(150), slow.sample(150)
        assert got.finished == expected.finished
        assert got.violations == expected.violations
        violations += sum(got.violations)
        for one, other in zip(got.fragments, expected.fragments, strict=True):
            for name in ("observations", "actions", "rewards", "terminated", "truncated", "taken"):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name
            assert len(one) >= 150
    if kwargs["horizon"] == 20:
        assert violations > 0


@pytest.mark.parametrize("kinds", [["ratio", "unconstrained"], ["mean_shift", "pathwise"]])
def test_robots_together_end_by_the_property_as_they_do_by_themselves(rollout, cell, kinds):
    """And as each cell's environment does, with violations counted the same."""
    kwargs = {"horizon": 20, "layout": "random", "start_noise": [0.1, 0.1, 0.5]}
    native = [cell(seed, kind, 3, kwargs=kwargs) for seed, kind in enumerate(kinds)]
    kwargs = {**kwargs, "end_on_violation": False}
    formula = "(!hazard) U goal"
    general = [
        cell(seed, kind, 3, kwargs=kwargs, ends_when_violated=formula)
        for seed, kind in enumerate(kinds)
    ]
    fast = rollout(general)
    assert isinstance(fast.environment, CohortOfRobots)
    expected = rollout(native).sample(900)
    violations = 0
    for got in (fast.sample(900), rollout(general, separate).sample(900)):
        assert got.finished == expected.finished
        assert got.violations == expected.violations
        violations += sum(got.violations)
        for one, other in zip(got.fragments, expected.fragments, strict=True):
            for name in ("observations", "actions", "rewards", "terminated", "truncated", "taken"):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert violations > 4
    assert rollout([cell(0, kinds[0], 3, kwargs=kwargs)]).sample(900).finished != expected.finished


def test_a_cell_that_has_enough_is_paused(rollout, cell):
    """With resets at other times the cells need other numbers of wall steps; none loses any."""
    sampler = rollout([cell(seed, copies=1) for seed in range(4)])
    total = np.zeros(4, dtype=int)
    for _ in range(5):
        sample = sampler.sample(33)
        for index, fragment in enumerate(sample.fragments):
            total[index] += len(fragment)
            assert len(fragment) == 33
            assert fragment.taken[-1].any()
    assert (total == 165).all()


def test_other_environments_go_one_by_one(rollout, cell):
    """Gymnasium's copies, cut from outside, and whatever is no robot."""
    cut = rollout([cell(1, cut_after=5), cell(2, cut_after=5)])
    assert isinstance(cut.environment, SeparateEnvironments)
    sample = cut.sample(40)
    lengths = [length for one in sample.finished for length, _ in one]
    assert lengths
    assert max(lengths) == 5


def test_an_environment_that_raises_fails_its_cell_alone(rollout, cell):
    def breaking(contexts, copies):
        made = separate(contexts, copies)
        inner = made.environments[1]
        step, count = inner.step, [0]

        def failing(actions):
            count[0] += 1
            if count[0] > 10:
                raise RuntimeError("the robot fell over")
            return step(actions)

        inner.step = failing
        return made

    configs = [cell(seed, copies=1) for seed in (1, 2, 3)]
    whole, broken = rollout(configs), rollout(configs, breaking)
    sound, found = whole.sample(60), broken.sample(60)
    assert str(found.errors[1]) == "the robot fell over"
    assert list(found.errors) == [1]
    assert found.fragments[1] is None
    for index in (0, 2):
        assert np.array_equal(found.fragments[index].actions, sound.fragments[index].actions)
    again = broken.sample(60)
    assert not again.errors
    assert again.fragments[1] is None
    assert np.array_equal(again.fragments[2].actions, whole.sample(60).fragments[2].actions)


def test_both_kinds_have_the_spaces_of_the_single_environment(cell):
    from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig

    contexts = ProjectedPPOCohortConfig().cells([cell(1, "pathwise")]).contexts()
    fast, slow = cohort_environment(contexts, 2), separate(contexts, 2)
    assert fast.observation_space == slow.observation_space
    assert fast.action_space == slow.action_space
    assert fast.observation_space.shape == (46,)


@pytest.mark.parametrize("judged", [("(!hazard) U goal", 15), ("(!hazard) U goal", 4)])
def test_robots_together_judge_as_each_cells_environment_does(rollout, cell, judged):
    """Late episodes count too, and with T = 4 nearly all of them are late."""
    kwargs = {"horizon": 15, "layout": "random", "start_noise": [0.1, 0.1, 0.5]}
    configs = [cell(seed, "ratio", 3, kwargs=kwargs, judged=judged) for seed in (0, 1)]
    by_hazard = [cell(seed, "ratio", 3, kwargs=kwargs) for seed in (0, 1)]
    fast, slow, hazard = rollout(configs), rollout(configs, separate), rollout(by_hazard)
    assert isinstance(fast.environment, CohortOfRobots)
    for _ in range(3):
        got, expected, entered = fast.sample(150), slow.sample(150), hazard.sample(150)
        assert got.finished == expected.finished == entered.finished
        assert got.violations == expected.violations
        assert all(a > b for a, b in zip(got.violations, entered.violations, strict=True))
