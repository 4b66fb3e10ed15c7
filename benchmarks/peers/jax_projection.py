"""The KL projection onto a density ratio in JAX, float32: bisection, Newton steps inside it.

What the project's own kernel does beyond it, the promise that the rounded result is within the
bound, is left out: this is about speed.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

HALVINGS = 24  # of the multiplier
INNER_HALVINGS, NEWTON_STEPS = 12, 4
LARGEST_LOG = 16.0
TINY = 1e-7


def project(
    mean_base: Array, std_base: Array, mean: Array, std: Array, log_alpha: Array
) -> tuple[Array, Array]:
    """The N with least KL(N || N(mean, std)) and log ratio to the base ≤ log_alpha; all (D,).

    In base units, with offset o, task variance t², B = 1 − v and multiplier λ, the solution is
    o B / (B + λ t²) with (1 + λ)/(1 − B) = 1/t² + λ o²/(B + λ t²)², and the ratio falls with λ.
    """
    offset = (mean - mean_base) / std_base
    variance = jnp.square(std / std_base)

    def shrunk(multiplier: Array) -> Array:
        """B (D,) at a multiplier, by bisection, then by Newton's method."""
        low, high = jnp.zeros_like(offset), jnp.ones_like(offset)
        b = 0.5 * (low + high)
        for step in range(INNER_HALVINGS + NEWTON_STEPS):
            room = b + multiplier * variance
            bent = multiplier * jnp.square(offset / room)
            lack = 1.0 / variance + bent - (1.0 + multiplier) / (1.0 - b)
            low, high = jnp.where(lack > 0.0, b, low), jnp.where(lack > 0.0, high, b)
            middle = 0.5 * (low + high)
            if step < INNER_HALVINGS:
                b = middle
            else:
                slope = 2.0 * bent / room + (1.0 + multiplier) / jnp.square(1.0 - b)
                new = b + lack / slope
                b = jnp.where((new > low) & (new < high), new, middle)
        return b

    def ratio(b: Array, multiplier: Array) -> Array:
        room = b + multiplier * variance
        terms = -0.5 * jnp.log1p(-b) + 0.5 * b * jnp.square(offset / room)
        return terms.sum()

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = 0.5 * (low + high)
        multiplier = jnp.exp(middle)
        above = ratio(shrunk(multiplier), multiplier) > log_alpha
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    bounds = jnp.full_like(log_alpha, -LARGEST_LOG), jnp.full_like(log_alpha, LARGEST_LOG)
    multiplier = jnp.exp(jax.lax.fori_loop(0, HALVINGS, halve, bounds)[1])
    b = shrunk(multiplier)
    found_mean = mean_base + std_base * offset * b / (b + multiplier * variance)
    found_std = std_base * jnp.sqrt(1.0 - b)

    own = 1.0 - variance
    within = -0.5 * jnp.log(variance) + 0.5 * jnp.square(offset) / jnp.maximum(own, TINY)
    free = ((own > 0.0) | ((own == 0.0) & (offset == 0.0))).all() & (within.sum() <= log_alpha)
    return jnp.where(free, mean, found_mean), jnp.where(free, std, found_std)
