"""Task and method files: YAML that means one thing, checked, each mistake one line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.mistakes import did_you_mean, explained
from sport_ray.experiments.config.study_file import read_study_file

HERE = Path(__file__).resolve().parent

FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=40)]
"""Of a task or a method: lower case, digits and `_`; that of its file."""
Title = Annotated[str, Field(min_length=1, max_length=60)]
Why = Annotated[str, Field(min_length=1, max_length=600)]


class NamedSection(Section):
    """What a file of the benchmark begins with."""

    name: FileName
    """That of its file."""
    title: Title
    """Short, for tables."""
    why: Why
    """Why it is in the benchmark, one or two sentences."""


Named = TypeVar("Named", bound=NamedSection)


def read_all(folder: Path, kind: type[Named]) -> dict[str, Named]:
    """The files of a folder by name, in the order of their names.

    Raises:
        UserError: see ``read``.
    """
    return {file.stem: read(file, kind) for file in sorted(folder.glob("*.yaml"))}


def read(file: Path, kind: type[Named]) -> Named:
    """One file.

    Raises:
        UserError: one line with the key, its value and the remedy.
    """
    values = read_study_file(file).values
    try:
        found = kind.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{file}: {explained(error, kind)}") from None
    if found.name != file.stem:
        raise UserError(f"{file}: name = {found.name!r}: a file is called by its name, rename one")
    return found


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The first mapping with what the second says, key by key at every depth.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = merged(old, value)
        found[key] = value
    return found


def picked(asked: list[str] | None, known: dict[str, Named], what: str) -> list[Named]:
    """Those that are named, in the order of the files; all without names.

    Raises:
        UserError: a name of none, or no name.
    """
    require_named(asked, f"--{what}s")
    for name in asked or []:
        if name not in known:
            raise UserError(f"--{what}s: no {what} {name!r}; {did_you_mean(name, known)}")
    return [one for name, one in known.items() if asked is None or name in asked]


def require_named(asked: list[str] | None, option: str) -> None:
    """Refuse an option that is given and names nothing, as that of an empty shell variable.

    Raises:
        UserError: with the option.
    """
    if asked == []:
        raise UserError(f"{option} names nothing: give names, a,b, or leave it out")
