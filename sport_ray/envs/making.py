"""Make a gymnasium environment with a horizon, whether or not its class knows that word."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator

from sport_ray.errors import UserError


def environment_spec(env_id: str) -> EnvSpec:
    """What is registered under an id, which may name the module that registers it (``module:id``).

    Raises:
        gymnasium.error.Error: an id that is not registered.
        ImportError: a module that cannot be imported.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)  # registers the id, as gymnasium.make would
    return gymnasium.spec(name)


def horizon_arguments(env_id: str, horizon: int) -> dict[str, Any]:
    """What to give ``gymnasium.make`` so that episodes of ``env_id`` can last ``horizon`` steps.

    gymnasium's own limit replaces the one that the id was registered with (an episode that it cut
    shorter would be cut off undecided); an environment with an argument ``horizon`` is told, too.
    """
    arguments: dict[str, Any] = {"max_episode_steps": horizon}
    if takes_horizon(env_id):
        arguments["horizon"] = horizon
    return arguments


def takes_horizon(env_id: str) -> bool:
    """Whether the environment has an argument ``horizon``, and so may behave otherwise under
    another one."""
    creator = _creator(env_id)
    return creator is not None and "horizon" in inspect.signature(creator).parameters


def _creator(env_id: str) -> Any:
    entry = environment_spec(env_id).entry_point
    return load_env_creator(entry) if isinstance(entry, str) else entry


def make_environment(env_id: str, kwargs: Mapping[str, Any], horizon: int) -> gymnasium.Env:
    """A gymnasium environment whose episodes last up to ``horizon`` steps.

    Raises:
        UserError: an id that is not registered, or arguments that it does not take.
    """
    try:
        return gymnasium.make(env_id, **{**kwargs, **horizon_arguments(env_id, horizon)})
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"environment {env_id!r} cannot be made: {reason}") from error


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
