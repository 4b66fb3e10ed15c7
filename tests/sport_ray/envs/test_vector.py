"""The vector environment: equal to single ones, NEXT_STEP autoreset, gymnasium's info format."""

from __future__ import annotations

import time

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from sport_ray.envs.layouts import FIXED_LAYOUT
from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.envs.vector import PointReachAvoidVectorEnv
from sport_ray.errors import UserError

ENV_ID = "sport_ray/PointReachAvoid-v0"
TOWARDS_GOAL = {"pose": (0.0, 0.0, 0.0), "goal": (0.45, 0.0), "hazard": (50.0, 0.0)}


def assert_same(got, want):
    """Equal to the bit, through nested dicts."""
    if isinstance(want, dict):
        assert set(got) == set(want)
        for key in want:
            assert_same(got[key], want[key])
    else:
        np.testing.assert_array_equal(got, want)
        assert np.asarray(got).dtype == np.asarray(want).dtype


@pytest.mark.parametrize("end_on_violation", [True, False])
@pytest.mark.parametrize("reward", ["task", "base"])
def test_equals_gymnasiums_vector_of_single_environments(reward, end_on_violation):
    """Observations, rewards, ends, infos and autoresets, to the bit, over several episodes."""
    kwargs = {
        "layout": "random",
        "horizon": 30,
        "reward": reward,
        "end_on_violation": end_on_violation,
    }
    ours = PointReachAvoidVectorEnv(num_envs=12, **kwargs)
    theirs = SyncVectorEnv([lambda: PointReachAvoidEnv(**kwargs)] * 12)
    assert theirs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    rng = np.random.default_rng(2)
    for seed in (11, None, [5, None, *range(10)]):
        for got, want in zip(ours.reset(seed=seed), theirs.reset(seed=seed), strict=True):
            assert_same(got, want)
        ends = 0
        for _ in range(75):
            # Mostly forward, so that hazards are entered.
            actions = rng.uniform([-0.02, -1.0], [0.1, 1.0], (12, 2))
            got, want = ours.step(actions), theirs.step(actions)
            for g, w in zip(got, want, strict=True):
                assert_same(g, w)
            ends += (got[2] | got[3]).sum()
        assert ends >= 24
        assert got[2].dtype == np.bool_


def test_next_step_autoreset_ignores_the_action_and_returns_the_reset_observation():
    env = PointReachAvoidVectorEnv(num_envs=2, horizon=50)
    env.reset(options={key: [value, value] for key, value in TOWARDS_GOAL.items()})
    env.simulator.set_state(1, goal=(90.0, 0.0))
    forward = np.tile([1.0, 0.0], (2, 1))
    ends = [env.step(forward)[2].tolist() for _ in range(2)]
    assert ends == [[False, False], [True, False]]
    final = env.simulator.poses([0, 1])
    ignored = forward.copy()
    ignored[0] = np.nan
    obs, reward, terminated, truncated, infos = env.step(ignored)
    assert reward[0] == 0.0
    assert reward[1] != 0.0
    assert not terminated.any()
    assert not truncated.any()
    np.testing.assert_array_equal(infos["pose"][0], FIXED_LAYOUT.pose)
    assert infos["pose"][1, 0] > final[1, 0]
    fresh, _ = PointReachAvoidEnv().reset()
    np.testing.assert_array_equal(obs[0], fresh)
    moved = env.step(forward)[4]["pose"]
    assert (moved[0] != FIXED_LAYOUT.pose).any()


def test_horizon_truncates_and_starts_again():
    env = PointReachAvoidVectorEnv(num_envs=3, horizon=4)
    env.reset(seed=0)
    flags = [env.step(np.zeros((3, 2)))[3].all() for _ in range(12)]
    assert flags == [False, False, False, True, False] * 2 + [False, False]


def test_sub_environment_i_gets_seed_plus_i():
    env = PointReachAvoidVectorEnv(num_envs=4, layout="random")
    single = PointReachAvoidEnv(layout="random")
    obs, infos = env.reset(seed=20)
    for i in range(4):
        want, info = single.reset(seed=20 + i)
        np.testing.assert_array_equal(obs[i], want)
        np.testing.assert_array_equal(infos["pose"][i], info["pose"])
    again, _ = env.reset(seed=[23, 22, 21, 20])
    np.testing.assert_array_equal(again, obs[::-1])


def test_environments_without_a_seed_differ():
    obs, _ = PointReachAvoidVectorEnv(num_envs=4, layout="random").reset()
    assert len(np.unique(obs, axis=0)) == 4


