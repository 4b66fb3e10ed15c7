"""What the checks have in common: how one fails, and how all of them run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sport_ray.text import plain

Case = TypeVar("Case")
Check = Callable[[Case], None]


class CheckFailed(AssertionError):
    """A check that failed, in one line: what was expected, and what was found."""


def require(holds: object, what: str) -> None:
    """Fail unless something holds; ``what`` says what was expected.

    Raises:
        CheckFailed: it does not.
    """
    if not bool(holds):
        raise CheckFailed(plain(what))


def run(checks: Iterable[Check[Case]], case: Case) -> list[str]:
    """Run all checks; the names of those that passed.

    Raises:
        CheckFailed: names the first that failed, and how.
    """
    done = []
    for check in checks:
        try:
            check(case)
        except CheckFailed as error:
            raise CheckFailed(f"{name_of(check)}: {error}") from error
        except Exception as error:  # the user's own code
            raise CheckFailed(
                f"{name_of(check)}: it raised {type(error).__name__}: {plain(error)[:300]}"
            ) from error
        done.append(name_of(check))
    return done


def name_of(check: Check[Case]) -> str:
    """A check's name in words."""
    return str(getattr(check, "__name__", check)).replace("_", " ").strip()
