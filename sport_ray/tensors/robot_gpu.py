"""Robots on a GPU: one Triton kernel for a control step, one for the start of episodes.

A thread moves a robot through its 100 substeps in float64, with the arithmetic of
``sport_ray.envs.dynamics``, compiled from that very source. What a robot sees is
written out here, because a tile of 16 bins is not an array that is filled. No products are
contracted with sums, so that given the same cos and sin a step has the CPU's bits; these, exp and
atan2 may differ in their last bit.

Numbers that are handed to a kernel are constants of it: Triton would round a float to float32.
With ``TRITON_INTERPRET=1`` the kernels run on a CPU, slowly, for tests.
"""

from __future__ import annotations

import importlib
import math
import types
from typing import Any

import torch
from torch import Tensor

from sport_ray.envs import dynamics
from sport_ray.envs.layouts import GOAL_RADIUS, HAZARD_RADIUS
from sport_ray.envs.observation import (
    GRAVITY,
    LIDAR_BINS,
    LIDAR_GAIN,
    MAGNETIC_FIELD,
    OBSERVATION_SIZE,
)
from sport_ray.envs.rewards import GUIDANCE
from sport_ray.tensors.environment import TensorStep
from sport_ray.tensors.robot_starts import Starts
from sport_ray.tensors.robot_state import Robots

triton: Any = importlib.import_module("triton")
tl: Any = importlib.import_module("triton.language")


def _constant(value: float) -> Any:
    """A number that kernels see as a global; the interpreter takes it as it is."""
    return value if triton.knobs.runtime.interpret else tl.constexpr(value)


THREADS = 128
"""Robots of a program; one a thread with four warps."""

_PI = _constant(math.pi)
_HALF_PI = _constant(math.pi / 2)
_HALF_PI_REST = _constant(6.12323399573676603587e-17)
_FULL_TURN = _constant(2.0 * math.pi)
_BIN_SIZE = _constant(2.0 * math.pi / LIDAR_BINS)
_BINS = _constant(LIDAR_BINS)
_SIZE = _constant(OBSERVATION_SIZE)
_GRAVITY = _constant(GRAVITY)
_FIELD = _constant(MAGNETIC_FIELD)
_GAIN = _constant(LIDAR_GAIN)
_HAZARD = _constant(HAZARD_RADIUS)
_GOAL = _constant(GOAL_RADIUS)
_GEAR = _constant(dynamics.GEAR)
_SUBSTEPS = _constant(dynamics.SUBSTEPS)
_LIMIT = _constant(dynamics.CONTROL_LIMIT)


@triton.jit  # type: ignore[untyped-decorator]
def _clip(value, limit: tl.constexpr):  # type: ignore
    # A constant would be rounded to float32 before it meets float64.
    bound = tl.full(value.shape, limit, value.dtype)
    return tl.minimum(tl.maximum(value, -bound), bound)


def _compiled_here(function: Any) -> Any:
    """A compiled function of ``dynamics`` for this device: its source, constants made Triton's."""
    python = function.py_func
    names = {
        name: _constant(value) if isinstance(value, int | float) else value
        for name, value in python.__globals__.items()
    }
    names.update(_clip=_clip, tl=tl)
    moved = types.FunctionType(python.__code__, names, python.__name__)
    moved.__module__ = __name__
    return triton.jit(moved)


_substep = _compiled_here(dynamics.substep)
_accelerometer = _compiled_here(dynamics.accelerometer)


@triton.jit
def _atan2(y, x):  # type: ignore
    """Fdlibm's arctangent, below one unit of the last place; 0 for (0, 0)."""
    high, wide = tl.abs(y), tl.abs(x)
    least, most = tl.minimum(high, wide), tl.maximum(high, wide)
    ratio = tl.where(most > 0.0, least / most, most)
    middle, upper = ratio >= 0.4375, ratio >= 0.6875
    part = tl.where(middle, (2.0 * ratio - 1.0) / (2.0 + ratio), ratio)
    part = tl.where(upper, (ratio - 1.0) / (ratio + 1.0), part)
    known = tl.where(upper, 7.85398163397448278999e-01, 4.63647609000806093515e-01 + 0.0 * ratio)
    rest = tl.where(upper, 3.06161699786838301793e-17, 2.26987774529616870924e-17 + 0.0 * ratio)
    z = part * part
    w = z * z
    odd = 4.97687799461593236017e-02 + w * 1.62858201153657823623e-02
    odd = 6.66107313738753120669e-02 + w * odd
    odd = 9.09088713343650656196e-02 + w * odd
    odd = 1.42857142725034663711e-01 + w * odd
    odd = z * (3.33333333333329318027e-01 + w * odd)
    even = -5.83357013379057348645e-02 - w * 3.65315727442169155270e-02
    even = -7.69187620504482999495e-02 + w * even
    even = -1.11111104054623557880e-01 + w * even
    even = w * (-1.99999999998764832476e-01 + w * even)
    bent = part * (odd + even)
    angle = tl.where(middle, known - ((bent - rest) - part), part - bent)
    angle = tl.where(high > wide, _HALF_PI - (angle - _HALF_PI_REST), angle)
    angle = tl.where(x < 0.0, _PI - (angle - 2.0 * _HALF_PI_REST), angle)
    return tl.where(y < 0.0, -angle, angle)


