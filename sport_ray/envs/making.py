"""Make a gymnasium environment with a horizon, whether or not its class knows that word."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator

from sport_ray.errors import UserError


def horizon_arguments(env_id: str, horizon: int) -> dict[str, Any]:
    """What to give ``gymnasium.make`` so that episodes of ``env_id`` can last ``horizon`` steps.

    gymnasium's own limit replaces the one that the id was registered with (an episode that it cut
    shorter would be cut off undecided); an environment with an argument ``horizon`` is told, too.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)  # registers the id, as gymnasium.make would
    spec = gymnasium.spec(name)
    entry = spec.entry_point
    creator: Any = load_env_creator(entry) if isinstance(entry, str) else entry
    arguments: dict[str, Any] = {"max_episode_steps": horizon}
    if creator is not None and "horizon" in inspect.signature(creator).parameters:
        arguments["horizon"] = horizon
    return arguments


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
