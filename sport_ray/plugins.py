"""Classes of the user's own packages: by ``module:name``, or by an entry point's name.

Three kinds can be brought along: constraints, sources of task policies and families. A name is
looked up where the user wrote it, in a study or a call. A name in a file of somebody else imports
nothing: files hold ``module:name``, and whoever trusts the module imports it first.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple, TypeVar

from sport_ray.errors import UserError

Kind = TypeVar("Kind")


class Group(NamedTuple):
    """Where packages announce their classes of one kind; what: the kind in words."""

    entry_points: str
    what: str


CONSTRAINTS = Group("sport_ray.constraints", "constraint")
TASK_POLICIES = Group("sport_ray.task_policies", "task-policy source")
FAMILIES = Group("sport_ray.families", "family")


def qualified(cls: type, package: str) -> str:
    """A plug-in's name as records have it: its own, after its module where that is not ours.

    package: whose classes keep their plain names, for they ship. So do those of ``__main__``,
    which no other process can import.
    """
    name: str = vars(cls)["name"]
    inside = f"{cls.__module__}.".startswith(f"{package}.")
    return name if inside or cls.__module__ == "__main__" else f"{cls.__module__}:{name}"


def plugin(
    group: Group, name: str, parent: type[Kind], known: Mapping[str, type[Kind]]
) -> type[Kind] | None:
    """The class that the user means by a name, imported where that is needed; None for no class.

    name: ``module:name``, the name as the class says it or the class itself; or that of an entry
        point. parent: what it derives from; known: those that there are, by name.

    Raises:
        UserError: one line; a module that cannot be imported, or something else than such a class.
    """
    if name in known:
        return known[name]
    entry = name if ":" in name else entry_point(group, name)
    if entry is None:
        return None
    module = imported(entry.partition(":")[0], f"{group.what} {name!r}")
    if entry in known:
        return known[entry]
    attribute = entry.partition(":")[2]
    found = _attribute(module, attribute)
    if isinstance(found, type) and issubclass(found, parent):
        if missing := sorted(getattr(found, "__abstractmethods__", ())):
            raise UserError(f"{group.what} {name!r} has no {', '.join(missing)}: define it")
        return found
    what = "nothing" if found is None else "something else"
    there = sorted(
        one.partition(":")[2] for one in known if one.partition(":")[0] == module.__name__
    )
    remedy = f"it has: {', '.join(there)}" if there else f"derive it from {parent.__name__}"
    raise UserError(f"{group.what} {name!r}: {module.__name__!r} has {what} of that name; {remedy}")


def _attribute(module: types.ModuleType, path: str) -> Any:
    """What a dotted name in a module means, None where nothing does."""
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def entry_point(group: Group, name: str) -> str | None:
    """``module:attribute`` of the entry point with that name; None without one. Imports nothing.

    Raises:
        UserError: several packages have one of that name, for different classes.
    """
    found = {one.value: one for one in metadata.entry_points(group=group.entry_points, name=name)}
    if len(found) > 1:
        whose = ", ".join(sorted(f"{one.dist.name} ({value})" if one.dist else value
                                 for value, one in found.items()))  # fmt: skip
        raise UserError(
            f"{group.what} {name!r} is announced by several packages: {whose}; write module:name"
        )
    return next(iter(found), None)


def announced(group: Group) -> list[str]:
    """The names of a group's entry points, sorted."""
    return sorted({one.name for one in metadata.entry_points(group=group.entry_points)})


def imported(module: str, which: str) -> types.ModuleType:
    """A module that the user named; ``which`` begins the line of the error.

    Raises:
        UserError: it cannot be imported.
    """
    from sport_ray.envs.faults import is_ours_to_heed, what_happened

    try:
        return importlib.import_module(module)
    except BaseException as error:  # the user's own code
        if is_ours_to_heed(error):
            raise
        raise UserError(f"{which}: cannot import {module!r}: {what_happened(error)}") from error


def refused(group: Group, name: str) -> UserError:
    """What a file is told that names a plug-in which this process has not imported."""
    module = name.partition(":")[0]
    return UserError(
        f"{group.what} {name!r} is defined in the module {module!r}, which is not imported "
        "because a file names it: read it, and import it first if you trust it"
    )


def is_plugin(name: str) -> bool:
    """Whether a name, as records have it, is that of a plug-in."""
    return ":" in name


def code_of(name: str) -> dict[str, str]:
    """What a plug-in's code is, by its name as records have it; nothing for what ships.

    sha256 by name of its module, of the user's own modules that this imports, and of data files
    that they name in one piece; for an installed one the version of its distribution. What it
    computes with beside that (numpy, torch) is recorded with the versions of the certificate.
    """
    return dict(_code_of(name.partition(":")[0])) if is_plugin(name) else {}


@functools.cache  # what this process imported stays what it is
def _code_of(module: str) -> tuple[tuple[str, str], ...]:
    from sport_ray.sources import installed_versions, module_file, module_sources, owner

    code = module_sources(module, {}).code
    del code["sport_ray"]  # it has a version, and cells a method version
    file = module_file(module)
    whose = None if file is None else owner(module, file)
    if whose not in (None, "python", "sport_ray"):
        code |= {f"distribution {key}": one for key, one in installed_versions([whose]).items()}
    return tuple(sorted(code.items()))


def require_code(name: str, recorded: Mapping[str, str]) -> None:
    """Refuse a plug-in whose code is not the recorded one.

    Raises:
        UserError: names the first module or distribution that differs.
    """
    here = code_of(name)
    for part in sorted({*here, *recorded}):
        if here.get(part) != recorded.get(part):
            both = part in here and part in recorded
            what = "has changed" if both else "is not here" if part in recorded else "is new"
            raise UserError(
                f"{name!r}: its code is not what was recorded: {part} {what}; bring that version"
            )
