"""What the robot sees: 44 numbers, and the signed distances that its property is about.

Observation: accelerometer (a_forward, a_left, 9.81), velocimeter (v_forward, v_left, 0), gyro
(0, 0, omega), magnetometer (-0.5 sin heading, -0.5 cos heading, 0), all in the body frame; goal
lidar 16; hazard lidar 16. Everything that the compiled code uses is in this file (see
``dynamics``); the state's columns are documented there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit

OBSERVATION_SIZE = 44
LIDAR_BINS = 16
GOAL_LIDAR = 12
HAZARD_LIDAR = GOAL_LIDAR + LIDAR_BINS
LIDAR_GAIN = 0.5
GRAVITY = 9.81
MAGNETIC_FIELD = 0.5

_FULL_TURN = 2.0 * math.pi
_BIN_SIZE = _FULL_TURN / LIDAR_BINS


@njit(nogil=True)
def _lidar(out, start, dx, dy, distance, cos, sin):  # type: ignore[no-untyped-def]
    """Write one centre into 16 bins, counter-clockwise from the heading.

    z = exp(-0.5 distance) in bin floor(angle / 22.5 deg); f z in the next and (1 - f) z in the
    previous bin, f the fraction into the bin.
    """
    angle = math.atan2(cos * dy - sin * dx, cos * dx + sin * dy)
    if angle < 0.0:
        angle += _FULL_TURN
    position = angle / _BIN_SIZE
    # A tiny negative angle rounds up to the full turn, which is the last bin's end. Written so that
    # no value, NaN included, leaves the array: compiled code does not check.
    index = int(position) if 0.0 <= position < LIDAR_BINS else LIDAR_BINS - 1
    fraction = position - index
    value = math.exp(-LIDAR_GAIN * distance)
    for k in range(LIDAR_BINS):
        out[start + k] = 0.0
    out[start + index] = value
    out[start + (index + 1) % LIDAR_BINS] = fraction * value
    out[start + (index + LIDAR_BINS - 1) % LIDAR_BINS] = (1.0 - fraction) * value


@njit(nogil=True)
def observe(
    state: NDArray[np.float64],
    goals: NDArray[np.float64],
    hazards: NDArray[np.float64],
    slots: NDArray[np.int64],
    observations: NDArray[np.float64],
    distances: NDArray[np.float64],
) -> None:
    """Write ``observations`` (n, 44) and ``distances`` (n, 2) to the hazard and goal centres (m).

    Distances are measured from the body origin.
    """
    for i in range(slots.shape[0]):
        slot = slots[i]
        row, out = state[slot], observations[i]
        x, y, heading, vx, vy = row[0], row[1], row[2], row[3], row[4]
        cos, sin = math.cos(heading), math.sin(heading)
        out[0], out[1], out[2] = row[6], row[7], GRAVITY
        out[3], out[4], out[5] = cos * vx + sin * vy, cos * vy - sin * vx, 0.0
        out[6], out[7], out[8] = 0.0, 0.0, row[5]
        out[9], out[10], out[11] = -MAGNETIC_FIELD * sin, -MAGNETIC_FIELD * cos, 0.0
        dx, dy = goals[slot, 0] - x, goals[slot, 1] - y
        distance = math.sqrt(dx * dx + dy * dy)
        distances[i, 1] = distance
        _lidar(out, GOAL_LIDAR, dx, dy, distance, cos, sin)
        dx, dy = hazards[slot, 0] - x, hazards[slot, 1] - y
        distance = math.sqrt(dx * dx + dy * dy)
        distances[i, 0] = distance
        _lidar(out, HAZARD_LIDAR, dx, dy, distance, cos, sin)
