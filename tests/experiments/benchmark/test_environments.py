"""Tasks of others: reproducible, and their signals at states that were worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sport_ray.envs.making import make_environment
from sport_ray.properties import parse_property

pytest.importorskip("mujoco")
pytest.importorskip("Box2D")
pytest.importorskip("highway_env")
pytest.importorskip("minigrid")

TASKS = Path(__file__).parents[3] / "experiments" / "benchmark" / "tasks"
OTHERS = (
    "reacher",
    "double_pendulum",
    "hopper",
    "lunar_lander",
    "lunar_lander_continuous",
    "merge",
    "lava_crossing",
)


def task(name: str) -> dict[str, Any]:
    """The task file."""
    return yaml.safe_load((TASKS / f"{name}.yaml").read_text())


def made(name: str, **kwargs: Any) -> Any:
    """A task's environment behind our layer; ``unwrapped`` is the simulator."""
    asked = task(name)["study"]
    return make_environment(
        asked["environment"]["id"],
        {**asked["environment"].get("kwargs", {}), **kwargs},
        asked["horizon"],
    )


def trajectory(env: Any, seed: int, steps: int) -> list[np.ndarray]:
    """Observation, reward, ends and signals of an episode of random actions, and its start."""
    generator = np.random.default_rng(seed)
    seen, info = env.reset(seed=seed)
    rows = [np.array([*seen, *info["signals"].values()])]
    for _ in range(steps):
        if hasattr(env.action_space, "n"):
            action = generator.integers(env.action_space.n)
        else:
            action = generator.uniform(-1.0, 1.0, env.action_space.shape).astype(np.float32)
        seen, reward, terminated, truncated, info = env.step(action)
        rows.append(np.array([*seen, *info["signals"].values(), reward, terminated, truncated]))
        if terminated or truncated:
            break
    return rows


def verdict(name: str, path: list[dict[str, float]]) -> tuple[int, int]:
    """The first step at which the task's property is fixed as violated, and as satisfied."""
    signals = {one: [state[one] for state in path] for one in path[0]}
    found = parse_property(task(name)["study"]["property"]).evaluate(signals)
    return found.violated_at.item(), found.satisfied_at.item()


@pytest.mark.parametrize("name", OTHERS)
def test_a_seed_decides_the_trajectory_whatever_the_environment_lived_through(name):
    fresh, old = made(name), made(name)
    first = trajectory(fresh, 3, 12)
    trajectory(old, 4, 30)
    again = trajectory(old, 3, 12)
    assert len(first) == len(again) > 1
    assert all(np.array_equal(*rows) for rows in zip(first, again, strict=True))
    assert not np.array_equal(trajectory(old, 5, 12)[1], again[1])


@pytest.mark.parametrize("name", OTHERS)
def test_a_task_is_ready_for_studies(name):
    """Its property names signals that there are, and policies here can act in its spaces."""
    study, env = task(name)["study"], made(name)
    _, info = env.reset(seed=0)
    assert set(parse_property(study["property"]).signal_names) <= set(info["signals"])
    if not hasattr(env.action_space, "n"):
        assert (env.action_space.low == -1).all()
        assert (env.action_space.high == 1).all()


def test_the_ball_is_entered_where_the_arm_s_geometry_says_so():
    env = made("reacher")
    env.reset(seed=0)
    arm: Any = env.unwrapped

    def depth_at(shoulder: float, elbow: float) -> float:
        # Almost no time passes: the signal is that of the state which was set.
        arm.set_state(np.array([shoulder, elbow, 0.1, 0.1]), np.zeros(4))
        arm.frame_skip, arm.model.opt.timestep = 1, 1e-9
        *_, info = env.step(np.zeros(2, dtype=np.float32))
        return float(info["signals"]["ball"])

    # Links of 0.1 and 0.11 m; the ball has radius 0.04 m around (0.08, 0.1).
    assert depth_at(0.0, 0.0) == pytest.approx(0.04 - math.hypot(0.21 - 0.08, 0.1), abs=1e-9)
    assert depth_at(math.pi / 2, 0.0) == pytest.approx(0.04 - math.hypot(0.08, 0.11), abs=1e-9)
    assert depth_at(math.pi / 2, -math.pi / 2) == pytest.approx(0.04 - 0.03, abs=1e-9)


