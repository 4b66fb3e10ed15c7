"""Making an environment with a horizon, and refusing actions in another range."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from sport_ray.envs.making import horizon_arguments, make_environment
from sport_ray.envs.spaces import require_unit_actions
from sport_ray.errors import UserError

EXAMPLE = "sport_ray.experiments.examples.pendulum:sport_ray_examples/SafePendulum-v0"


def test_the_horizon_reaches_those_that_know_it_and_those_that_do_not():
    robot = horizon_arguments("sport_ray/PointReachAvoid-v0", 7)
    assert robot == {"max_episode_steps": 7, "horizon": 7}
    assert horizon_arguments(EXAMPLE, 7) == {"max_episode_steps": 7}
    for env_id in ("Pendulum-v1", EXAMPLE):
        environment = make_environment(env_id, {}, 300)  # beyond the stock limit of 200
        environment.reset(seed=0)
        ends = [environment.step(environment.action_space.sample())[3] for _ in range(300)]
        assert ends.index(True) == 299


@pytest.mark.parametrize("env_id", ["nowhere:Pendulum-v1", "Nothing-v3"])
def test_an_id_that_nobody_registers_is_a_users_mistake(env_id):
    with pytest.raises(UserError, match=f"environment '{env_id}' cannot be made"):
        make_environment(env_id, {}, 5)


def test_an_id_that_is_named_without_its_module_is_told_the_remedy():
    with pytest.raises(UserError, match=r"If a module of yours .* 'module:mine/Nothing-v3'$"):
        make_environment("mine/Nothing-v3", {}, 5)


@pytest.mark.parametrize(
    ("low", "high", "fits"),
    [
        ([-1, -1], [1, 1], True),
        ([-np.inf, -np.inf], [np.inf, np.inf], True),
        ([-2, -2], [2, 2], False),
        ([-1, 0], [1, 1], False),
        ([-1, -1], [1, np.inf], False),
        ([-1, -np.inf], [1, np.inf], False),
    ],
)
def test_actions_have_the_range_of_tanh_or_none(low, high, fits):
    box = spaces.Box(np.float32(low), np.float32(high))
    if fits:
        require_unit_actions("Some-v0", box)
    else:
        with pytest.raises(UserError, match=r"'Some-v0' takes actions from .*RescaleAction"):
            require_unit_actions("Some-v0", box)