@triton.jit  # type: ignore[untyped-decorator]
def _lidar(out, start: tl.constexpr, rows, live, dx, dy, distance, cos, sin):  # type: ignore
    """Write one centre into 16 bins, as ``sport_ray.envs.observation`` does."""
    angle = _atan2(cos * dy - sin * dx, cos * dx + sin * dy)
    angle = tl.where(angle < 0.0, angle + _FULL_TURN, angle)
    position = angle / _BIN_SIZE
    inside = (position >= 0.0) & (position < _BINS)
    index = tl.where(inside, position, _BINS - 1.0).to(tl.int32)
    fraction = position - index.to(tl.float64)
    value = tl.exp(-_GAIN * distance)
    here, ahead, behind = value, fraction * value, (1.0 - fraction) * value
    bins = tl.arange(0, _BINS)[None, :]
    at = index[:, None]
    tile = tl.where(bins == at, here[:, None], 0.0 * bins.to(tl.float64))
    tile = tl.where(bins == (at + 1) % _BINS, ahead[:, None], tile)
    tile = tl.where(bins == (at + _BINS - 1) % _BINS, behind[:, None], tile)
    tl.store(out + rows[:, None] * _SIZE + start + bins, tile, mask=live[:, None])


@triton.jit
def _see(  # type: ignore
    out, signals, rows, live, x, y, heading, vx, vy, omega, a_forward, a_left,
    goal_x, goal_y, hazard_x, hazard_y,
):  # fmt: skip
    """Write observations and signals; the distances to hazard and goal."""
    cos, sin = tl.cos(heading), tl.sin(heading)
    forward, left = cos * vx + sin * vy, cos * vy - sin * vx
    at = tl.arange(0, 16)[None, :]
    tile = tl.where(at == 0, a_forward[:, None], 0.0 * at.to(tl.float64))
    tile = tl.where(at == 1, a_left[:, None], tile)
    tile = tl.where(at == 2, _GRAVITY, tile)
    tile = tl.where(at == 3, forward[:, None], tile)
    tile = tl.where(at == 4, left[:, None], tile)
    tile = tl.where(at == 8, omega[:, None], tile)
    tile = tl.where(at == 9, (-_FIELD * sin)[:, None], tile)
    tile = tl.where(at == 10, (-_FIELD * cos)[:, None], tile)
    tl.store(out + rows[:, None] * _SIZE + at, tile, mask=live[:, None] & (at < 12))

    dx, dy = goal_x - x, goal_y - y
    to_goal = tl.sqrt(dx * dx + dy * dy)
    _lidar(out, 12, rows, live, dx, dy, to_goal, cos, sin)
    dx, dy = hazard_x - x, hazard_y - y
    to_hazard = tl.sqrt(dx * dx + dy * dy)
    _lidar(out, 28, rows, live, dx, dy, to_hazard, cos, sin)
    tl.store(signals + rows * 2, _HAZARD - to_hazard, mask=live)
    tl.store(signals + rows * 2 + 1, _GOAL - to_goal, mask=live)
    return to_hazard, to_goal


@triton.jit
def _put(  # type: ignore
    state, rows, where, x, y, heading, vx, vy, omega, a_forward, a_left,
):  # fmt: skip
    """Write the eight numbers of robots, as ``sport_ray.envs.dynamics`` orders them."""
    tl.store(state + rows * 8, x, mask=where)
    tl.store(state + rows * 8 + 1, y, mask=where)
    tl.store(state + rows * 8 + 2, heading, mask=where)
    tl.store(state + rows * 8 + 3, vx, mask=where)
    tl.store(state + rows * 8 + 4, vy, mask=where)
    tl.store(state + rows * 8 + 5, omega, mask=where)
    tl.store(state + rows * 8 + 6, a_forward, mask=where)
    tl.store(state + rows * 8 + 7, a_left, mask=where)


