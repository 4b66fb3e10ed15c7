"""The robot's Triton kernels against the CPU's compiled loops: checks that need no pytest.

On a machine with a CUDA device and little else (torch, triton, numpy, scipy, numba, pydantic):

    python -m tests.sport_ray.tensors.robot_agreement

prints what differs and how fast a step is, and fails where the two disagree.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import torch

from sport_ray.tensors import PointRobot

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
SLOTS, STEPS = (5, 12) if INTERPRETED else (1000, 100)
TOLERANCE = 1e-9
WORLDS: list[dict[str, Any]] = [
    {},
    {"layout": "random"},
    {"layout": "random", "end_on_violation": False, "reward": "base", "margin": 0.2},
    {"layout": "random", "reward": "guided", "horizon": 7},
    {"layout": "random", "actuation_noise": [0.3, 0.0], "actuation_bias": [0.1, 0.0]},
]
BATCHES = [1, 3] if INTERPRETED else [1, 127, 128, 129, 100_000]


def pair(world: dict[str, Any], slots: int = SLOTS) -> tuple[PointRobot, PointRobot]:
    """The robot on the CPU, and the one that Triton's kernels move."""
    from sport_ray.tensors.robot_gpu import GpuKernels

    ours, theirs = PointRobot(slots, **world), PointRobot(slots, DEVICE, **world)
    if INTERPRETED:
        theirs._kernels = GpuKernels()
    assert isinstance(theirs._kernels, GpuKernels)
    return ours, theirs


def everyone(slots: int) -> torch.Tensor:
    return torch.ones(slots, dtype=torch.bool)


def difference(mine: torch.Tensor, other: torch.Tensor) -> float:
    """Largest absolute difference; NaN where either is NaN."""
    return float((mine - other.cpu()).abs().max())


def check_episodes(world: dict[str, Any], dtype: torch.dtype) -> float:
    """Episodes agree while turning is saturated, where rounding is not amplified.

    In the first world nobody is reset for all the steps; in the others some are, now and then.
    """
    ours, theirs = pair(world)
    seeds = torch.arange(SLOTS) + 5
    mine = ours.reset(everyone(SLOTS), seeds)
    other = theirs.reset(everyone(SLOTS).to(DEVICE), seeds.to(DEVICE))
    worst = max(difference(one, another) for one, another in zip(mine, other, strict=True))
    generator = np.random.default_rng(1)
    for number in range(STEPS):
        push = generator.uniform(-0.1, 0.2, SLOTS)
        turn = np.sign(generator.normal(size=SLOTS))
        actions = torch.from_numpy(np.stack([push, turn], axis=1)).to(dtype)
        step, twin = ours.step(actions), theirs.step(actions.to(DEVICE))
        for name in ("observation", "signals", "reward"):
            worst = max(worst, difference(getattr(step, name), getattr(twin, name)))
        worst = max(worst, difference(ours.robots.state, theirs.robots.state))
        assert worst < TOLERANCE, (world, number, worst)
        # Ends are the same where no signal is within rounding of its edge.
        edge = torch.tensor([ours.settings.margin, 0.0])
        clear = ((step.signals + edge).abs() > TOLERANCE).all(dim=1)
        assert clear.double().mean() > 0.99
        for name in ("terminated", "truncated"):
            assert torch.equal(getattr(step, name)[clear], getattr(twin, name).cpu()[clear])
        if world and number % 5 == 4:
            mask = torch.from_numpy(generator.random(SLOTS) < 0.4)
            fresh = torch.from_numpy(generator.integers(2**31, size=SLOTS))
            mine = ours.reset(mask, fresh)
            other = theirs.reset(mask.to(DEVICE), fresh.to(DEVICE))
            for one, another in zip(mine, other, strict=True):
                assert not mask.any() or difference(one[mask], another.cpu()[mask]) < TOLERANCE
    return worst


