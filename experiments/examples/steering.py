"""A controller written by hand: around the hazard to the goal, with a few choices at random.

All that it knows is in the robot's observation: both lidars and its own velocity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VELOCITY, GOAL, HAZARD = slice(3, 5), slice(12, 28), slice(28, 44)
"""Where they are in the observation; see ``sport_ray.envs.observation``."""
BIN = 2.0 * np.pi / 16
FULL_PUSH = 0.05
"""The motor saturates there."""


def located(lidar: Array) -> tuple[float, float]:
    """Distance (metres) and angle from the heading (rad) of what 16 lidar bins show."""
    at = int(np.argmax(lidar))
    fraction = lidar[(at + 1) % 16] / lidar[at]
    return float(-2.0 * np.log(lidar[at])), (at + fraction) * BIN


def wrapped(angle: float) -> float:
    """The same angle in [−π, π)."""
    return float((angle + np.pi) % (2.0 * np.pi) - np.pi)


def bearing(observation: Array, clearance: float) -> float:
    """Where to go, rad from the heading: the goal, or past the hazard with ``clearance`` metres."""
    goal_distance, goal = located(observation[GOAL])
    hazard_distance, hazard = located(observation[HAZARD])
    aside = wrapped(goal - hazard)
    needed = np.arcsin(min(clearance / hazard_distance, 1.0))
    if abs(aside) >= needed or goal_distance < hazard_distance:
        return wrapped(goal)
    return wrapped(hazard + (needed if aside >= 0.0 else -needed))


def steer(
    observation: Array,
    count: int,
    generator: np.random.Generator,
    clearance: float = 0.7,
    offsets: tuple[float, ...] = (-0.4, 0.0, 0.4),
    pushes: tuple[float, ...] = (0.5, 1.0),
) -> Array:
    """Actions (count, 2): one of the offsets (rad) and of the pushes (of the full one) each."""
    to = bearing(observation, clearance)
    wanted = np.array([np.cos(to), np.sin(to)]) - 0.7 * observation[VELOCITY]  # it drifts
    error = np.arctan2(wanted[1], wanted[0]) + generator.choice(offsets, count)
    push = FULL_PUSH * generator.choice(pushes, count) * (np.cos(error) > 0.3)
    return np.stack([push, np.clip(error / 0.6, -1.0, 1.0)], axis=1)
