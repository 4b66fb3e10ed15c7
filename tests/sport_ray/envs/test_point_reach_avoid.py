"""The single environment behind gymnasium's interface."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.seeding import np_random

from sport_ray.envs.layouts import FIXED_LAYOUT
from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv, robot_generator
from sport_ray.envs.vector import PointReachAvoidVectorEnv
from sport_ray.errors import UserError
from sport_ray.rollouts.seeding import scenario_generators

ENV_ID = "sport_ray/PointReachAvoid-v0"


@pytest.mark.parametrize("layout", ["fixed", "random"])
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.*imum value is")
def test_gymnasium_accepts_it(layout):
    check_env(gymnasium.make(ENV_ID, layout=layout, render_mode="rgb_array").unwrapped)


def test_recordings_are_reproduced_through_gymnasium(recorded, saturated):
    """Termination was ignored while recording, so the environment is stepped past its ends."""
    env = gymnasium.make(ENV_ID)
    for i in np.flatnonzero(saturated):
        start = {"pose": recorded["init"][i], "goal": recorded["goal"][i]}
        obs, info = env.reset(options={**start, "hazard": recorded["hazard"][i]})
        np.testing.assert_allclose(obs, recorded["obs0"][i], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(info["pose"], recorded["init"][i])
        for t, action in enumerate(recorded["actions"][i]):
            obs, reward, _, _, info = env.step(action)
            np.testing.assert_allclose(info["pose"], recorded["poses"][i, t], rtol=0, atol=1e-9)
            np.testing.assert_allclose(obs, recorded["obs"][i, t], rtol=0, atol=1e-9)
            assert reward == pytest.approx(recorded["rewards"][i, t], abs=1e-9)
            assert info["cost"] == recorded["costs"][i, t]
            assert info["goal_met"] == recorded["goal_met"][i, t]


def test_stepping_on_past_an_end_goes_on_simulating():
    env = gymnasium.make(ENV_ID, horizon=4)
    env.reset(options={"pose": (0, 0, 0), "goal": (0.5, 0), "hazard": (0, 50)})
    steps = [env.step(np.array([1.0, 0.0])) for _ in range(9)]
    assert [s[2] for s in steps] == [False] * 2 + [True] * 2 + [False] * 5
    assert [s[3] for s in steps] == [False] * 4 + [True] * 5
    x = [s[4]["pose"][0] for s in steps]
    assert (np.diff(x) > 0.1).all()


def test_info_says_where_the_robot_is_and_what_holds():
    env = PointReachAvoidEnv()
    _, info = env.reset(options={"pose": (0, 0, 0), "goal": (0.2, 0), "hazard": (3, 4)})
    assert info["pose"].dtype == np.float64
    assert info["pose"].tolist() == [0, 0, 0]
    assert info["signals"] == pytest.approx({"hazard": -4.5, "goal": 0.1})
    assert info["goal_met"] is True
    assert info["cost"] == 0
    _, info = env.reset(options={"hazard": FIXED_LAYOUT.pose[:2]})
    assert info["goal_met"] is False
    assert info["cost"] == 1
    *_, info = env.step(np.zeros(2))
    assert set(info) == {"pose", "signals", "goal_met", "cost"}


def test_options_not_given_come_from_the_layout():
    env = PointReachAvoidEnv()
    _, info = env.reset(options={"goal": (0.0, 1.9)})
    assert tuple(info["pose"]) == FIXED_LAYOUT.pose
    assert env.simulator.goals[0].tolist() == [0.0, 1.9]
    assert tuple(env.simulator.hazards[0]) == FIXED_LAYOUT.hazard
    env.reset()
    assert tuple(env.simulator.goals[0]) == FIXED_LAYOUT.goal


def test_seed_determines_all_layouts_until_the_next_seed():
    env = PointReachAvoidEnv(layout="random")

    def starts():
        return [env.reset(seed=seed)[1]["pose"].tolist() for seed in (3, None, None)]

    first = starts()
    assert starts() == first
    assert len({tuple(pose) for pose in first}) == 3
    assert env.reset(seed=4)[1]["pose"].tolist() not in first


def test_reset_leaves_no_trace_of_the_last_episode():
    env = PointReachAvoidEnv()
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 2))

    def episode():
        return [env.reset()[0], *(env.step(a)[0] for a in actions)]

    np.testing.assert_array_equal(episode(), episode())


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_the_worlds_numbers_are_nobody_elses_under_the_same_integer(seed):
    """A policy that draws from any plain generator with the world's seed is independent of it."""
    world = robot_generator(seed).standard_normal(64)
    env = PointReachAvoidEnv(actuation_noise=0.2)
    env.reset(seed=seed)
    env.step(np.zeros(2))
    noise = env.simulator._disturbances._noise[0].ravel()
    np.testing.assert_array_equal(noise, world)
    vector = PointReachAvoidVectorEnv(2, actuation_noise=0.2)
    vector.reset(seed=[seed, seed + 1])
    vector.step(np.zeros((2, 2)))
    np.testing.assert_array_equal(vector.simulator._disturbances._noise[0].ravel(), world)
    others = [np.random.default_rng(seed), np.random.default_rng([seed]), np_random(seed)[0]]
    others += [np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])]
    others += scenario_generators(seed, "evaluate", 0)
    for other in others:
        assert not np.intersect1d(other.standard_normal(64), world).size


def test_float64_actions_are_not_rounded():
    env = PointReachAvoidEnv()
    action = np.array([0.033, 1.0])
    env.reset()
    exact = env.step(action)[4]["pose"]
    env.reset()
    assert (env.step(action.astype(np.float32))[4]["pose"] != exact).any()


@pytest.mark.parametrize("call", [lambda e: e.step(np.zeros(2)), lambda e: e.render()])
def test_reset_comes_first(call):
    with pytest.raises(ResetNeeded, match=r"before calling env.reset\(\)"):
        call(PointReachAvoidEnv(render_mode="rgb_array"))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros(3), r"action: expected shape \(2,\), got \(3,\)"),
        (np.array([0.0, np.nan]), r"slot 0 got \[0.0, nan\]"),
    ],
)
def test_bad_actions_are_refused(action, message):
    env = PointReachAvoidEnv()
    env.reset()
    with pytest.raises(ValueError, match=message):
        env.step(action)


@pytest.mark.parametrize(
    "kwargs",
    [{"layout": "foo"}, {"horizon": 0}, {"reward": "x"}, {"render_mode": "human"}],
)
def test_bad_arguments_are_the_users(kwargs):
    name, value = next(iter(kwargs.items()))
    with pytest.raises(UserError, match=f"^{name} is {value!r}: expected"):
        PointReachAvoidEnv(**kwargs)


def test_bad_reset_options_leave_the_episode_as_it_was():
    env = PointReachAvoidEnv()
    env.reset(seed=0)
    env.step(np.ones(2))
    before = env.simulator.poses([0])
    with pytest.raises(UserError, match="reset option 'gaol'"):
        env.reset(options={"gaol": (0, 0)})
    np.testing.assert_array_equal(env.simulator.poses([0]), before)
