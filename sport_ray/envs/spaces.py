"""What the spaces of an environment must be, and how numbers are brought into them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, DTypeLike, NDArray

from sport_ray.envs.values import described
from sport_ray.errors import UserError


def as_action(action: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """What an environment is given for an action: a fresh array of its action space's dtype.

    The one conversion for certification, training, evaluation and deployment. Fresh, because an
    environment may write into it. Rounding to the nearest keeps within bounds that are numbers of
    the same dtype.
    """
    with np.errstate(over="ignore"):  # what overflows is inf, and the environment's affair
        return np.array(action, dtype=dtype, copy=True)


def indices_of(space: spaces.Space[Any] | None) -> tuple[list[int], list[int]] | None:
    """First values and sizes of a space of indices, (K,) each; None of any other space.

    >>> indices_of(spaces.Discrete(3, start=-1))
    ([-1], [3])
    >>> indices_of(spaces.MultiDiscrete([3, 2]))
    ([0, 0], [3, 2])
    """
    if isinstance(space, spaces.Discrete):
        return [int(space.start)], [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return space.start.tolist(), space.nvec.tolist()
    if isinstance(space, spaces.MultiBinary) and isinstance(space.n, int | np.integer):
        return [0] * int(space.n), [2] * int(space.n)
    return None


def action_size_of(space: spaces.Space[Any]) -> int:
    """D: how many numbers an action is, of a space that :func:`require_numbers` lets pass."""
    found = indices_of(space)
    return len(found[0]) if found is not None else int(np.prod(space.shape or ()))


def as_observation(given: Any, space: spaces.Box) -> NDArray[Any]:
    """What an environment returned, as a fresh array of the space's shape and dtype.

    Floats are rounded to the space's precision (the policy's own input is float32 in any case);
    a space of integers takes only values that it holds.

    Raises:
        UserError: another shape, no numbers, or values that the space's dtype cannot hold.
    """
    return read_array(given, space.shape, np.dtype(space.dtype), "the observation")


def read_array(given: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """The same of any array that an observation has; ``name`` is what messages call it."""
    try:
        array = np.asarray(given)
    except Exception:  # ragged lists, or whatever its class does when it is asked
        raise UserError(f"{name} is {described(given)}: expected an array") from None
    if array.dtype.kind not in "biuf":
        raise UserError(f"{name} is {described(given)} (dtype {array.dtype}): expected numbers")
    if np.ma.is_masked(given):
        raise UserError(f"{name} has masked entries: expected numbers")
    if array.shape != shape:
        raise UserError(f"{name} has shape {array.shape}, its observation_space {shape}")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is inf and is refused
        kept: NDArray[Any] = np.array(array, dtype=dtype, copy=True)
    if kept.dtype.kind != "f" and not np.array_equal(kept, array):
        raise UserError(
            f"{name} has dtype {array.dtype} and values that its observation_space of "
            f"dtype {dtype} cannot hold: give the space the dtype of the observations"
        )
    return kept


def require_numbers(env_id: str, action: spaces.Space[Any] | None) -> None:
    """Refuse actions other than vectors of real numbers or indices.

    In a box of integers training would hand real numbers on as they are, evaluation cut off, and
    neither is what the environment's author meant.

    Raises:
        UserError: naming the space.
    """
    if indices_of(action) is not None:
        return
    if not isinstance(action, spaces.Box) or len(action.shape) != 1:
        raise UserError(
            f"environment {env_id!r} has action_space {action}: expected a Box of one dimension, "
            "Discrete, MultiDiscrete or MultiBinary"
        )
    kind = np.dtype(action.dtype)
    if kind.kind != "f":
        raise UserError(
            f"environment {env_id!r} takes actions of dtype {kind}, policies draw real numbers: "
            "give it an action_space of float32 and let it round as it means to"
        )


def require_unit_actions(env_id: str, space: spaces.Space[Any]) -> None:
    """Refuse bounded actions in another range than [−1, 1], which is what tanh gives.

    A policy would use a part of a wider range, or leave a narrower one, and nothing would tell.
    Actions without bounds are the environment's own affair.

    Raises:
        UserError: other bounds; says what to do.
    """
    if not isinstance(space, spaces.Box):
        return  # refused elsewhere
    low, high = np.unique(space.low), np.unique(space.high)
    if np.isinf(low).all() and np.isinf(high).all():
        return
    if not ((low == -1.0).all() and (high == 1.0).all()):
        raise UserError(
            f"environment {env_id!r} takes actions from {_text(low)} to {_text(high)}, the policy "
            "gives -1 to 1 (tanh): register it with gymnasium.wrappers.RescaleAction(env, -1, 1)"
        )


def _text(values: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values)
