"""The robot in tensors is the simulator's robot: on a CPU to the bit, from the same seed."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch

from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.errors import UserError
from sport_ray.tensors import PointRobot, TensorEnvironment

SLOTS, STEPS = 6, 45
WORLDS = [
    {},
    {"layout": "random"},
    {"layout": "random", "end_on_violation": False, "reward": "base"},
    {"reward": "guided", "margin": 0.1, "layout": "random", "horizon": 17},
    {"actuation_noise": [0.3, 0.1], "actuation_bias": 0.05, "horizon": 40},
    {"layout": "random", "actuation_noise": 0.2, "start_noise": [0.1, 0.1, 9.0], "horizon": 33},
    {"start_bias": [0.0, 0.1, 1.5], "actuation_bias": [-0.2, 0.1]},
]


def actions_of(slot: int, spread: float = 1.3) -> np.ndarray:
    """What slot ``slot`` does; a part lies beyond the bounds."""
    drawn = np.random.default_rng(slot).normal(size=(STEPS, 2)) * spread
    drawn[:, 0] += 0.5
    return drawn


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_an_episode_has_the_bits_of_the_gymnasium_environment(world):
    robot = PointRobot(SLOTS, **world)
    seeds = torch.arange(SLOTS) * 1_000_003 + 17
    seen, signals = robot.reset(torch.ones(SLOTS, dtype=torch.bool), seeds)
    singles = [PointReachAvoidEnv(**world) for _ in range(SLOTS)]
    planned = np.stack([actions_of(slot) for slot in range(SLOTS)])
    ended = np.zeros(SLOTS, dtype=bool)
    for slot, single in enumerate(singles):
        obs, info = single.reset(seed=int(seeds[slot]))
        np.testing.assert_array_equal(seen[slot].numpy(), obs)
        assert signals[slot].tolist() == [info["signals"]["hazard"], info["signals"]["goal"]]
    compared = 0
    for t in range(STEPS):
        got = robot.step(torch.from_numpy(planned[:, t]))
        poses = robot.poses()
        for slot, single in enumerate(singles):
            if ended[slot]:
                continue
            obs, reward, terminated, truncated, info = single.step(planned[slot, t])
            np.testing.assert_array_equal(got.observation[slot].numpy(), obs)
            np.testing.assert_array_equal(poses[slot].numpy(), info["pose"])
            told = [info["signals"]["hazard"], info["signals"]["goal"]]
            assert got.signals[slot].tolist() == told
            assert float(got.reward[slot]) == reward
            assert (bool(got.terminated[slot]), bool(got.truncated[slot])) == (
                terminated, truncated,
            )  # fmt: skip
            ended[slot] = terminated or truncated
            compared += 1
    assert compared > SLOTS * 10


def test_a_new_episode_in_some_slots_is_as_in_a_new_environment():
    world = {"layout": "random", "actuation_noise": 0.1, "horizon": 40}
    lived, fresh, untouched = (PointRobot(3, **world) for _ in range(3))
    everyone = torch.ones(3, dtype=torch.bool)
    for one in (lived, untouched):
        one.reset(everyone, torch.tensor([1, 2, 3]))
    moves = [torch.from_numpy(np.stack([actions_of(9 + k)[t] for k in range(3)])) for t in range(9)]
    for move in moves:
        lived.step(move)
        untouched.step(move)
    mask = torch.tensor([False, True, False])
    started = lived.reset(mask, torch.tensor([0, 77, 0]))
    wanted = fresh.reset(everyone, torch.tensor([5, 77, 6]))
    assert torch.equal(started[0][1], wanted[0][1])
    for move in moves:
        got, new, old = lived.step(move), fresh.step(move), untouched.step(move)
        for name in got._fields:
            mine = getattr(got, name)
            assert torch.equal(mine[1], getattr(new, name)[1])
            assert torch.equal(mine[[0, 2]], getattr(old, name)[[0, 2]])


def test_the_robot_keeps_to_the_protocol():
    robot = PointRobot(2)
    assert isinstance(robot, TensorEnvironment)
    assert robot.action_space == gymnasium.make("sport_ray/PointReachAvoid-v0").action_space


def test_mistakes_are_told():
    with pytest.raises(UserError, match="layout is 'mine'"):
        PointRobot(2, layout="mine")
    robot = PointRobot(2)
    robot.reset(torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"expected shape \(2, 2\)"):
        robot.step(torch.zeros(3, 2))
    before = robot.robots.state.clone()
    with pytest.raises(ValueError, match="slot 1 got"):
        robot.step(torch.tensor([[0.0, 0.0], [0.0, float("nan")]]))
    assert torch.equal(robot.robots.state, before)


def test_tensors_alone_need_no_gymnasium():
    code = """
import importlib.abc, sys
class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "gymnasium":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
import torch
from sport_ray.tensors import make_tensor_environment, register_tensor_environment
register_tensor_environment("mine/Robot-v0", "sport_ray.tensors.point_robot:PointRobot")
for robot in ("mine/Robot-v0", "sport_ray/PointReachAvoid-v0"):
    made = make_tensor_environment(robot, {"layout": "random"}, 9, 2)
    made.reset(torch.ones(2, dtype=torch.bool), torch.arange(2))
    assert made.step(torch.zeros(2, 2)).signals.shape == (2, 2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
