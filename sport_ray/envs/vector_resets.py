"""What the ``reset`` of a vector environment is given, for each of its copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from sport_ray.errors import UserError


def copy_seeds(seed: int | Sequence[int | None] | None, num_envs: int) -> Sequence[int | None]:
    """A seed for each copy: s + i of a number s, a list as it is, None for each of None.

    Raises:
        ValueError: a list of another length.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(num_envs)]
    if len(seed) != num_envs:
        raise ValueError(f"seed: expected {num_envs} seeds, got {len(seed)}")
    return seed


def reset_mask(given: object, num_envs: int, started: bool) -> NDArray[np.bool_]:
    """The copies (num_envs,) that the option ``reset_mask`` names; all of them for None.

    Raises:
        UserError: another shape or dtype.
        ResetNeeded: some are left out before any was ``started``.
    """
    if given is None:
        return np.ones(num_envs, dtype=np.bool_)
    mask = np.array(given)
    if mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise UserError(
            f"reset option 'reset_mask' has shape {mask.shape} and dtype {mask.dtype}: "
            f"expected ({num_envs},) and bool"
        )
    if not started and not mask.all():
        raise ResetNeeded("the first env.reset() must reset all environments")
    return mask