def check_single_steps() -> float:
    """One step from equal states, whatever the action; the worst signal's difference (m).

    The substeps are the same arithmetic: from heading 0, where cos and sin are exact everywhere,
    the state after a step has the CPU's bits. From other headings a last bit of cos or sin makes
    what a last bit of the heading makes on the CPU: the servo amplifies it within one step, unless
    it is saturated (``advance``; 1.2e-4 m and 0.025 m/s at most in 240,000 steps).
    """
    ours, theirs = pair({"layout": "random"})
    ours.reset(everyone(SLOTS), torch.arange(SLOTS))
    theirs.reset(everyone(SLOTS).to(DEVICE), torch.arange(SLOTS, device=DEVICE))
    generator, worst = np.random.default_rng(2), 0.0
    for number in range(STEPS):
        straight = number % 2 == 0
        if straight:
            ours.robots.state[:, 2] = 0.0
        theirs.robots.state.copy_(ours.robots.state)
        theirs.robots.goal_distance.copy_(ours.robots.goal_distance)
        actions = torch.from_numpy(generator.uniform(-1.2, 1.2, (SLOTS, 2)))
        step, twin = ours.step(actions), theirs.step(actions.to(DEVICE))
        if straight:
            assert torch.equal(ours.robots.state, theirs.robots.state.cpu())
            assert difference(step.observation, twin.observation) < 1e-12
        worst = max(worst, difference(step.signals, twin.signals))
    assert worst < 1e-3, worst
    return worst


def check_what_is_not_finite() -> None:
    """NaN and ±inf make the slot's numbers NaN until its next reset, and no other's."""
    _, robot = pair({})
    seeds = torch.zeros(SLOTS, dtype=torch.int64, device=DEVICE)
    robot.reset(everyone(SLOTS).to(DEVICE), seeds)
    mask = torch.zeros(SLOTS, dtype=torch.bool, device=DEVICE)
    mask[1] = True
    for bad in (float("nan"), float("inf"), -float("inf")):
        for column in (0, 1):
            actions = torch.zeros(SLOTS, 2, dtype=torch.float64, device=DEVICE)
            actions[1, column] = bad
            step = robot.step(actions)
            assert torch.isnan(step.signals[1]).all()
            assert torch.isnan(step.reward[1])
            assert torch.isnan(step.observation[1]).any()
            assert torch.isfinite(step.observation[~mask]).all()
            assert torch.isnan(robot.step(torch.zeros_like(actions)).signals[1]).all()
            started = robot.reset(mask, seeds)
            assert torch.isfinite(started[0][1]).all()


def check_batches(slots: int) -> None:
    """A robot has the same bits in every batch."""
    (_, alone), (_, among) = pair({}, 1), pair({}, slots + 1)
    for robot in (alone, among):
        count = robot.num_slots
        robot.reset(
            everyone(count).to(DEVICE), torch.zeros(count, dtype=torch.int64, device=DEVICE)
        )
    generator = np.random.default_rng(3)
    for _ in range(4):
        rows = torch.from_numpy(generator.uniform(-1, 1, (slots + 1, 2))).to(DEVICE)
        many, one = among.step(rows), alone.step(rows[-1:])
        for name in one._fields:
            assert torch.equal(getattr(many, name)[-1:], getattr(one, name))


def _speed(slots: int, repeats: int = 50) -> float:
    """Seconds of a step."""
    robot = PointRobot(slots, DEVICE)
    robot.reset(everyone(slots).to(DEVICE), torch.zeros(slots, dtype=torch.int64, device=DEVICE))
    actions = torch.rand(slots, 2, dtype=torch.float64, device=DEVICE)
    for _ in range(3):
        robot.step(actions)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(repeats):
        robot.step(actions)
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / repeats


def main() -> None:
    for world in WORLDS:
        for dtype in (torch.float64, torch.float32):
            print(f"{check_episodes(world, dtype):.1e} at most apart: {world}, {dtype}")
    print(f"{check_single_steps():.1e} at most apart after one step, any action")
    check_what_is_not_finite()
    for slots in BATCHES:
        check_batches(slots)
    print(f"the same bits among {BATCHES} others")
    if not INTERPRETED:
        for slots in (1, 130, 1_300, 13_000, 130_000, 1_000_000):
            seconds = _speed(slots)
            print(f"{slots} robots: {seconds * 1e6:.1f} µs a step, {slots / seconds:.3g} steps/s")


if __name__ == "__main__":
    main()
