"""tanh in the environment."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.envs.squash import TanhActions, TanhVectorActions
from sport_ray.envs.vector import PointReachAvoidVectorEnv


def test_single_steps_with_the_squashed_action():
    squashed, plain = TanhActions(PointReachAvoidEnv()), PointReachAvoidEnv()
    squashed.reset()
    plain.reset()
    for u in np.random.default_rng(0).normal(0, 2, (20, 2)).astype(np.float32):
        got, want = squashed.step(u), plain.step(np.tanh(u.astype(np.float64)))
        np.testing.assert_array_equal(got[0], want[0])
        assert got[1:4] == want[1:4]


def test_vector_steps_with_the_squashed_actions():
    squashed = TanhVectorActions(PointReachAvoidVectorEnv(num_envs=3, layout="random", horizon=6))
    plain = PointReachAvoidVectorEnv(num_envs=3, layout="random", horizon=6)
    squashed.reset(seed=1)
    plain.reset(seed=1)
    for u in np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32):
        got, want = squashed.step(u), plain.step(np.tanh(u.astype(np.float64)))
        for g, w in zip(got[:4], want[:4], strict=True):
            np.testing.assert_array_equal(g, w)
    assert squashed.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


def test_action_spaces_are_unbounded():
    single = TanhActions(PointReachAvoidEnv()).action_space
    vector = TanhVectorActions(PointReachAvoidVectorEnv(num_envs=3))
    assert single == vector.single_action_space
    assert np.isneginf(single.low).all()
    assert np.isposinf(single.high).all()
    assert vector.action_space.shape == (3, 2)
    assert single.dtype == np.float32


@pytest.mark.parametrize("u", [np.inf, 1e30, 20.0])
def test_saturation_is_the_full_action(u):
    assert TanhActions(PointReachAvoidEnv()).action([u, -u]).tolist() == [1.0, -1.0]


def test_nan_reaches_the_environment_and_is_refused():
    env = TanhActions(PointReachAvoidEnv())
    env.reset()
    with pytest.raises(ValueError, match="slot 0 got"):
        env.step(np.array([np.nan, 0.0]))


def test_other_action_spaces_are_refused():
    with pytest.raises(ValueError, match="env: expected actions in a Box from -1 to 1"):
        TanhActions(gymnasium.make("CartPole-v1"))
    with pytest.raises(ValueError, match="env: expected actions in a Box from -1 to 1"):
        TanhActions(TanhActions(PointReachAvoidEnv()))
