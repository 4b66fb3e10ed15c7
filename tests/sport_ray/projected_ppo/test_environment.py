"""Environments for training that are not the point robot."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sport_ray.envs.making import horizon_arguments
from sport_ray.errors import UserError
from sport_ray.projected_ppo.environment import TrainingEnvironment

EXAMPLE = "experiments.examples.pendulum:sport_ray_examples/SafePendulum-v0"


def context(env_id: str, horizon: int, **more: object) -> dict:
    return {
        "env_id": env_id,
        "kwargs": horizon_arguments(env_id, horizon),
        "squash": "tanh",
        **more,
    }


def test_a_stock_environment_is_cut_at_the_horizon_and_reset_on_the_next_step():
    vector = TrainingEnvironment(context(EXAMPLE, 6, num_envs=3))
    first, _ = vector.reset(seed=4)
    lows = []
    for step in range(1, 15):
        seen, reward, terminated, truncated, infos = vector.step(np.full((3, 1), 0.5))
        assert infos == {} and not terminated.any()
        assert truncated.all() == (step in (6, 13)) and truncated.any() == truncated.all()
        assert (reward == 0).all() == (step in (7, 14))  # these only reset
        lows.append(seen)
    assert not np.array_equal(lows[6], lows[5])
    np.testing.assert_array_less(np.abs(lows[6][:, 2]), 1.0 + 1e-6)  # the law of initial states
    assert first.shape == (3, 3)


def test_the_whole_torque_is_reached():
    """tanh(∞) is the stock environment's 2 N m, and tanh(0.5) its share of them."""
    from gymnasium.envs.classic_control.pendulum import PendulumEnv

    for action, torque in ((20.0, 2.0), (0.5, 2.0 * np.tanh(0.5)), (-20.0, -2.0)):
        single = TrainingEnvironment(context(EXAMPLE, 6))
        stock = PendulumEnv()
        stock.dt = single.unwrapped.dt
        single.reset(seed=1), stock.reset(seed=1)
        seen, reward, *_ = single.step(np.array([action]))
        expected, stock_reward, *_ = stock.step(np.array([torque]))
        np.testing.assert_allclose(seen, expected, atol=1e-6)
        assert reward == pytest.approx(stock_reward, abs=1e-6)


def test_the_robots_vector_environment_keeps_its_own_horizon():
    vector = TrainingEnvironment(context("sport_ray/PointReachAvoid-v0", 4, num_envs=2))
    vector.reset(seed=0)
    ends = [vector.step(np.zeros((2, 2)))[3].all() for _ in range(4)]
    assert ends == [False, False, False, True]


@pytest.mark.parametrize("more", [{}, {"num_envs": 2}])
def test_actions_in_another_range_are_refused(more):
    with pytest.raises(UserError, match=r"'Pendulum-v1' takes actions from -2 to 2"):
        TrainingEnvironment(context("Pendulum-v1", 6, **more))


def test_a_fresh_process_finds_the_id_by_its_module():
    code = (
        "from sport_ray.projected_ppo.environment import TrainingEnvironment\n"
        f"env = TrainingEnvironment({{'env_id': {EXAMPLE!r}, 'kwargs': {{'max_episode_steps': 5}},"
        " 'squash': 'tanh', 'num_envs': 2})\n"
        "print(env.reset(seed=0)[0].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "(2, 3)", done.stderr
