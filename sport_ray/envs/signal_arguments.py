"""What the function of a signal is given: told by its parameters' names, and by their number."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from sport_ray.errors import UserError

Given = Literal["obs", "info", "env"]
NAMES: dict[str, Given] = {
    "obs": "obs", "observation": "obs",
    "info": "info",
    "env": "env", "environment": "env",
}  # fmt: skip
"""Parameters of these names are given that, wherever they stand."""
REMEDY = "write f(obs), f(obs, info) or f(env), in a lambda where need be"


class Arguments(NamedTuple):
    """What to call a signal's function with: in this order, and by name."""

    in_order: tuple[Given, ...]
    by_name: tuple[tuple[str, Given], ...]

    @property
    def takes_env(self) -> bool:
        """Whether the environment is among them."""
        return "env" in (*self.in_order, *(given for _, given in self.by_name))


def arguments_of(name: str, function: Callable[..., Any]) -> Arguments:
    """What the function of the signal ``name`` is given.

    A parameter called obs (observation), info or env (environment) is given that. Of parameters
    with other names a first one is given the observation, a second one after it the info.
    Parameters with a default keep it.

    Raises:
        UserError: none or too many parameters, the same thing twice, ``*args``, a default for one
            of those names: where it is not told what is meant.

    >>> arguments_of("fast", lambda seen: seen[2]).in_order
    ('obs',)
    >>> arguments_of("hit", lambda seen, info: info["hit"]).in_order
    ('obs', 'info')
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise UserError(
            f"signal {name!r}: Python does not tell the parameters of {function!r}: {REMEDY}"
        ) from None
    told = f"signal {name!r}: its function takes ({', '.join(map(str, parameters))})"
    in_order: list[Given] = []
    by_name: list[tuple[str, Given]] = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UserError(f"{told}, which does not tell what it is to be given: {REMEDY}")
        meant = NAMES.get(parameter.name)
        if parameter.default is not parameter.empty:
            if meant is not None:
                raise UserError(
                    f"{told}: {parameter.name} has a default, so it is not told whether it is to "
                    "be given: remove the default, or rename the parameter"
                )
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            if meant is None:
                raise UserError(f"{told}, and {parameter.name!r} is none of {', '.join(NAMES)}")
            by_name.append((parameter.name, meant))
            continue
        in_order.append(meant or _by_place(told, in_order))
    given = [*in_order, *(meant for _, meant in by_name)]
    if not given or len(set(given)) < len(given):
        raise UserError(f"{told}, which does not tell what it is to be given: {REMEDY}")
    return Arguments(tuple(in_order), tuple(by_name))


def _by_place(told: str, before: list[Given]) -> Given:
    """What a parameter is given whose name says nothing."""
    if not before:
        return "obs"
    if before == ["obs"]:
        return "info"
    raise UserError(f"{told}, which does not tell what it is to be given: {REMEDY}")
