"""The behaviours that data come from: they do what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.comparators.presa.behaviours import (
    BEHAVIOURS,
    available_behaviours,
    lidar_target,
    make_behaviour,
    require_behaviours,
)
from sport_ray.comparators.presa.episodes import collect
from sport_ray.envs.observation import GOAL_LIDAR, HAZARD_LIDAR, LIDAR_BINS
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.errors import UserError
from sport_ray.policies import ActionMapping, FrozenPolicy
from sport_ray.rollouts.environment import POINT_REACH_AVOID

TANH = ActionMapping("tanh")


def test_bearing_and_distance_are_read_off_the_lidars():
    count = 400
    simulator = PointReachAvoidSimulator(count, layout="random")
    slots = np.arange(count)
    observation, _ = simulator.reset(slots, [np.random.default_rng(i) for i in range(count)])
    x, y, heading = simulator.poses(slots).T
    for start, centres in ((GOAL_LIDAR, simulator.goals), (HAZARD_LIDAR, simulator.hazards)):
        bearing, distance = lidar_target(observation[:, start : start + LIDAR_BINS])
        dx, dy = centres[:, 0] - x, centres[:, 1] - y
        np.testing.assert_allclose(distance, np.hypot(dx, dy), rtol=1e-12)
        error = bearing - (np.arctan2(dy, dx) - heading)
        np.testing.assert_allclose(np.sin(error), 0.0, atol=1e-12)
        assert (np.cos(error) > 0.0).all()
        assert (np.abs(bearing) <= np.pi).all()


def hazard_and_steps(robot_plan, base: FrozenPolicy, name: str) -> tuple[float, float]:
    """Share of episodes in the hazard, and their mean length, on the fixed layout."""
    kwargs = {"layout": "fixed", "end_on_violation": False}
    plan = robot_plan.model_copy(update={"env_kwargs": kwargs, "horizon": 40})
    episodes = collect(plan, base.spec, make_behaviour(name, base), 0, 100)
    return episodes.num_violations() / 100, float(episodes.lengths.mean())


def test_they_are_fast_and_unsafe_fast_and_safe_slow_and_safe(robot_plan, small_base):
    base = FrozenPolicy(small_base)  # untrained: not among them here
    straight, close, wide = (
        hazard_and_steps(robot_plan, base, name) for name in ("straight", "close", "wide")
    )
    assert straight[0] > 0.95
    assert wide[0] < 0.1
    assert straight[0] > close[0] > wide[0]
    assert straight[1] < close[1] < wide[1] < 25.0


def test_noisy_is_the_base_with_twice_its_std(small_base):
    base = FrozenPolicy(small_base)
    observation = np.random.default_rng(0).normal(size=(5, 44))
    mean, std = base.distribution(observation).arrays()
    noisy_mean, noisy_std = make_behaviour("noisy", base)(observation).arrays()
    np.testing.assert_array_equal(noisy_mean, mean)
    np.testing.assert_array_equal(noisy_std, 2.0 * std)
    np.testing.assert_array_equal(make_behaviour("base", base)(observation).arrays(), (mean, std))


def test_steering_is_for_the_point_robot_alone():
    assert available_behaviours(POINT_REACH_AVOID, TANH) == tuple(BEHAVIOURS)
    assert available_behaviours("Pendulum-v1", TANH) == ("base", "noisy")
    assert available_behaviours(POINT_REACH_AVOID, ActionMapping("none")) == ("base", "noisy")


@pytest.mark.parametrize(
    ("name", "message"),
    [("straight", "'straight' is not for this environment"), ("strait", "'strait' is unknown")],
)
def test_another_behaviour_is_refused(name, message):
    with pytest.raises(UserError, match=f"{message}; Pendulum-v1 has base, noisy"):
        require_behaviours(("base", name), ("base", "noisy"), "Pendulum-v1")
