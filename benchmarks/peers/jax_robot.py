"""The point robot's fixed layout in JAX, float32: sport_ray/envs/dynamics.py line by line.

One robot; ``jax.vmap`` makes many of it. The state is a row of eight numbers, as there.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

from sport_ray.envs import dynamics as body
from sport_ray.envs.layouts import FIXED_LAYOUT, GOAL_RADIUS
from sport_ray.envs.observation import GRAVITY, LIDAR_BINS, LIDAR_GAIN, MAGNETIC_FIELD

UNROLL = 10  # substeps a pass of the loop: XLA's overhead is per pass
FULL_TURN = 2.0 * math.pi

_CENTRES = jnp.array([FIXED_LAYOUT.goal, FIXED_LAYOUT.hazard])
_IMPLICIT_MASS = body.MASS + body.SUBSTEP * body.DAMPING
_IMPLICIT_INERTIA = body.INERTIA + body.SUBSTEP * body.ANGULAR_DAMPING
_IMPLICIT_DETERMINANT = _IMPLICIT_MASS * _IMPLICIT_INERTIA - body.MASS_OFFSET**2
_DETERMINANT = body.MASS * body.INERTIA - body.MASS_OFFSET**2


def start() -> Array:
    """The state (8,) that every episode starts from."""
    return jnp.zeros(body.STATE_SIZE).at[:3].set(jnp.array(FIXED_LAYOUT.pose))


def advance(state: Array, action: Array) -> Array:
    """The state after a control step of 100 substeps, for an action (2,) in [-1, 1]."""
    force = body.GEAR * jnp.clip(action[0], -body.CONTROL_LIMIT, body.CONTROL_LIMIT)

    def forces(cos: Array, sin: Array, vx: Array, vy: Array, omega: Array) -> tuple[Array, ...]:
        servo = action[1] - body.GEAR * omega
        torque = body.GEAR * jnp.clip(servo, -body.CONTROL_LIMIT, body.CONTROL_LIMIT)
        forward, left = cos * vx + sin * vy, cos * vy - sin * vx
        net_forward = force - body.DAMPING * forward + body.MASS_OFFSET * omega * omega
        return net_forward, -body.DAMPING * left, torque - body.ANGULAR_DAMPING * omega

    def substep(_: int, now: tuple[Array, ...]) -> tuple[Array, ...]:
        x, y, heading, vx, vy, omega, cos, sin = now
        net_forward, net_left, net_torque = forces(cos, sin, vx, vy, omega)
        a_forward = net_forward / _IMPLICIT_MASS
        a_left = (_IMPLICIT_INERTIA * net_left - body.MASS_OFFSET * net_torque) / (
            _IMPLICIT_DETERMINANT
        )
        a_omega = (_IMPLICIT_MASS * net_torque - body.MASS_OFFSET * net_left) / (
            _IMPLICIT_DETERMINANT
        )
        vx = vx + body.SUBSTEP * (cos * a_forward - sin * a_left)
        vy = vy + body.SUBSTEP * (sin * a_forward + cos * a_left)
        omega = omega + body.SUBSTEP * a_omega
        turn = body.SUBSTEP * omega
        t2 = turn * turn
        cos_turn = 1.0 - t2 * (0.5 - t2 * (1.0 / 24.0 - t2 / 720.0))
        sin_turn = turn * (1.0 - t2 * (1.0 / 6.0 - t2 * (1.0 / 120.0 - t2 / 5040.0)))
        return (
            x + body.SUBSTEP * vx,
            y + body.SUBSTEP * vy,
            heading + turn,
            vx,
            vy,
            omega,
            cos * cos_turn - sin * sin_turn,
            sin * cos_turn + cos * sin_turn,
        )

    begun = (*state[:6], jnp.cos(state[2]), jnp.sin(state[2]))
    ended = jax.lax.fori_loop(0, body.SUBSTEPS, substep, begun, unroll=UNROLL)
    x, y, heading, vx, vy, omega, cos, sin = ended
    net_forward, net_left, net_torque = forces(cos, sin, vx, vy, omega)
    heading = heading - FULL_TURN * (heading > math.pi) + FULL_TURN * (heading < -math.pi)
    a_left = (body.INERTIA * net_left - body.MASS_OFFSET * net_torque) / _DETERMINANT
    return jnp.stack([x, y, heading, vx, vy, omega, net_forward / body.MASS, a_left])


def observe(state: Array) -> tuple[Array, Array]:
    """Observation (44,) and the distance to the goal's centre, metres."""
    x, y, heading, vx, vy, omega, a_forward, a_left = state
    cos, sin, zero = jnp.cos(heading), jnp.sin(heading), jnp.zeros(())
    own = jnp.stack(
        [
            *(a_forward, a_left, zero + GRAVITY),
            *(cos * vx + sin * vy, cos * vy - sin * vx, zero),
            *(zero, zero, omega),
            *(-MAGNETIC_FIELD * sin, -MAGNETIC_FIELD * cos, zero),
        ]
    )
    dx, dy = _CENTRES[:, 0] - x, _CENTRES[:, 1] - y
    distance = jnp.sqrt(dx * dx + dy * dy)
    angle = jnp.arctan2(cos * dy - sin * dx, cos * dx + sin * dy)
    angle = jnp.where(angle < 0.0, angle + FULL_TURN, angle)
    position = angle / (FULL_TURN / LIDAR_BINS)
    index = jnp.clip(position.astype(jnp.int32), 0, LIDAR_BINS - 1)[:, None]
    fraction = position[:, None] - index
    value = jnp.exp(-LIDAR_GAIN * distance)[:, None]
    bins = jnp.arange(LIDAR_BINS)
    lidar = value * (
        (bins == index)
        + fraction * (bins == (index + 1) % LIDAR_BINS)
        + (1.0 - fraction) * (bins == (index - 1) % LIDAR_BINS)
    )
    return jnp.concatenate([own, lidar.reshape(-1)]), distance[0]


def reached(goal_distance: Array) -> Array:
    """Whether the robot is in the goal."""
    return goal_distance <= GOAL_RADIUS
