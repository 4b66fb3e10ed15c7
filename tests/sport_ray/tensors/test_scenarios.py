"""Scenarios in tensors give the tables of the ordinary path, and name what goes wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import gymnasium
import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy
from sport_ray.rollouts import BaseBehaviour, Outcomes, ScenarioPlan, Tally, run_scenarios
from sport_ray.rollouts.environment import (
    GymnasiumScenarios,
    make_scenario_environment,
    usual_slots,
)
from sport_ray.tensors import PointRobot, register_tensor_environment
from sport_ray.tensors.scenarios import TensorScenarios
from tests.sport_ray.tensors.line import LINE, LINE_GYM

TENSOR_ROBOT, GYM_ROBOT = "sport_ray_tests/TensorRobot-v0", "sport_ray_tests/GymRobot-v0"


@pytest.fixture(scope="module", autouse=True)
def robots() -> None:
    """The robot in tensors alone, and as a gymnasium environment like any other."""
    register_tensor_environment(TENSOR_ROBOT, PointRobot)
    if GYM_ROBOT not in gymnasium.registry:
        entry = "sport_ray.envs.point_reach_avoid:PointReachAvoidEnv"
        gymnasium.register(GYM_ROBOT, entry, disable_env_checker=True)


@pytest.fixture(scope="module")
def robot_behaviour(small_base) -> BaseBehaviour:
    return BaseBehaviour(FrozenPolicy(small_base))


def plan(env_id: str, **more: Any) -> ScenarioPlan:
    told = {"property": "(!hazard) U goal", "horizon": 15, "root_seed": 2, "purpose": "certify"}
    return ScenarioPlan(env_id=env_id, **{**told, **more})


def require_equal(got: Outcomes, wanted: Outcomes) -> None:
    for field in fields(Outcomes):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(wanted, field.name))


def test_a_task_with_both_forms_has_the_same_table(line_behaviour):
    tally = Tally()
    got = run_scenarios(plan(LINE), line_behaviour, 0, 60, slots=7, tally=tally)
    tally.require_complete(60)
    wanted = run_scenarios(plan(LINE_GYM), line_behaviour, 0, 60, slots=60)
    require_equal(got, wanted)
    satisfied = (got.robustness >= 0.0).mean()
    assert 0.2 < satisfied < 0.98  # neither is trivial


@pytest.mark.parametrize(
    "world",
    [
        {"layout": "random"},
        {"layout": "random", "actuation_noise": 0.2, "start_noise": [0.05, 0.05, 0.5]},
        {"layout": "fixed", "reward": "base", "margin": 0.1},
    ],
    ids=str,
)
def test_the_robot_has_the_table_of_its_gymnasium_form(robot_behaviour, world):
    asked = {"env_kwargs": world, "horizon": 40}
    got = run_scenarios(plan(TENSOR_ROBOT, **asked), robot_behaviour, 3, 40, slots=9)
    require_equal(got, run_scenarios(plan(GYM_ROBOT, **asked), robot_behaviour, 3, 40))


def test_on_the_fixed_layout_also_that_of_the_array_simulator(robot_behaviour):
    asked = {"env_kwargs": {"layout": "fixed"}, "horizon": 40}
    got = run_scenarios(plan(TENSOR_ROBOT, **asked), robot_behaviour, 0, 80, slots=9)
    ordinary = plan("sport_ray/PointReachAvoid-v0", **asked)
    require_equal(got, run_scenarios(ordinary, robot_behaviour, 0, 80))


def test_an_environment_that_has_lived_gives_the_same_table(line_behaviour):
    wanted = run_scenarios(plan(LINE), line_behaviour, 0, 12)
    environment = plan(LINE).environment(4)
    run_scenarios(plan(LINE), line_behaviour, 50, 9, slots=4, environment=environment)
    got = run_scenarios(plan(LINE), line_behaviour, 0, 12, slots=4, environment=environment)
    require_equal(got, wanted)


def test_poses_are_there_if_the_environment_has_them():
    slots = np.array([2, 0])
    generators = [np.random.default_rng(i) for i in range(2)]
    robot = make_scenario_environment(TENSOR_ROBOT, {"layout": "random"}, 9, 3)
    assert isinstance(robot, TensorScenarios)
    robot.reset(slots, generators)
    poses = robot.poses(slots)
    assert poses is not None
    assert poses.shape == (2, 3)
    np.testing.assert_array_equal(poses, robot.environment.robots.state[slots, :3])
    line = make_scenario_environment(LINE, {}, 9, 3)
    assert line.poses(slots) is None
    line.close()
    assert line.environment.closed


def test_as_many_run_side_by_side_as_robots():
    for horizon in (20, 100, 100_000):
        wanted = usual_slots("sport_ray/PointReachAvoid-v0", horizon)
        assert usual_slots(LINE, horizon) == wanted >= usual_slots("Pendulum-v1", horizon)
    assert usual_slots(LINE, 20) > usual_slots("Pendulum-v1", 20)


def test_an_id_with_a_gymnasium_form_keeps_it():
    register_tensor_environment(LINE_GYM, "tests.sport_ray.tensors.line:Line")
    assert isinstance(make_scenario_environment(LINE_GYM, {}, 9, 3), GymnasiumScenarios)


def test_booleans_give_the_verdicts_of_the_numbers_that_they_compare(line_behaviour):
    tally = Tally()
    booleans = plan(LINE, env_kwargs={"spoil": "Booleans"})
    got = run_scenarios(booleans, line_behaviour, 0, 30, tally=tally)
    tally.require_complete(30)
    assert tally.signals.kinds["goal"] == {"Boolean"}
    wanted = run_scenarios(plan(LINE), line_behaviour, 0, 30)
    np.testing.assert_array_equal(got.verdicts, wanted.verdicts)
    assert set(np.abs(got.robustness)) == {1.0}


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        ("NaN signal", "scenario 6, step 2: signal 'hazard' is NaN"),
        ("infinite observation", "scenario 7, step 2: the observation is inf at entry 1"),
        ("NaN reward", "scenario 5, step 1: the reward is nan"),
        ("observation shape", r"'{}': observation has shape \(3, 1\): expected \(3, 2\)"),
        ("integer ends", "'{}': terminated has dtype int64"),
        ("raises", "'{}': RuntimeError: no such world$"),
        ("num_slots", "'{}' cannot be made: num_slots is 4: expected the 3"),
    ],
)
def test_what_goes_wrong_is_named(line_behaviour, spoil, what):
    asked = plan(LINE, env_kwargs={"spoil": spoil})
    with pytest.raises(UserError, match=what.format(LINE)) as caught:
        run_scenarios(asked, line_behaviour, 5, 6, slots=3)
    assert "\n" not in str(caught.value)
    assert LINE in str(caught.value)


def test_what_cannot_be_made_is_told():
    with pytest.raises(UserError, match=r"cannot be made: TypeError: .*'colour'"):
        plan(LINE, env_kwargs={"colour": 3}).environment(2)
    with pytest.raises(UserError, match=r"cannot be made: .*tpu"):
        plan(LINE, env_kwargs={"device": "tpu"}).environment(2)
    with pytest.raises(UserError, match="cannot be made: ModuleNotFoundError"):
        plan("no_such_module:Name-v0").environment(2)
