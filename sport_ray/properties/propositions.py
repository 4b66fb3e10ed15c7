"""Which propositions a property names, against those that an environment gives."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sport_ray.errors import UserError


def require_given(formula: str, needed: Iterable[str], given: Iterable[str], who: str) -> None:
    """Refuse a property over propositions that nobody gives it.

    needed: the propositions of ``formula``. given: those that there are. who: the environment.

    Raises:
        UserError: naming the unknown proposition, those known, and the nearest one.

    >>> require_given("F gaol", ["gaol"], ["hazard", "goal"], "the robot")
    Traceback (most recent call last):
    sport_ray.errors.UserError: property 'F gaol' needs the signal 'gaol'; the robot provides \
goal, hazard: did you mean 'goal'?
    """
    known = sorted(set(given))
    missing = [name for name in needed if name not in known]
    if not missing:
        return
    near = [match for name in missing if (match := _nearest(name, known)) is not None]
    remedy = "write one of them, or give the environment that signal"
    if len(near) == len(missing):
        remedy = f"did you mean {', '.join(map(repr, near))}?"
    names = ", ".join(map(repr, missing))
    plural = "s" if len(missing) > 1 else ""
    raise UserError(
        f"property {formula!r} needs the signal{plural} {names}; {who} provides "
        f"{', '.join(known) or 'none'}: {remedy if known else 'give the environment that signal'}"
    )


def _nearest(name: str, known: list[str]) -> str | None:
    plain = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), list(plain), n=1, cutoff=0.6)
    return plain[near[0]] if near else None