@triton.jit  # type: ignore[untyped-decorator]
def _start_kernel(  # type: ignore
    state, goals, hazards, goal_distance, steps, mask, new_poses, new_goals, new_hazards,
    out, signals, count, shared: tl.constexpr, threads: tl.constexpr,
):  # fmt: skip
    """Put the robots of the mask at their starts (one for all, or a row each); look from all."""
    slot = tl.program_id(0) * threads + tl.arange(0, threads)
    live = slot < count
    rows = slot.to(tl.int64)
    fresh = tl.load(mask + rows, mask=live, other=0).to(tl.int1) & live
    given = rows * 0 if shared else rows

    tl.store(steps + rows, rows * 0, mask=fresh)
    x = tl.load(state + rows * 8, mask=live, other=0.0)
    y = tl.load(state + rows * 8 + 1, mask=live, other=0.0)
    heading = tl.load(state + rows * 8 + 2, mask=live, other=0.0)
    goal_x = tl.load(goals + rows * 2, mask=live, other=0.0)
    goal_y = tl.load(goals + rows * 2 + 1, mask=live, other=0.0)
    hazard_x = tl.load(hazards + rows * 2, mask=live, other=0.0)
    hazard_y = tl.load(hazards + rows * 2 + 1, mask=live, other=0.0)
    x = tl.where(fresh, tl.load(new_poses + given * 3, mask=live, other=0.0), x)
    y = tl.where(fresh, tl.load(new_poses + given * 3 + 1, mask=live, other=0.0), y)
    heading = tl.where(fresh, tl.load(new_poses + given * 3 + 2, mask=live, other=0.0), heading)
    goal_x = tl.where(fresh, tl.load(new_goals + given * 2, mask=live, other=0.0), goal_x)
    goal_y = tl.where(fresh, tl.load(new_goals + given * 2 + 1, mask=live, other=0.0), goal_y)
    hazard_x = tl.where(fresh, tl.load(new_hazards + given * 2, mask=live, other=0.0), hazard_x)
    hazard_y = tl.where(fresh, tl.load(new_hazards + given * 2 + 1, mask=live, other=0.0), hazard_y)
    # At rest where fresh.
    vx = tl.load(state + rows * 8 + 3, mask=live & ~fresh, other=0.0)
    vy = tl.load(state + rows * 8 + 4, mask=live & ~fresh, other=0.0)
    omega = tl.load(state + rows * 8 + 5, mask=live & ~fresh, other=0.0)
    a_forward = tl.load(state + rows * 8 + 6, mask=live & ~fresh, other=0.0)
    a_left = tl.load(state + rows * 8 + 7, mask=live & ~fresh, other=0.0)

    _put(state, rows, fresh, x, y, heading, vx, vy, omega, a_forward, a_left)
    tl.store(goals + rows * 2, goal_x, mask=fresh)
    tl.store(goals + rows * 2 + 1, goal_y, mask=fresh)
    tl.store(hazards + rows * 2, hazard_x, mask=fresh)
    tl.store(hazards + rows * 2 + 1, hazard_y, mask=fresh)
    _, to_goal = _see(
        out, signals, rows, live, x, y, heading, vx, vy, omega, a_forward, a_left,
        goal_x, goal_y, hazard_x, hazard_y,
    )  # fmt: skip
    tl.store(goal_distance + rows, to_goal, mask=fresh)


