"""Paths in a study's settings, once the study lies in a result folder."""

from __future__ import annotations

from pathlib import Path

from sport_ray.errors import UserError


def exists(path: Path, named: str) -> bool:
    """Whether there is something at the path.

    Raises:
        UserError: a path that cannot be looked at (too long, a folder that is closed).
    """
    try:
        return path.exists()
    except OSError as error:
        raise UserError(f"{named} cannot be looked at: {error.strerror}") from None


def same_place(settled: str, given: str) -> bool:
    """Whether a full path may be what a relative one of the study file stood for.

    >>> same_place("/home/ann/study/policies/mine", "policies/mine")
    True
    >>> same_place("/home/ann/study/policies/mine", "policies/other")
    False
    """
    wanted = [part for part in Path(given).parts if part not in ("..", ".")]
    return list(Path(settled).parts[-len(wanted) :]) == wanted if wanted else False
