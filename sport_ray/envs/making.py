"""Make a gymnasium environment with a horizon, whether or not its class knows that word."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

from sport_ray.envs.faults import telling_what_failed, what_happened
from sport_ray.envs.stepping import Stepping, only
from sport_ray.errors import UserError


def environment_spec(env_id: str) -> EnvSpec:
    """What is registered under an id, which may name the module that registers it (``module:id``).

    Raises:
        gymnasium.error.Error: an id that is not registered.
        UserError: one that is not, and names no module that could.
        ImportError: a module that cannot be imported.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)  # registers the id, as gymnasium.make would
    try:
        return gymnasium.spec(name)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound) as error:
        if module:
            raise
        raise UserError(
            f"{what_happened(error)} If a module of yours registers it, name that, too: "
            f"{'module:' + name!r}"
        ) from error


def creator_of(spec: EnvSpec) -> Any:
    """The class or function that makes the environment; None where only a vector is registered."""
    entry = spec.entry_point
    return load_env_creator(entry) if isinstance(entry, str) else entry


def vector_creator(env_id: str) -> Any:
    """The class or function that makes an author's own vector environment; None without one.

    Raises:
        gymnasium.error.Error, ImportError: as :func:`environment_spec`; an entry point that is not
            there.
    """
    entry = environment_spec(env_id).vector_entry_point
    return load_env_creator(entry) if isinstance(entry, str) else entry


def horizon_arguments(env_id: str, horizon: int) -> dict[str, Any]:
    """What to give ``gymnasium.make`` so that episodes of ``env_id`` can last ``horizon`` steps.

    gymnasium's own limit replaces the one that the id was registered with (an episode that it cut
    shorter would be cut off undecided); an environment with an argument ``horizon`` is told, too.

    Raises:
        UserError: an id that is not registered, or whose module cannot be imported.
    """
    arguments: dict[str, Any] = {"max_episode_steps": horizon}
    with telling_what_failed(env_id):
        creator = creator_of(environment_spec(env_id))
        if creator is not None and "horizon" in inspect.signature(creator).parameters:
            arguments["horizon"] = horizon
    return arguments


def make_environment(env_id: str, kwargs: Mapping[str, Any], horizon: int) -> Stepping:
    """A gymnasium environment whose episodes last up to ``horizon`` steps, behind our layer.

    Raises:
        UserError: an id that is not registered, arguments that it does not take, whatever else
            its making raised (kept as ``__cause__``), or spaces that are not vectors.
    """
    return made_with(env_id, {**kwargs, **horizon_arguments(env_id, horizon)})


def made_with(
    env_id: str,
    arguments: Mapping[str, Any],
    *,
    copy: int | None = None,
    booleans: dict[str, bool] | None = None,
) -> Stepping:
    """As :func:`make_environment`, with exactly these arguments; the rest is ``Stepping``'s."""
    with telling_what_failed(env_id):
        # gymnasium's checker warns of, or dies of, what our layer reads or tells by name.
        made = gymnasium.make(env_id, disable_env_checker=True, **arguments)
    try:
        return Stepping(made, env_id, copy=copy, booleans=booleans)
    except UserError:
        made.close()
        raise
    except Exception as error:  # spaces that are properties
        made.close()
        raise UserError(f"environment {env_id!r} cannot be made: {what_happened(error)}") from error


def make_copies(env_id: str, arguments: Mapping[str, Any], count: int) -> list[Stepping]:
    """``count`` copies of an environment, which share what is known of its signals.

    Raises:
        UserError: as :func:`made_with`; where a first copy could be made and a further one could
            not, with the remedy.
    """
    booleans: dict[str, bool] = {}
    copies: list[Stepping] = []
    try:
        for index in range(count):
            made = made_with(env_id, arguments, copy=index, booleans=booleans)
            copies.append(made)  # one by one: those made before a fault are closed
    except UserError as error:
        for one in copies:
            one.close()
        if not copies:
            raise
        raise UserError(f"{error} ({only(len(copies))})") from error.__cause__
    return copies
