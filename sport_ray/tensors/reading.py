"""What tensor environments hand out, checked and copied into arrays: one reader for all adapters.

Shapes, dtypes and devices are looked at without a transfer; what is finite is looked at on the
copy, in the rows that mean something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.envs.values import HOLDS, described
from sport_ray.errors import UserError
from sport_ray.tensors.environment import TensorEnvironment, TensorStep

if TYPE_CHECKING:  # tensors alone need no gymnasium
    from gymnasium import spaces

FLOATS = (torch.float32, torch.float64)


def require_attributes(environment: Any, num_slots: int, device: torch.device) -> None:
    """Refuse what is no tensor environment, before anything is asked of it.

    Raises:
        UserError: naming the attribute.
    """
    for name in ("reset", "step"):
        if not callable(getattr(environment, name, None)):
            raise UserError(
                f"its factory made {described(environment)}, which has no {name}(): expected a "
                "TensorEnvironment"
            )
    found = getattr(environment, "num_slots", None)
    if found != num_slots:
        raise UserError(f"num_slots is {found!r}: expected the {num_slots} that it was made with")
    size = getattr(environment, "observation_size", None)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError(f"observation_size is {size!r}: expected a whole number of at least 1")
    names = getattr(environment, "signal_names", None)
    named = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    if not named or not names or len(set(names)) < len(names):
        raise UserError(
            f"signal_names is {described(names)}: expected a tuple of the propositions' names, "
            "each once"
        )
    _require_device(getattr(environment, "device", None), device)
    cost = getattr(environment, "cost_signal", None)
    if cost is not None and cost not in names:
        raise UserError(f"cost_signal is {cost!r}: expected one of {', '.join(names)}")


def _require_device(found: Any, asked: torch.device) -> None:
    if not isinstance(found, torch.device):
        raise UserError(f"device is {described(found)}: expected a torch.device")
    # cuda and cuda:0 may be one: which, the driver says, and no tensor is here yet.
    same = found.type == asked.type and asked.index in (None, found.index or 0)
    if not same:
        raise UserError(f"device is {found}: expected {asked}, which it was made for")


def require_starts(environment: TensorEnvironment, started: Any) -> tuple[torch.Tensor, ...]:
    """Observations and signals as ``reset`` gave them, if shape, dtype and device are right.

    Raises:
        UserError: naming what is wrong.
    """
    if not isinstance(started, tuple) or len(started) != 2:
        raise UserError(
            f"reset() returned {described(started)}: expected the pair (observation, signals)"
        )
    _require_seen(environment, *started)
    return started


def require_step(environment: TensorEnvironment, step: Any) -> TensorStep:
    """What ``step`` gave, if shapes, dtypes and devices are right.

    Raises:
        UserError: naming what is wrong.
    """
    if not isinstance(step, tuple) or len(step) != 5:
        raise UserError(
            f"step() returned {described(step)}: expected a TensorStep, (observation, signals, "
            "reward, terminated, truncated)"
        )
    given = TensorStep(*step)
    _require_seen(environment, given.observation, given.signals)
    shape = (environment.num_slots,)
    _require(environment, "reward", given.reward, shape, FLOATS)
    _require(environment, "terminated", given.terminated, shape, (torch.bool,))
    _require(environment, "truncated", given.truncated, shape, (torch.bool,))
    return given


def _require_seen(environment: TensorEnvironment, observation: Any, signals: Any) -> None:
    slots = environment.num_slots
    _require(environment, "observation", observation, (slots, environment.observation_size), FLOATS)
    shape = (slots, len(environment.signal_names))
    _require(environment, "signals", signals, shape, (*FLOATS, torch.bool))


def _require(
    environment: TensorEnvironment,
    name: str,
    value: Any,
    shape: tuple[int, ...],
    dtypes: tuple[torch.dtype, ...],
) -> None:
    if not isinstance(value, torch.Tensor):
        raise UserError(f"{name} is {described(value)}: expected a tensor")
    if tuple(value.shape) != shape:
        raise UserError(f"{name} has shape {tuple(value.shape)}: expected {shape}")
    if value.dtype not in dtypes:
        allowed = " or ".join(str(one).removeprefix("torch.") for one in dtypes)
        found = str(value.dtype).removeprefix("torch.")
        raise UserError(f"{name} has dtype {found}: expected {allowed}")
    if value.device.type != environment.device.type:
        raise UserError(
            f"{name} is on {value.device}: expected {environment.device}, the environment's device"
        )


def idle_actions(space: spaces.Box | spaces.Discrete[np.int64], slots: int) -> NDArray[Any]:
    """Actions (n, A), of a Discrete space indices (n,), that any environment may be given."""
    first = getattr(space, "start", 0)  # of a Discrete space
    return np.full((slots, *(space.shape or ())), first, dtype=space.dtype)


def floats(values: torch.Tensor) -> NDArray[np.float64]:
    """A copy in float64 on the host; Booleans are +1 and −1, as everywhere."""
    if values.dtype == torch.bool:
        return np.where(values.cpu().numpy(), HOLDS, -HOLDS)
    return np.array(values.detach().cpu().numpy(), dtype=np.float64, copy=True)


def flags(values: torch.Tensor) -> NDArray[np.bool_]:
    """A copy on the host."""
    return np.array(values.cpu().numpy(), dtype=np.bool_, copy=True)


def what_is_wrong(
    names: tuple[str, ...],
    observation: NDArray[np.float64],
    signals: NDArray[np.float64],
    reward: NDArray[np.float64] | None = None,
) -> tuple[int, str] | None:
    """The first row in which a number is not as it must be, and what it is; else None.

    The same three rules as for gymnasium environments: observations finite in float32, signals
    not NaN, rewards finite.
    """
    with np.errstate(over="ignore"):
        good = np.isfinite(observation.astype(np.float32))  # what policies take
    if not good.all():
        row, entry = np.argwhere(~good)[0]
        value = observation[row, entry]
        return int(
            row
        ), f"the observation is {value:g} at entry {entry}: it must be finite in float32"
    if np.isnan(signals).any():
        row, column = np.argwhere(np.isnan(signals))[0]
        return int(row), (
            f"signal {names[column]!r} is NaN; every state must have a number for each signal"
        )
    if reward is not None and not np.isfinite(reward).all():
        row = int(np.flatnonzero(~np.isfinite(reward))[0])
        return row, f"the reward is {reward[row]}: rewards must be finite"
    return None