def test_make_vec_gives_the_spaces_and_metadata_that_rllib_reads():
    env = gymnasium.make_vec(ENV_ID, num_envs=5, layout="random", horizon=9)
    assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert env.single_observation_space.shape == (44,)
    assert env.observation_space.shape == (5, 44)
    assert env.single_action_space == PointReachAvoidEnv().action_space
    obs, _ = env.reset(seed=1, options=None)
    assert obs in env.observation_space
    assert env.step(env.action_space.sample())[0] in env.observation_space


def test_options_set_states_for_all_or_one_by_one():
    env = PointReachAvoidVectorEnv(num_envs=2)
    goals = [[0.0, 1.9], [0.1, 2.0]]
    _, infos = env.reset(options={"pose": (0.1, 0.2, 0.3), "goal": goals})
    assert infos["pose"].tolist() == [[0.1, 0.2, 0.3]] * 2
    assert env.simulator.goals.tolist() == goals
    assert env.simulator.hazards.tolist() == [list(FIXED_LAYOUT.hazard)] * 2


def test_reset_mask_resets_only_some():
    env = PointReachAvoidVectorEnv(num_envs=3, horizon=2)
    env.reset(seed=0)
    for _ in range(2):
        obs, *_ = env.step(np.ones((3, 2)))
    options = {"reset_mask": np.array([False, True, False]), "pose": (0.0, 0.0, 1.0)}
    after, infos = env.reset(options=options)
    assert infos["_pose"].tolist() == [False, True, False]
    assert "reset_mask" in options
    np.testing.assert_array_equal(after[[0, 2]], obs[[0, 2]])
    assert infos["pose"][1].tolist() == [0.0, 0.0, 1.0]
    _, reward, *_, infos = env.step(np.ones((3, 2)))
    assert reward[[0, 2]].tolist() == [0.0, 0.0]
    assert reward[1] != 0.0
    assert infos["pose"][0].tolist() == list(FIXED_LAYOUT.pose)


def test_infos_are_the_callers():
    env = PointReachAvoidVectorEnv(num_envs=2)
    env.reset()
    first = env.step(np.ones((2, 2)))
    kept = first[4]["pose"].copy(), first[0].copy()
    first[2][:] = True  # must not cause a reset
    env.step(np.ones((2, 2)))
    np.testing.assert_array_equal(first[4]["pose"], kept[0])
    np.testing.assert_array_equal(first[0], kept[1])
    assert (env.step(np.ones((2, 2)))[1] != 0.0).all()


def test_render_gives_one_picture_per_environment():
    env = PointReachAvoidVectorEnv(num_envs=2, layout="random", render_mode="rgb_array")
    env.reset(seed=0)
    env.step(np.ones((2, 2)))
    one, two = env.render()
    assert one.shape == two.shape
    assert (one != two).any()
    assert PointReachAvoidVectorEnv(num_envs=2).render() is None


def test_misuse_is_refused():
    env = PointReachAvoidVectorEnv(num_envs=3)
    with pytest.raises(ResetNeeded, match="before calling"):
        env.step(np.zeros((3, 2)))
    with pytest.raises(ResetNeeded, match="must reset all environments"):
        env.reset(options={"reset_mask": np.array([True, False, True])})
    with pytest.raises(UserError, match="'reset_mask' has shape"):
        env.reset(options={"reset_mask": [1, 0, 1]})
    with pytest.raises(ValueError, match="seed: expected 3 seeds, got 2"):
        env.reset(seed=[1, 2])
    with pytest.raises(UserError, match="reset option 'poze' is unknown: did you mean 'pose'"):
        env.reset(options={"poze": (0, 0, 0)})
    env.reset()
    with pytest.raises(ValueError, match=r"actions: expected shape \(3, 2\), got \(2, 2\)"):
        env.step(np.zeros((2, 2)))
    actions = np.zeros((3, 2))
    actions[2, 0] = np.nan
    with pytest.raises(ValueError, match="slot 2 got"):
        env.step(actions)
    with pytest.raises(UserError, match="num_envs is 0: expected"):
        PointReachAvoidVectorEnv(num_envs=0)


def test_speed_is_at_least_100_000_env_steps_per_second():
    """On one core, autoresets, observations, rewards and infos included; the best of five."""
    env = PointReachAvoidVectorEnv(num_envs=256, layout="random")
    env.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (110, 256, 2)).astype(np.float32)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        for action in actions:
            env.step(action)
        seconds.append(time.process_time() - start)
    assert actions.size / 2 / min(seconds) > 100_000
