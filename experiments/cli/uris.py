"""URIs of results on the command line: of readers, replaced by a copy that is fetched first."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sport_ray.errors import UserError

_URI = re.compile(r"(s3|gs|az)://")
_CELL = re.compile(r"(.+)(/cells/[^/]+/?|/certificate\.json)")
DRIVERS = ("train-base", "certify", "tune", "sweep", "run")
"""Commands that change results, and push what they finish."""
WAITS = "watch"
"""The reader that may be begun before there is anything to read."""

CHANGERS = ("mix", "sign")
"""Commands that change results beside the stages, and push what they write (`changed`)."""

_INSTEAD = {
    "bench": "give a folder, and copy it with the store's own tool",
    "audit": "make a bundle of it with `sport-ray export URI/cells/ID`",
    "monitor": "make a bundle of it with `sport-ray export URI/cells/ID`",
}

_OF_PATHS = ("--results", "--out", "--work-dir", "--base", "--bundle", "--key", "--public-key")
"""Options whose value may be the word behind them."""


def _readers() -> dict[str, Callable[[str], bool]]:
    """What each of the other commands needs of a result folder."""
    from sport_ray.experiments.storage import layout

    return {
        "status": layout.for_status,
        "report": layout.for_report,
        "watch": layout.for_report,
        "compare": layout.for_report,
        "verify": layout.for_certificate,
        "plan": layout.for_certificate,
        "export": layout.whole,
        "publish": layout.whole,
    }


def with_copies(words: list[str]) -> list[str]:
    """The words of a command line, each URI of results that is read as the path of its copy.

    Raises:
        UserError: a URI where none is taken; and what the store says.
    """
    for before, word in zip(["", *words], words, strict=False):
        option, value = _parts(word)
        if (option or before) in _OF_PATHS or not (option or before.startswith("-")):
            _require_path(value)
    if not any(_URI.match(_parts(word)[1]) for word in words):
        return words
    command = next((word for word in words if not word.startswith("-")), "")
    needed = _readers()
    if "--track" in words:  # a cell is logged with its policy, once
        needed["report"] = needed["export"]
    return [
        _with_copy(command, word, before, needed.get(command))
        for before, word in zip(["", *words], words, strict=False)
    ]


def _require_path(value: str) -> None:
    """Refuse a URI of another scheme; most words have no colon, and need no storage for it."""
    if ":/" in value and not _URI.match(value):
        from sport_ray.experiments.storage.place import require_path

        require_path(value)


def _parts(word: str) -> tuple[str, str]:
    """The option of ``--option=value``, "" where there is none, and the value."""
    option, equals, value = word.partition("=")
    return (option, value) if equals and word.startswith("--") else ("", word)


def _with_copy(command: str, word: str, before: str, needed: Callable[[str], bool] | None) -> str:
    option, uri = _parts(word)
    if not _URI.match(uri):
        return word
    option = option or (before if before in _OF_PATHS else "")
    if command in (*DRIVERS, *CHANGERS, "slurm") and option == "--results":
        return word
    if command in CHANGERS and not option:
        return word
    wanted = None if option not in ("", "--results") else needed
    if wanted is None:
        what = f"{command} {option}".strip()
        instead = f": {_INSTEAD[command]}" if command in _INSTEAD else ""
        raise UserError(f"{what} takes a path of this machine, no URI of results{instead}")
    return f"{word[: len(word) - len(uri)]}{_copy(uri, wanted, command == WAITS)}"


def _copy(uri: str, wanted: Callable[[str], bool], may_be_empty: bool) -> Path:
    from sport_ray.experiments.storage.copies import reader_copy
    from sport_ray.experiments.storage.place import Place

    inside = _CELL.fullmatch(uri)
    place = Place.of(inside[1] if inside else uri)
    assert place is not None
    copy = reader_copy(place, wanted, may_be_empty=may_be_empty)
    return copy / inside[2].strip("/") if inside else copy
