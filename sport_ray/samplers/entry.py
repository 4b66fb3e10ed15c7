"""From ``module:name`` to something that can be called; every mistake in one line."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sport_ray.envs.faults import is_ours_to_heed, what_happened
from sport_ray.envs.values import described
from sport_ray.errors import UserError

ENTRY = r"[^\W\d][\w.]*:[^\W\d]\w*"
FORM = "a function (observation, count, generator), or a class with that method, 'sample'"

Draw = Callable[..., Any]
"""(observation, count, generator) → actions."""


def is_entry(name: str) -> bool:
    """Whether a name is of the form ``module:name``."""
    return re.fullmatch(ENTRY, name) is not None


@contextmanager
def telling(where: str) -> Iterator[None]:
    """Turn what a user's code raises into one line that begins with ``where``."""
    try:
        yield
    except BaseException as error:
        if is_ours_to_heed(error):
            raise
        raise UserError(f"{where}: {what_happened(error)}") from error


def resolved(entry: str, arguments: Mapping[str, Any]) -> Draw:
    """What draws: the function with its arguments, or the method of an object made of them.

    Raises:
        UserError: a module that cannot be imported, no such name, or one that cannot be called so.
    """
    module_name, _, name = entry.partition(":")
    where = f"base sampler {entry!r}"
    found = _named(_imported(module_name, where), name, where)
    if inspect.isclass(found):
        if not callable(getattr(found, "sample", None)):
            raise UserError(f"{where} is a class without a method 'sample': give {FORM}")
        with telling(f"{where} cannot be made with {_shown(arguments)}"):
            made: Any = found(**arguments)
            found = made.sample
        arguments = {}
    if not callable(found):
        raise UserError(f"{where} is {described(found)}: give {FORM}")
    function: Draw = found
    _require_form(function, arguments, where)
    return lambda observation, count, generator: function(
        observation, count, generator, **arguments
    )


def _imported(module: str, where: str) -> Any:
    if module == "__main__":
        raise UserError(f"{where}: put it into a file of its own, for other processes import it")
    try:
        with telling(f"{where}: its module {module!r} cannot be imported"):
            return importlib.import_module(module)
    except UserError as error:
        cause = error.__cause__
        names = {module, module.partition(".")[0]}
        if isinstance(cause, ModuleNotFoundError) and cause.name in names:
            raise UserError(
                f"{where}: there is no module {cause.name!r} on Python's path: name the folder "
                "that it is in, for example by `export PYTHONPATH=$PWD`"
            ) from cause
        raise


def _named(module: Any, name: str, where: str) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    known = [one for one in vars(module) if not one.startswith("_")]
    near = difflib.get_close_matches(name, known, 1, 0.6)
    remedy = f"did you mean {near[0]!r}?" if near else f"define {FORM}"
    raise UserError(f"{where}: {module.__name__} has no {name!r}; {remedy}")


def _require_form(function: Draw, arguments: Mapping[str, Any], where: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not all compiled functions say
        return
    try:
        signature.bind(None, 1, None, **arguments)
    except TypeError as error:
        given = f" and {_shown(arguments)}" if arguments else ""
        raise UserError(
            f"{where} has the parameters {signature}, and is called with (observation, count, "
            f"generator){given}: {error}"
        ) from None


def _shown(arguments: Mapping[str, Any]) -> str:
    text = f"base_arguments {dict(arguments)!r}" if arguments else "no base_arguments"
    return text if len(text) <= 200 else f"{text[:197]}..."
