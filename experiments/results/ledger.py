"""The cell ledger: what happened in a result folder, one line of JSON per event.

The driver of a sweep is its only writer (``sport_ray.experiments.results.lock``); readers may come
at any time. Records (``cells/<id>/record.json``) are the truth of results. The ledger is history:
no cell is done because the ledger says so.

A line holds ``time`` (ISO 8601, UTC), ``event``, ``cell_id`` (null for events of the sweep), what
the event needs, and ``check``, eight digits of the digest of the rest: a line that was altered or
cut is reported and not believed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sport_ray.canonical import digest
from sport_ray.errors import UserError
from sport_ray.experiments.results.failures import reason_of
from sport_ray.experiments.results.lock import FolderLock, open_ledger
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
}


class History(NamedTuple):
    """The lines that can be believed, oldest first, and the numbers (from 1) of damaged ones."""

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
        entry = _parse(line)
        if entry is None:
            damaged.append(number)
        else:
            entries.append(entry)
    return History(entries, damaged)


def _parse(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, or None where it is not exactly what was written."""
    try:
        entry = json.loads(line)
        check = entry.pop("check")
        believed = check == digest(entry)[:8]
        time = datetime.fromisoformat(entry["time"])
        needed = _NEEDED[entry["event"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if entry["event"].startswith("cell"):
        needed = {**needed, "cell_id": (str,)}
    whole = all(isinstance(entry.get(name), kinds) for name, kinds in needed.items())
    return entry if believed and whole and time.tzinfo is not None else None


class Ledger:
    """A ledger open for appending, by the one driver that holds the folder's lock.

    lock: the lock, where it is held already; without one the ledger takes it.

    A disk that is full, or a share that has gone, costs history and not results: a line that
    cannot be written is counted in ``lost`` and the sweep goes on.

    Raises:
        UserError: another driver is at work in this folder, or it cannot be written to.
    """

    def __init__(self, path: Path, lock: FolderLock | None = None) -> None:
        self.path = path
        self.lost = 0
        self._own = FolderLock(path) if lock is None else None
        try:
            self._file = open_ledger(path)
        except UserError:
            if self._own is not None:
                self._own.close()
            raise

    def append(self, event: Event, cell_id: str | None = None, **more: Any) -> None:
        """Add one line with one write; the first and last of a sweep reach the device."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "event": event, "cell_id": cell_id, **more}
        line = json.dumps(entry | {"check": digest(entry)[:8]}, allow_nan=False).encode() + b"\n"
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
        """Let go of the file, and of the lock if the ledger took it."""
        os.close(self._file)
        if self._own is not None:
            self._own.close()


@contextlib.contextmanager
def sweep_ledger(
    path: Path, planned: int, study: str, lock: FolderLock | None = None
) -> Iterator[Ledger]:
    """The ledger for the length of a sweep, with a line for its start and one for its end.

    planned: number of cells; study: the study's digest. Outcomes: finished, failed (an error, with
    its reason), interrupted (Ctrl-C), killed (asked to end). After SIGKILL there is none.
    """
    ledger = Ledger(path, lock)
    try:
        ledger.append("sweep started", **process_identity(), planned=planned, study=study)
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
