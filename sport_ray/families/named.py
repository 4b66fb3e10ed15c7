"""Families by name."""

from __future__ import annotations

import re
from typing import Any

from sport_ray.errors import UserError
from sport_ray.families.categorical import categorical_over
from sport_ray.families.family import FAMILIES, Distribution
from sport_ray.plugins import FAMILIES as PLUGINS
from sport_ray.plugins import is_plugin, plugin, refused

_MOST = 100_000


def family_named(name: Any, *, run_module: bool = False) -> type[Distribution]:
    """The family of a name, the inverse of ``Distribution.name``.

    >>> family_named("categorical[3,2]").sizes
    (3, 2)

    run_module: take the user's word, as for ``constraint_class``: import the module of
        ``module:name``, or what a package announces under the name (entry points
        ``sport_ray.families``).

    Raises:
        UserError: an unknown one, or a module that cannot be imported, or may not.
    """
    if isinstance(name, str):
        if name in FAMILIES:
            return FAMILIES[name]
        found = re.fullmatch(r"categorical\[(\d{1,6}(?:,\d{1,6})+)\]", name)
        sizes = tuple(map(int, found[1].split(","))) if found else (0,)
        if min(sizes) >= 1 and sum(sizes) <= _MOST:
            return categorical_over(sizes)
        if run_module:
            own = plugin(PLUGINS, name, Distribution, FAMILIES)  # type: ignore[type-abstract]
            if own is not None:
                return own
        elif is_plugin(name):
            raise refused(PLUGINS, name)
    known = sorted(one for one in FAMILIES if "[" not in one)  # products are as many as were met
    raise UserError(f"unknown family {name!r}; known: {', '.join(known)}")
