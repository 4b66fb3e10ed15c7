"""Paths as people write them: ``~``, ``~name``, ``$HOME`` and other variables at the beginning."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sport_ray.errors import UserError

BEGINNING = re.compile(r"~|\$\w|\$\{\w")
FILE_URI = re.compile(r"(?i)(?:file|sqlite):/{0,3}(?=~|\$\w|\$\{\w)")


def user_path(path: str | Path) -> Path:
    """The path with its beginning expanded; one without is as it was.

    Raises:
        UserError: no such user or variable.
    """
    text = str(path)
    if text.startswith("~"):
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise UserError(
                f"path {text!r}: there is no such home folder; write the whole path, or ./ before "
                "a name that begins with ~"
            ) from None
    if BEGINNING.match(text):
        found = os.path.expandvars(text)
        if found == text:
            raise UserError(f"path {text!r}: no such environment variable; write the whole path")
        return Path(found)
    return Path(text)


def exists(path: Path, named: str) -> bool:
    """Whether there is something at the path.

    Raises:
        UserError: a path that cannot be looked at (too long, a folder that is closed).
    """
    try:
        return path.exists()
    except OSError as error:
        raise UserError(f"{named} cannot be looked at: {error.strerror}") from None


def expanded_uri(uri: str) -> str:
    """A tracking URI, or a path in its place, with its path's beginning expanded.

    Only a path of this machine: what else a URI holds (a password, a query) is not touched.

    Raises:
        ValueError: see ``user_path``.
    """
    begin = FILE_URI.match(uri)
    if begin is None and not BEGINNING.match(uri):
        return uri
    try:
        if begin is None:
            return str(user_path(uri))
        path = user_path(uri[begin.end() :])
    except UserError as error:
        raise ValueError(str(error)) from None
    scheme = begin[0].partition(":")[0].lower()
    slashes = "///" if scheme == "sqlite" else "//"  # SQLAlchemy counts one more
    return f"{scheme}:{slashes}{path}"


def expanded_argument(argument: str) -> str:
    """A word of the command line, ``~/x`` or ``--out=~/x``, as a shell expands the first of them.

    Raises:
        UserError: see ``user_path``.
    """
    option, equals, value = argument.partition("=")
    if argument.startswith("--") and equals and BEGINNING.match(value):
        return f"{option}={user_path(value)}"
    return str(user_path(argument)) if BEGINNING.match(argument) else argument
