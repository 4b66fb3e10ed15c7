"""Generalised advantage estimation on arrays (time, environment)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def generalised_advantages(
    rewards: NDArray[np.floating],
    values: NDArray[np.floating],
    terminated: Bools,
    truncated: Bools,
    *,
    gamma: float,
    lambda_: float,
) -> Floats:
    """Advantages A (T, E), vectorised over environments, one pass backwards over time.

    With V = ``values``, the critic at the observation before each step and, in the last row, at
    the one after the last step:

        δ_t = r_t + γ (1 − terminated_t) V_{t+1} − V_t
        A_t = δ_t + γ λ (1 − terminated_t)(1 − truncated_t) A_{t+1},   A_T = 0

    V(s_{t+1}) is the bootstrap at a truncation and at the fragment's cut, 0 at a termination.
    With NEXT_STEP resets the row after an end holds the episode's last observation, so V_{t+1}
    is the right value there too; that row itself is no step and its advantage means nothing.

    Args:
        rewards: (T, E).
        values: (T + 1, E).
        terminated: (T, E), the episode ended for good with this step.
        truncated: (T, E), it was cut off after this step.
        gamma: discount, in [0, 1].
        lambda_: in [0, 1].

    Returns:
        (T, E) float64; the critic's targets are A + V[:-1].

    Raises:
        ValueError: shapes that do not fit, a reward or value that is not finite, γ or λ outside
            [0, 1].

    Source: Schulman et al. 2016 (arXiv 1506.02438), eq. 16, cut at ends of episodes.
    """
    for name, share in (("gamma", gamma), ("lambda_", lambda_)):
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name} must be in [0, 1], got {share}")
    steps, count = rewards.shape
    shapes = {
        "values": (values, (steps + 1, count)),
        "terminated": (terminated, (steps, count)),
        "truncated": (truncated, (steps, count)),
    }
    for name, (array, expected) in shapes.items():
        if array.shape != expected:
            raise ValueError(f"{name} has shape {array.shape}, expected {expected}")
    for name, numbers in (("rewards", rewards), ("values", values)):
        if not np.isfinite(numbers).all():
            row, column = np.argwhere(~np.isfinite(numbers))[0]
            raise ValueError(f"{name}[{row}, {column}] is {numbers[row, column]}")

    exact = values.astype(np.float64)
    goes_on = 1.0 - terminated
    residual = rewards + gamma * goes_on * exact[1:] - exact[:-1]
    carry = gamma * lambda_ * goes_on * (1.0 - truncated)
    advantages = np.empty((steps, count))
    _backwards(residual, carry, advantages)
    return advantages


@njit(nogil=True, error_model="numpy")
def _backwards(residual: Floats, carry: Floats, advantages: Floats) -> None:
    """A_t = residual_t + carry_t A_{t+1}, each environment by itself."""
    steps, count = residual.shape
    for env in range(count):
        running = 0.0
        for step in range(steps - 1, -1, -1):
            running = residual[step, env] + carry[step, env] * running
            advantages[step, env] = running