def test_the_pendulum_is_upright_while_its_tip_is_above_a_metre():
    env = made("double_pendulum")
    env.reset(seed=0)
    simulator: Any = env.unwrapped
    simulator.frame_skip, simulator.model.opt.timestep = 1, 1e-9
    for lower, upper in ((0.0, 0.0), (0.5, -0.5), (0.6, 0.0), (0.0, 1.3)):
        simulator.set_state(np.array([0.0, lower, upper]), np.zeros(3))
        _, reward, terminated, _, info = env.step(np.array([0.5], dtype=np.float32))
        tip = 0.6 * math.cos(lower) + 0.6 * math.cos(lower + upper)
        assert info["signals"]["upright"] == pytest.approx(tip - 1.0, abs=1e-6)
        assert terminated is (tip <= 1.0)
        assert reward == -0.25  # effort alone
    cautious = made("double_pendulum", alive=1.0, effort=0.1)
    cautious.reset(seed=0)
    _, reward, *_, info = cautious.step(np.array([0.5], dtype=np.float32))
    assert reward == pytest.approx(info["signals"]["upright"] / 0.2 - 0.1 * 0.25)


def test_the_hopper_is_healthy_and_slow_by_its_height_angle_and_speed():
    env = made("hopper")
    env.reset(seed=0)
    simulator: Any = env.unwrapped
    simulator.frame_skip, simulator.model.opt.timestep = 1, 1e-9
    limit = 1.5
    for height, angle, speed in ((1.25, 0.0, 0.0), (1.25, 0.0, 2.0), (0.6, 0.0, 0), (1.25, 0.3, 0)):
        place, moving = simulator.init_qpos.copy(), np.zeros(6)
        place[1:3], moving[0] = (height, angle), speed
        simulator.set_state(place, moving)
        *_, terminated, _, info = env.step(np.zeros(3, dtype=np.float32))
        healthy = height > 0.7 and abs(angle) < 0.2
        assert info["signals"]["healthy"] == (1.0 if healthy else -1.0)
        assert info["signals"]["fast"] == pytest.approx(speed - limit, abs=1e-4)
        assert terminated is not healthy


@pytest.mark.parametrize("name", ["lunar_lander", "lunar_lander_continuous"])
def test_a_lander_falls_to_a_crash_and_is_landed_by_gymnasium_s_own_pilot(name):
    from gymnasium.envs.box2d.lunar_lander import heuristic

    env = made(name)
    still = 0 if name == "lunar_lander" else np.zeros(2, dtype=np.float32)
    ends, judged = [], []
    for pilot in (lambda seen: still, lambda seen: heuristic(env.unwrapped, seen)):
        seen, info = env.reset(seed=2)
        path = [info["signals"]]
        terminated = False
        while not terminated:
            seen, _, terminated, _, info = env.step(np.asarray(pilot(seen)))
            path.append(info["signals"])
        assert all(one == {"crash": -1.0, "landed": -1.0} for one in path[:-1])
        ends.append(path[-1])
        judged.append((*verdict(name, path), len(path) - 1))
    assert ends == [{"crash": 1.0, "landed": -1.0}, {"crash": -1.0, "landed": 1.0}]
    (fell, _, end), (_, rested, last) = judged
    assert judged == [(fell, -1, end), (-1, rested, last)]
    assert (fell, rested) == (end, last)  # decided by the last state


def test_a_car_crashes_into_one_that_stands_before_it():
    env = made("merge")
    env.reset(seed=0)
    road: Any = env.unwrapped
    *_, terminated, _, info = env.step(1)
    assert (info["signals"]["crash"], terminated) == (-1.0, False)
    other = road.road.vehicles[1]
    other.position = road.vehicle.position + np.array([12.0, 0.0])
    other.speed = other.target_speed = 0.0
    *_, terminated, _, info = env.step(1)
    assert (info["signals"]["crash"], terminated) == (1.0, True)


def test_lava_and_goal_hold_where_the_agent_stands_on_them():
    ends = []
    for steps in ("lava", "goal"):
        env = made("lava_crossing")
        env.reset(seed=1)
        grid: Any = env.unwrapped
        things = {(x, y): grid.grid.get(x, y) for x in range(9) for y in range(9)}
        where = next(place for place, one in things.items() if one and one.type == steps)
        before = (where[0] - 1, where[1])
        grid.grid.set(*before, None)
        grid.agent_pos, grid.agent_dir = before, 0  # looks along x
        *_, terminated, _, info = env.step(0)  # turns left
        assert (info["signals"], terminated) == ({"lava": -1.0, "goal": -1.0}, False)
        env.step(1)  # and back
        _, reward, terminated, _, info = env.step(2)
        assert terminated
        ends.append((info["signals"], round(reward, 3)))
    assert ends[0] == ({"lava": 1.0, "goal": -1.0}, -0.01)
    assert ends[1] == ({"lava": -1.0, "goal": 1.0}, 0.99)
