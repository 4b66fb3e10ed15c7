"""The cell ledger: what happened in a result folder, one line of JSON per event.

The driver of a sweep is its only writer (``sport_ray.experiments.results.lock``); readers may come
at any time. Records (``cells/<id>/record.json``) are the truth of results. The ledger is history:
no cell is done because the ledger says so.

A line holds ``time`` (ISO 8601, UTC), ``event``, ``cell_id`` (null for events of the sweep) and
what the event needs. A line that is not such a one is reported and left out. What happened to the
cells of older sweeps is one line once the file has grown (``folding``).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sport_ray.errors import UserError
from sport_ray.experiments.results import folding
from sport_ray.experiments.results.failures import reason_of
from sport_ray.experiments.results.process import process_identity

Event = Literal[
    "sweep started",
    "sweep ended",
    "cell started",
    "cell retried",
    "cell finished",
    "cell failed",
    "record set aside",
]

_NEEDED: dict[str, dict[str, tuple[type, ...]]] = {
    "sweep started": {"pid": (int,), "host": (str,), "planned": (int,), "study": (str,)},
    "sweep ended": {"outcome": (str,)},
    "cell started": {"kind": (str,), "job": (str,)},
    "cell retried": {"kind": (str,), "job": (str,)},
    "cell finished": {"kind": (str,), "seconds": (int, float)},
    "cell failed": {"kind": (str,), "reason": (str,)},
    "record set aside": {},
    folding.FOLDED: {"counts": (dict,), "finished": (dict,)},
}


class History(NamedTuple):
    """The lines that can be read, oldest first, and the numbers (from 1) of damaged ones."""

    entries: list[dict[str, Any]]
    damaged: list[int]


def read_ledger(path: Path) -> History:
    """Read a ledger, also while it is being written; nothing in it is fatal.

    A last line without its end is one that is being written, or was cut off: it is left out
    without a word, and the next append starts on a line of its own.

    Raises:
        UserError: a file that is there and cannot be opened.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "no regular file")
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return History([], [])
    except OSError as error:
        raise UserError(f"the ledger {path} cannot be read: {error.strerror}") from None
    entries, damaged = [], []
    for number, line in enumerate(lines, start=1):
        entry = parse_line(line)
        if entry is None:
            damaged.append(number)
        else:
            entries.append(entry)
    return History(entries, damaged)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The entry of a line; None where something of it is missing or no such thing."""
    try:
        entry = json.loads(line)
        needed = _NEEDED[entry["event"]]
        time = datetime.fromisoformat(entry["time"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if entry["event"].startswith("cell"):
        needed = {**needed, "cell_id": (str,)}
    whole = all(isinstance(entry.get(name), kinds) for name, kinds in needed.items())
    if whole and entry["event"] == folding.FOLDED:
        whole = folding.is_folded_line(entry)
    return entry if whole and time.tzinfo is not None else None


class Ledger:
    """A ledger open for appending, by the one driver that holds the folder's lock.

    A disk that is full, or a share that has gone, costs history and not results: a line that
    cannot be written is counted in ``lost`` and the sweep goes on.

    Raises:
        UserError: it cannot be written to, or is a link: a folder from elsewhere must not decide
            which file of this machine grows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            reason = "it is a link, remove it" if error.errno == errno.ELOOP else error.strerror
            raise UserError(f"the ledger {path} cannot be written: {reason}") from None

    def append(self, event: Event, cell_id: str | None = None, **more: Any) -> None:
        """Add one line with one write; the first and last of a sweep reach the device."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "event": event, "cell_id": cell_id, **more}
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        try:
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash or a full disk cut the last one off
            if os.write(self._file, line) < len(line):
                self.lost += 1
            if event.startswith("sweep"):
                os.fsync(self._file)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


@contextlib.contextmanager
def sweep_ledger(
    path: Path, planned: int, study: str, plugins: Mapping[str, Any] | None = None
) -> Iterator[Ledger]:
    """The ledger for the length of a sweep, with a line for its start and one for its end.

    planned: number of cells; study: the study's digest; plugins: the code of each. Outcomes:
    finished, failed (an error, with its reason), interrupted (Ctrl-C), killed (asked to end).
    After SIGKILL there is none.
    """
    folding.fold(path, parse_line, folding.LIMIT)
    ledger = Ledger(path)
    try:
        about: dict[str, Any] = {**process_identity(), "planned": planned, "study": study}
        if plugins:
            about["plugins"] = dict(plugins)
        ledger.append("sweep started", **about)
        try:
            yield ledger
        except KeyboardInterrupt:
            ledger.append("sweep ended", outcome="interrupted")
            raise
        except Exception as error:
            ledger.append("sweep ended", outcome="failed", reason=reason_of(error))
            raise
        except BaseException:  # SystemExit: Ray turns SIGTERM into it
            ledger.append("sweep ended", outcome="killed")
            raise
        else:
            ledger.append("sweep ended", outcome="finished")
    finally:
        ledger.close()
