"""The collector: what it writes down is what the environment gives when it is replayed."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import sport_ray
from sport_ray.comparators.presa.behaviours import make_behaviour
from sport_ray.comparators.presa.episodes import Episodes, collect
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy
from sport_ray.properties import NEVER
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios

assert sport_ray


@pytest.fixture
def episodes(robot_plan: ScenarioPlan, small_base) -> Episodes:
    base = FrozenPolicy(small_base)
    return collect(robot_plan, base.spec, make_behaviour("close", base), 0, 40)


def test_a_replay_gives_the_same_observations_rewards_and_signals(robot_plan, episodes):
    """Each episode's actions, in the gymnasium environment, from the same generator's layout."""
    from sport_ray.rollouts.seeding import scenario_generators

    env = gymnasium.make(robot_plan.env_id, disable_env_checker=True, **robot_plan.env_kwargs)
    inner = env.unwrapped
    assert len(set(episodes.lengths.tolist())) > 2
    for i, length in enumerate(episodes.lengths):
        layout, _ = scenario_generators(robot_plan.root_seed, robot_plan.purpose, i)
        inner.np_random = layout
        observation, info = env.reset()
        np.testing.assert_array_equal(observation, episodes.observations[i, 0])
        for t in range(length):
            assert [info["signals"][name] for name in ("hazard", "goal")] == (
                episodes.signals[i, t].tolist()
            )
            np.testing.assert_array_equal(observation, episodes.observations[i, t])
            action = np.tanh(episodes.actions[i, t])
            observation, reward, ended, _, info = inner.step(action)
            assert reward == episodes.rewards[i, t]
            assert ended == (t == length - 1 and length < robot_plan.horizon) or t == 21
        assert info["signals"]["goal"] == episodes.signals[i, length, 1]


def test_the_base_goes_as_in_run_scenarios(robot_plan, small_base):
    """The same plan, the same scenarios: lengths, rewards and verdicts agree."""
    base = FrozenPolicy(small_base)
    got = collect(robot_plan, base.spec, make_behaviour("base", base), 3, 30)
    want = run_scenarios(robot_plan, BaseBehaviour(base), 3, 30, slots=7)
    np.testing.assert_array_equal(got.lengths, want.length)
    np.testing.assert_allclose(np.nansum(got.rewards, axis=1), want.total_reward, atol=1e-12)
    assert got.num_steps == want.length.sum()
    assert got.num_violations() == (want.violated_at != NEVER).sum()
    assert got.num_unsatisfied() == (want.robustness < 0.0).sum()


def test_beyond_an_episodes_end_there_is_nothing(robot_plan, episodes):
    steps = np.arange(robot_plan.horizon)
    for name in ("observations", "actions", "rewards"):
        values = getattr(episodes, name).reshape(40, robot_plan.horizon, -1)
        known = np.isfinite(values).all(axis=2)
        np.testing.assert_array_equal(known, steps < episodes.lengths[:, None])


def test_violations_are_counted_once_per_episode(robot_plan, small_base):
    base = FrozenPolicy(small_base)
    kwargs = {"layout": "fixed", "end_on_violation": False}
    plan = robot_plan.model_copy(update={"env_kwargs": kwargs})
    found = collect(plan, base.spec, make_behaviour("straight", base), 0, 20)
    entered = (found.signals[:, :, 0] >= 0.0).any(axis=1)  # NaN is not
    assert found.num_violations() == entered.sum() > 15
    assert ((found.signals[:, :, 0] >= 0.0).sum(axis=1) > 1).any()  # it goes on inside


def test_how_they_are_split_changes_nothing(robot_plan, small_base):
    base = FrozenPolicy(small_base)
    behaviour = make_behaviour("base", base)
    whole = collect(robot_plan, base.spec, behaviour, 0, 20)
    parts = [collect(robot_plan, base.spec, behaviour, *part) for part in ((0, 7), (7, 13))]
    joined = Episodes.concatenate(parts)
    for name in ("observations", "actions", "rewards", "signals", "lengths"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(joined, name))


def test_a_missing_signal_is_one_line(robot_plan, small_base):
    base = FrozenPolicy(small_base)
    plan = robot_plan.model_copy(update={"property": "(!hazard) U home"})
    with pytest.raises(UserError, match="needs the signal 'home'"):
        collect(plan, base.spec, make_behaviour("base", base), 0, 2)