@triton.jit  # type: ignore[untyped-decorator]
def _step_kernel(  # type: ignore
    state, goals, hazards, goal_distance, steps, actions, noise, out, signals, reward, terminated,
    truncated, count, horizon: tl.constexpr, noisy: tl.constexpr, bias_push: tl.constexpr,
    bias_turn: tl.constexpr, margin: tl.constexpr, end_on_violation: tl.constexpr,
    is_task: tl.constexpr, guidance: tl.constexpr, threads: tl.constexpr,
):  # fmt: skip
    """One control step of ``threads`` robots: noise, 100 substeps, observation, reward, ends."""
    slot = tl.program_id(0) * threads + tl.arange(0, threads)
    live = slot < count
    rows = slot.to(tl.int64)
    x = tl.load(state + rows * 8, mask=live, other=0.0)
    y = tl.load(state + rows * 8 + 1, mask=live, other=0.0)
    heading = tl.load(state + rows * 8 + 2, mask=live, other=0.0)
    vx = tl.load(state + rows * 8 + 3, mask=live, other=0.0)
    vy = tl.load(state + rows * 8 + 4, mask=live, other=0.0)
    omega = tl.load(state + rows * 8 + 5, mask=live, other=0.0)
    done = tl.load(steps + rows, mask=live, other=0)
    push = tl.load(actions + rows * 2, mask=live, other=0.0).to(tl.float64)
    turn = tl.load(actions + rows * 2 + 1, mask=live, other=0.0).to(tl.float64)
    if noisy:
        # Past its end a robot meets the last step's noise; it means nothing.
        column = tl.minimum(done, horizon - 1)
        met = (rows * horizon + column) * 2
        push = push + tl.load(noise + met, mask=live, other=0.0)
        turn = turn + tl.load(noise + met + 1, mask=live, other=0.0)
    push = push + bias_push
    turn = turn + bias_turn
    # 0, or NaN for what is not finite: minimum and maximum would hand on a limit.
    wrong = (push - push) + (turn - turn)
    push = _clip(push, 1.0) + wrong
    force = _GEAR * (_clip(push, _LIMIT) + wrong)
    target = _clip(turn, 1.0) + wrong

    cos, sin = tl.cos(heading), tl.sin(heading)
    for _ in range(_SUBSTEPS):
        x, y, heading, vx, vy, omega, cos, sin = _substep(
            x, y, heading, vx, vy, omega, cos, sin, force, target
        )
    a_forward, a_left = _accelerometer(vx, vy, omega, cos, sin, force, target)
    less, more = heading - _FULL_TURN, heading + _FULL_TURN
    heading = tl.where(heading > _PI, less, tl.where(heading < -_PI, more, heading))
    _put(state, rows, live, x, y, heading, vx, vy, omega, a_forward, a_left)

    goal_x = tl.load(goals + rows * 2, mask=live, other=0.0)
    goal_y = tl.load(goals + rows * 2 + 1, mask=live, other=0.0)
    hazard_x = tl.load(hazards + rows * 2, mask=live, other=0.0)
    hazard_y = tl.load(hazards + rows * 2 + 1, mask=live, other=0.0)
    to_hazard, to_goal = _see(
        out, signals, rows, live, x, y, heading, vx, vy, omega, a_forward, a_left,
        goal_x, goal_y, hazard_x, hazard_y,
    )  # fmt: skip
    violated, reached = (_HAZARD - to_hazard) >= -margin, (_GOAL - to_goal) >= 0.0
    progress = tl.load(goal_distance + rows, mask=live, other=0.0) - to_goal
    tl.store(goal_distance + rows, to_goal, mask=live)
    arrived = tl.where(reached, 1.0 + 0.0 * to_goal, 0.0)
    if is_task:
        paid = progress + arrived
    else:
        paid = tl.where(violated, -0.25, arrived)
        if guidance > 0.0:
            paid = paid + guidance * progress
    over = reached
    if end_on_violation:
        over = over | violated
    done = done + 1
    tl.store(steps + rows, done, mask=live)
    tl.store(reward + rows, paid, mask=live)
    tl.store(terminated + rows, over, mask=live)
    tl.store(truncated + rows, (done >= horizon) & ~over, mask=live)


class GpuKernels:
    """The step and the start of robots as one launch each; nothing waits for the device."""

    def start(self, robots: Robots, mask: Tensor, starts: Starts) -> tuple[Tensor, Tensor]:
        """Put the robots of ``mask`` at their starts; what all robots see."""
        if robots.noise is not None and starts.noise is not None:
            robots.noise.copy_(torch.where(mask[:, None, None], starts.noise, robots.noise))
        out, signals = _seen(robots)
        _start_kernel[_grid(robots)](
            robots.state, robots.goals, robots.hazards, robots.goal_distance, robots.steps,
            mask.contiguous(), starts.poses, starts.goals, starts.hazards, out, signals,
            robots.num_slots, shared=len(starts.poses) == 1, threads=THREADS,
            enable_fp_fusion=False,
        )  # fmt: skip
        return out, signals

    def step(self, robots: Robots, actions: Tensor) -> TensorStep:
        """One control step of all robots."""
        settings, count = robots.settings, robots.num_slots
        out, signals = _seen(robots)
        reward = torch.empty(count, dtype=torch.float64, device=out.device)
        terminated = torch.empty(count, dtype=torch.bool, device=out.device)
        truncated = torch.empty_like(terminated)
        push, turn = settings.actuation_bias  # type: ignore[misc]
        _step_kernel[_grid(robots)](
            robots.state, robots.goals, robots.hazards, robots.goal_distance, robots.steps,
            actions.detach().contiguous(), robots.steps if robots.noise is None else robots.noise,
            out, signals, reward, terminated, truncated, count,
            horizon=settings.horizon, noisy=robots.noise is not None, bias_push=push,
            bias_turn=turn, margin=float(settings.margin),
            end_on_violation=settings.end_on_violation, is_task=settings.reward == "task",
            guidance=GUIDANCE if settings.reward == "guided" else 0.0, threads=THREADS,
            enable_fp_fusion=False,
        )  # fmt: skip
        return TensorStep(out, signals, reward, terminated, truncated)


def _grid(robots: Robots) -> tuple[int]:
    return (-(-robots.num_slots // THREADS),)


def _seen(robots: Robots) -> tuple[Tensor, Tensor]:
    size = robots.num_slots
    device = robots.state.device
    observation = torch.empty((size, OBSERVATION_SIZE), dtype=torch.float64, device=device)
    return observation, torch.empty((size, 2), dtype=torch.float64, device=device)
