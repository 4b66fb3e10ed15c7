"""The rigid body of the point robot: one control step of 100 semi-implicit Euler substeps.

A sphere of radius 0.1 m with a cube of half-size 0.05 m centred 0.1 m ahead, density 1, sliding
without friction. Generalised coordinates q = (x, y, theta) of the body origin; each substep solves

    (M(theta) + h C) q'' = f - C q' - bias,    q' += h q'',    q += h q'

as MuJoCo's Euler integrator does (damping implicit). Because the damping C is the same in x and
y, the system written in the body frame has constant coefficients: forward is decoupled, and left
and rotation form a 2 x 2 block whose determinant (the Schur complement of M + h C) never changes.

Everything that the compiled code uses is in this file: numba's cache on disk notices changes in a
function's own file only.

The state of a robot is a row of eight float64:
x, y (m), heading (rad, in [-pi, pi]), v_x, v_y (m/s, world), omega (rad/s),
a_forward, a_left (m/s^2, body frame: what the accelerometer reads).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit

STATE_SIZE = 8

LANES = 16
"""Robots that are moved side by side, each number of theirs in a vector register or two."""

SUBSTEP = 0.002
SUBSTEPS = 100

_FULL_TURN = 2.0 * math.pi

_SPHERE_RADIUS = 0.1
_CUBE_SIDE = 0.1
_CUBE_AHEAD = 0.1
_SPHERE_MASS = 4.0 / 3.0 * math.pi * _SPHERE_RADIUS**3
_CUBE_MASS = _CUBE_SIDE**3

MASS = _SPHERE_MASS + _CUBE_MASS
"""kg; 0.00518879."""
MASS_OFFSET = _CUBE_MASS * _CUBE_AHEAD
"""kg m: the mass times the distance (0.0192723 m) of its centre ahead of the origin."""
INERTIA = (
    0.4 * _SPHERE_MASS * _SPHERE_RADIUS**2
    + _CUBE_MASS * _CUBE_SIDE**2 / 6.0
    + _CUBE_MASS * _CUBE_AHEAD**2
)
"""kg m^2 about the origin; 2.8422e-5."""

DAMPING = 0.01
ANGULAR_DAMPING = 0.005
GEAR = 0.3
CONTROL_LIMIT = 0.05

_IMPLICIT_MASS = MASS + SUBSTEP * DAMPING
_IMPLICIT_INERTIA = INERTIA + SUBSTEP * ANGULAR_DAMPING
_IMPLICIT_DETERMINANT = _IMPLICIT_MASS * _IMPLICIT_INERTIA - MASS_OFFSET**2
_DETERMINANT = MASS * INERTIA - MASS_OFFSET**2


@numba.njit(inline="always")
def _clip(value, limit):  # type: ignore[no-untyped-def]
    return min(max(value, -limit), limit)


@numba.njit(inline="always")
def substep(x, y, heading, vx, vy, omega, cos, sin, force, target):  # type: ignore[no-untyped-def]
    """One Euler step under a held control; the heading is not wrapped.

    This and ``accelerometer`` are nothing but the arithmetic of scalars, so that another compiler
    can take them from this source, with blocks of robots in place of one
    (``sport_ray.tensors.robot_gpu``): no attribute, no comparison, nothing of other files.
    """
    torque = GEAR * _clip(target - GEAR * omega, CONTROL_LIMIT)
    forward, left = cos * vx + sin * vy, cos * vy - sin * vx
    net_forward = force - DAMPING * forward + MASS_OFFSET * omega * omega
    net_left = -DAMPING * left
    net_torque = torque - ANGULAR_DAMPING * omega
    a_forward = net_forward / _IMPLICIT_MASS
    a_left = (_IMPLICIT_INERTIA * net_left - MASS_OFFSET * net_torque) / _IMPLICIT_DETERMINANT
    a_omega = (_IMPLICIT_MASS * net_torque - MASS_OFFSET * net_left) / _IMPLICIT_DETERMINANT

    vx += SUBSTEP * (cos * a_forward - sin * a_left)
    vy += SUBSTEP * (sin * a_forward + cos * a_left)
    omega += SUBSTEP * a_omega
    x += SUBSTEP * vx
    y += SUBSTEP * vy
    turn = SUBSTEP * omega
    heading += turn
    # |turn| <= 0.01 rad, where these series are exact to the last bit.
    t2 = turn * turn
    cos_turn = 1.0 - t2 * (0.5 - t2 * (1.0 / 24.0 - t2 / 720.0))
    sin_turn = turn * (1.0 - t2 * (1.0 / 6.0 - t2 * (1.0 / 120.0 - t2 / 5040.0)))
    cos, sin = cos * cos_turn - sin * sin_turn, sin * cos_turn + cos * sin_turn
    return x, y, heading, vx, vy, omega, cos, sin


@numba.njit(inline="always")
def accelerometer(vx, vy, omega, cos, sin, force, target):  # type: ignore[no-untyped-def]
    """Explicit forward dynamics at the new state, the control held: a_forward, a_left."""
    torque = GEAR * _clip(target - GEAR * omega, CONTROL_LIMIT)
    forward, left = cos * vx + sin * vy, cos * vy - sin * vx
    net_forward = force - DAMPING * forward + MASS_OFFSET * omega * omega
    net_left = -DAMPING * left
    net_torque = torque - ANGULAR_DAMPING * omega
    a_left = (INERTIA * net_left - MASS_OFFSET * net_torque) / _DETERMINANT
    return net_forward / MASS, a_left


@njit(nogil=True)
def _move(lanes, count):  # type: ignore[no-untyped-def]
    """All substeps of robots 0 … count − 1; their ten numbers lie LANES apart."""
    for _ in range(SUBSTEPS):
        for i in range(count):
            (
                lanes[i],
                lanes[LANES + i],
                lanes[2 * LANES + i],
                lanes[3 * LANES + i],
                lanes[4 * LANES + i],
                lanes[5 * LANES + i],
                lanes[6 * LANES + i],
                lanes[7 * LANES + i],
            ) = substep(
                lanes[i],
                lanes[LANES + i],
                lanes[2 * LANES + i],
                lanes[3 * LANES + i],
                lanes[4 * LANES + i],
                lanes[5 * LANES + i],
                lanes[6 * LANES + i],
                lanes[7 * LANES + i],
                lanes[8 * LANES + i],
                lanes[9 * LANES + i],
            )


@njit(nogil=True)
def advance(
    state: NDArray[np.float64], slots: NDArray[np.int64], actions: NDArray[np.float64]
) -> None:
    """Move the robots ``slots`` of ``state`` (num_slots, 8) by one control step, in place.

    ``actions`` (n, 2) in [-1, 1]: a0 pushes along the heading with 0.3 clip(a0, 0.05) N, a1 is the
    target of a velocity servo with torque 0.3 clip(a1 - 0.3 omega, 0.05) N m, evaluated at each
    substep. No fastmath: the result for a robot has the same bits whatever else is in the batch,
    for each lane of a vector instruction computes what a robot alone would.

    The servo is bang-bang: unless it is saturated (|a1| near 1) it amplifies the rounding of the
    last bit to centimetres within 100 control steps, here and in MuJoCo alike.
    """
    lanes = np.zeros(10 * LANES)
    for first in range(0, slots.shape[0], LANES):
        count = min(LANES, slots.shape[0] - first)
        for i in range(count):
            row = state[slots[first + i]]
            for k in range(6):
                lanes[i + k * LANES] = row[k]
            lanes[i + 6 * LANES], lanes[i + 7 * LANES] = math.cos(row[2]), math.sin(row[2])
            lanes[i + 8 * LANES] = GEAR * _clip(actions[first + i, 0], CONTROL_LIMIT)
            lanes[i + 9 * LANES] = actions[first + i, 1]
        _move(lanes, LANES if count > 1 else 1)
        for i in range(count):
            row = state[slots[first + i]]
            for k in range(6):
                row[k] = lanes[i + k * LANES]
            row[6], row[7] = accelerometer(
                row[3],
                row[4],
                row[5],
                lanes[i + 6 * LANES],
                lanes[i + 7 * LANES],
                lanes[i + 8 * LANES],
                lanes[i + 9 * LANES],
            )
            if row[2] > math.pi:
                row[2] -= _FULL_TURN
            elif row[2] < -math.pi:
                row[2] += _FULL_TURN
