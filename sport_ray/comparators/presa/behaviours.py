"""Behaviours that synthetic data come from: fast and unsafe, fast and safe, slow and safe.

A behaviour is a Gaussian over actions before the action mapping, as a function of observations:
(n, O) → Gaussians (n, D). ``base`` and ``noisy`` do for any environment; the others steer
the point robot by what its lidars show and know nothing of its simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.envs.layouts import HAZARD_RADIUS
from sport_ray.envs.observation import GOAL_LIDAR, HAZARD_LIDAR, LIDAR_BINS, LIDAR_GAIN
from sport_ray.errors import UserError
from sport_ray.families import Distribution, Gaussian
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.rollouts.environment import POINT_REACH_AVOID

Array = NDArray[np.float64]
Acting = Callable[[Array], Distribution]

BEHAVIOURS: dict[str, str] = {
    "base": "the base policy as it is",
    "noisy": "the base policy with twice its std",
    "straight": "the point robot straight to its goal, whatever lies in between",
    "close": "the point robot past the hazard at 0.05 m, with a touch now and then",
    "wide": "the point robot past the hazard at 0.4 m",
}
"""Every behaviour by name."""

_CLEARANCE: dict[str, float | None] = {"straight": None, "close": 0.05, "wide": 0.4}
_TURN_PER_STEP = 0.6  # radians per control step at full turn, roughly
_PUSH = 1.0  # before tanh; the robot's push saturates at 0.05
_STD = (0.5, 0.3)
_TOP_SPEED = 1.5  # m/s: full push against the damping
_LEAD = 0.5  # share of the velocity that the push makes up for: 0 drifts wide, 1 turns too much


def available_behaviours(env_id: str, mapping: ActionMapping) -> tuple[str, ...]:
    """The behaviours that an environment and an action mapping allow."""
    steered = env_id == POINT_REACH_AVOID and mapping == ActionMapping("tanh")
    return tuple(name for name in BEHAVIOURS if steered or name not in _CLEARANCE)


def default_behaviours(env_id: str, mapping: ActionMapping) -> tuple[str, ...]:
    """Those that data come from where none are named.

    The point robot's are without ``noisy``: its wide actions, beside the narrow ones of steering,
    leave a single Gaussian that does neither.
    """
    allowed = available_behaviours(env_id, mapping)
    return tuple(name for name in allowed if name != "noisy" or "straight" not in allowed)


def require_behaviours(names: Sequence[str], allowed: Sequence[str], env_id: str) -> None:
    """Refuse a behaviour that is unknown or not for this environment.

    Raises:
        UserError: naming it and what there is.
    """
    for name in names:
        if name not in allowed:
            why = "is not for this environment" if name in BEHAVIOURS else "is unknown"
            raise UserError(f"behaviour {name!r} {why}; {env_id} has {', '.join(allowed)}")


def make_behaviour(name: str, base: FrozenPolicy) -> Acting:
    """What a behaviour that ``available_behaviours`` names draws from."""
    if name == "base":
        return base.distribution
    if name == "noisy":
        return partial(_widened, base)
    return partial(steer, clearance=_CLEARANCE[name])


def _widened(base: FrozenPolicy, observation: Array) -> Gaussian:
    given = base.distribution(observation)
    assert isinstance(given, Gaussian)
    return Gaussian(given.mean, 2.0 * given.std)


def steer(observation: Array, clearance: float | None) -> Gaussian:
    """Full push, and turn to the goal or along the hazard's tangent at a clearance (metres).

    Where the straight line to the goal comes closer to the hazard's edge than ``clearance``, the
    direction aimed at is the tangent to the circle around it on the side that the robot points to.
    None: straight to the goal. The robot slides, so the push is turned against what its velocity
    (the observation's entries 3 and 4) has of other directions.
    """
    goal, goal_distance = lidar_target(observation[:, GOAL_LIDAR : GOAL_LIDAR + LIDAR_BINS])
    aim = goal
    if clearance is not None:
        bearing, distance = lidar_target(observation[:, HAZARD_LIDAR : HAZARD_LIDAR + LIDAR_BINS])
        radius = HAZARD_RADIUS + clearance
        half = np.arcsin(np.minimum(radius / np.maximum(distance, 1e-9), 1.0))
        blocked = (np.abs(_wrapped(goal - bearing)) < half) & (distance < goal_distance)
        side = np.where(bearing <= 0.0, 1.0, -1.0)  # a hazard to the right is passed on its left
        aim = np.where(blocked, _wrapped(bearing + side * half), goal)
    forward, left = observation[:, 3], observation[:, 4]
    heading = np.arctan2(
        _TOP_SPEED * np.sin(aim) - _LEAD * left, _TOP_SPEED * np.cos(aim) - _LEAD * forward
    )
    turn = np.clip(heading / _TURN_PER_STEP, -0.95, 0.95)
    mean = np.stack([np.full_like(turn, _PUSH), np.arctanh(turn)], axis=1)
    std = np.broadcast_to(np.asarray(_STD), mean.shape).copy()
    return Gaussian(torch.from_numpy(mean), torch.from_numpy(std))


def lidar_target(lidar: Array) -> tuple[Array, Array]:
    """Bearing (rad, in [−π, π), counter-clockwise from the heading) and distance (m) of a centre.

    The inverse of what ``sport_ray.envs.observation`` writes into (n, 16) bins.
    """
    rows = np.arange(len(lidar))
    peak = lidar.argmax(axis=1)
    value = lidar[rows, peak]
    fraction = lidar[rows, (peak + 1) % LIDAR_BINS] / value
    bearing = (peak + fraction) * (2.0 * np.pi / LIDAR_BINS)
    return _wrapped(bearing), -np.log(value) / LIDAR_GAIN


def _wrapped(angle: Array) -> Array:
    return (angle + np.pi) % (2.0 * np.pi) - np.pi
