"""Which place a folder on this machine is a copy of."""

from __future__ import annotations

from pathlib import Path

from sport_ray.canonical import write_atomic
from sport_ray.errors import UserError
from sport_ray.experiments.storage.place import Place

FOLDER, ORIGIN = "results", "uri"
"""The copy itself, and the file beside it that names the place."""


def origin_of(root: Path) -> Place | None:
    """The place that a folder is a copy of, or a base's folder in one; None of any other."""
    for copy in (root.absolute(), root.absolute().parent):
        if copy.name != FOLDER:
            continue
        try:
            place = Place.of((copy.parent / ORIGIN).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if place is not None:
            inside = root.absolute().relative_to(copy).as_posix()
            return place if inside == "." else place._replace(prefix=f"{place.prefix}/{inside}")
    return None


def claim_home(home: Path, place: Place) -> None:
    """Make the folder that a copy lies in, and note of which place.

    Raises:
        UserError: it holds a copy of another place, or something that is no copy; or cannot be
            written to.
    """
    kept = home / ORIGIN
    try:
        home.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            if (found := kept.read_text(encoding="utf-8")) != str(place):
                raise UserError(f"{home} holds the copy of {found}: choose another --work-dir")
            return
        if (home / FOLDER).exists():
            raise UserError(f"{home / FOLDER} is no copy of {place}: choose another --work-dir")
        write_atomic(kept, str(place).encode())
    except OSError as error:
        raise UserError(f"{home} cannot be written: {error.strerror}") from None
