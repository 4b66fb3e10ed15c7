"""Which modules may run although only a file names them: those that the user says."""

from __future__ import annotations

import importlib

from sport_ray.envs.faults import is_ours_to_heed, what_happened
from sport_ray.errors import UserError

_trusted: set[str] = set()


def trust_module(module: str) -> None:
    """Import a module, and let files name samplers in it, in this process.

    That a module is loaded is not enough: a file could name ``subprocess:Popen``.

    Raises:
        UserError: a module that cannot be imported.
    """
    try:
        importlib.import_module(module)
    except BaseException as error:  # the module's own code
        if is_ours_to_heed(error):
            raise
        raise UserError(f"module {module!r} cannot be imported: {what_happened(error)}") from error
    _trusted.add(module)


def is_trusted(module: str) -> bool:
    """Whether the user said so."""
    return module in _trusted
