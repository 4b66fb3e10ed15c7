"""The log density ratio of two Gaussians at an action that was drawn, by its three terms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def log_ratio_terms(
    mean: Array, std: Array, mean_base: Array, std_base: Array, action: Array
) -> tuple[Array, Array, Array]:
    """(log std_base/std, far, near) in each entry: its log ratio is the first + far − near.

    Args:
        mean, std, mean_base, std_base, action: (n, D).

    Returns:
        Three arrays (n, D), nats; far and near are half the squared distances of the action from
        the means, each in its own std.
    """
    far = 0.5 * ((action - mean_base) / std_base) ** 2
    near = 0.5 * ((action - mean) / std) ** 2
    return np.log(std_base / std), far, near


def realised_log_ratio(
    mean: Array, std: Array, mean_base: Array, std_base: Array, action: Array
) -> Array:
    """Σ_i log N(a_i; mean, std)/N(a_i; mean_base, std_base) of actions (n, D), nats, (n,).

    Exactly 0 where both Gaussians are the same.

    >>> one = np.ones((1, 1))
    >>> realised_log_ratio(one, one, 0.0 * one, one, one).tolist()
    [0.5]
    """
    log_std, far, near = log_ratio_terms(mean, std, mean_base, std_base, action)
    return (log_std + far - near).sum(axis=1)
