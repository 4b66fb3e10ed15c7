"""Families by name."""

from __future__ import annotations

import re
from typing import Any

from sport_ray.errors import UserError
from sport_ray.families.categorical import categorical_over
from sport_ray.families.family import FAMILIES, Distribution

_MOST = 100_000


def family_named(name: Any) -> type[Distribution]:
    """The family of a name, the inverse of ``Distribution.name``.

    >>> family_named("categorical[3,2]").sizes
    (3, 2)

    Raises:
        UserError: an unknown one.
    """
    if isinstance(name, str):
        if name in FAMILIES:
            return FAMILIES[name]
        found = re.fullmatch(r"categorical\[(\d{1,6}(?:,\d{1,6})+)\]", name)
        sizes = tuple(map(int, found[1].split(","))) if found else (0,)
        if min(sizes) >= 1 and sum(sizes) <= _MOST:
            return categorical_over(sizes)
    known = sorted(one for one in FAMILIES if "[" not in one)  # products are as many as were met
    raise UserError(f"unknown family {name!r}; known: {', '.join(known)}")
