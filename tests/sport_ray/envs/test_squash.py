"""The action mapping in the environment."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.envs.squash import MappedActions, MappedVectorActions
from sport_ray.envs.vector import PointReachAvoidVectorEnv
from sport_ray.policies.actions import ActionMapping

TANH = ActionMapping("tanh")


def test_single_steps_with_the_squashed_action():
    squashed, plain = MappedActions(PointReachAvoidEnv(), TANH), PointReachAvoidEnv()
    squashed.reset()
    plain.reset()
    for u in np.random.default_rng(0).normal(0, 2, (20, 2)).astype(np.float32):
        got, want = squashed.step(u), plain.step(np.tanh(u.astype(np.float64)))
        np.testing.assert_array_equal(got[0], want[0])
        assert got[1:4] == want[1:4]


def test_vector_steps_with_the_squashed_actions():
    squashed = MappedVectorActions(
        PointReachAvoidVectorEnv(num_envs=3, layout="random", horizon=6), TANH
    )
    plain = PointReachAvoidVectorEnv(num_envs=3, layout="random", horizon=6)
    squashed.reset(seed=1)
    plain.reset(seed=1)
    for u in np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32):
        got, want = squashed.step(u), plain.step(np.tanh(u.astype(np.float64)))
        for g, w in zip(got[:4], want[:4], strict=True):
            np.testing.assert_array_equal(g, w)
    assert squashed.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


def test_action_spaces_are_unbounded():
    single = MappedActions(PointReachAvoidEnv(), TANH).action_space
    vector = MappedVectorActions(PointReachAvoidVectorEnv(num_envs=3), TANH)
    assert single == vector.single_action_space
    assert np.isneginf(single.low).all()
    assert np.isposinf(single.high).all()
    assert vector.action_space.shape == (3, 2)
    assert single.dtype == np.float32


@pytest.mark.parametrize("u", [np.inf, 1e30, 20.0])
def test_saturation_is_the_full_action(u):
    assert MappedActions(PointReachAvoidEnv(), TANH).action([u, -u]).tolist() == [1.0, -1.0]


def test_nan_reaches_the_environment_and_is_refused():
    env = MappedActions(PointReachAvoidEnv(), TANH)
    env.reset()
    with pytest.raises(ValueError, match="slot 0 got"):
        env.step(np.array([np.nan, 0.0]))


def test_other_action_spaces_are_refused():
    with pytest.raises(ValueError, match="env: expected actions in a Box"):
        env = gymnasium.make("CartPole-v1")
        env.action_space = gymnasium.spaces.Text(3)
        MappedActions(env, TANH)
