"""A monitor's file: a line with all that was, then a line for each thing that happened since.

A line is there once all of it has been flushed to the device; what an interrupt, a full disk or a
power cut left of another has no end and is cut off. After some lines the file is replaced, as a
whole, by one whose first line says it all: it stays small. One writer at a time.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

from filelock import FileLock, Timeout
from pydantic import Field, TypeAdapter, ValidationError

from sport_ray.canonical import canonical_json, write_atomic
from sport_ray.deploy.monitoring.history import (
    SCHEMA,
    Event,
    History,
    Judged,
    Number,
    Opened,
    Promised,
    linked,
)
from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.untrusted_files import TooLarge, json_object, read_bytes

MOST_LINES = 1_000
"""After so many the file is written anew."""
LARGEST = 2**28
"""Bytes that are read of a log."""
MOST_EPISODES = 10**8
"""That a log may state: what is recomputed grows with them."""


class Damaged(UserError):
    """A log that was altered, or is none: exit status 1, as of any check that failed."""

    exit_status = 1


class State(Event):
    """All that was, in one line: the first of a log."""

    kind: Literal["state"] = "state"
    schema_name: str = Field(default=SCHEMA, alias="schema", pattern=f"^{SCHEMA}$")
    opened: Opened
    promises: list[Promised]
    num_episodes: Annotated[int, Field(ge=0, le=MOST_EPISODES)]
    violated: list[Number]
    unknown: list[Number]

    def json_object(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


class Begun(Event):
    """An episode begins."""

    kind: Literal["begin"] = "begin"
    episode: Number


Line = Annotated[Promised | Begun | Judged, Field(discriminator="kind")]
_LINE: TypeAdapter[Promised | Begun | Judged] = TypeAdapter(Line)


def whole(history: History) -> bytes:
    """The file of a history."""
    state = State(
        opened=history.opened,
        promises=list(history.promises),
        num_episodes=history.num_episodes,
        violated=list(history.violated),
        unknown=list(history.unknown),
    )
    return _line(state, history.digest) + (_begun(history) if history.running else b"")


def _begun(history: History) -> bytes:
    event = Begun(episode=history.num_episodes + 1)
    return _line(event, linked(history.digest, event))


def _line(event: Event, digest: str) -> bytes:
    return canonical_json({**event.json_object(), "digest": digest}) + b"\n"


def read_log(path: str | Path, expect: str | None = None) -> History:
    """What a log holds, each digest computed again.

    expect: a digest of this log that was noted before; it must be in the chain, or else what led
        to it was altered or cut off.

    Raises:
        Damaged: a line that was altered, is missing or comes out of turn.
        UserError: no such file.
    """
    history, _ = _read(Path(path))
    if expect is not None and all(found != expect for _, found in history.chain()):
        raise Damaged(
            f"monitor {path}: the digest {plain(expect)[:80]!r} is not in its chain: another log, "
            "or one that was altered or cut off"
        )
    return history


def _read(path: Path) -> tuple[History, int]:
    """The history and how many bytes it takes; what follows them was cut short."""
    try:
        data = read_bytes(path, LARGEST)
    except TooLarge as error:
        raise UserError(f"monitor {path} cannot be read: {error}") from None
    except OSError as error:
        raise UserError(f"monitor {path} cannot be read: {error.strerror}") from None
    size = data.rfind(b"\n") + 1
    lines = data[:size].split(b"\n")[:-1]
    if not lines:
        raise Damaged(f"monitor {path} has no whole line: it is none, or was cut off")
    history: History | None = None
    for number, line in enumerate(lines, 1):
        try:
            history = _first(line) if history is None else _next(history, line)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            _damaged(path, number, error)
    assert history is not None
    return history, size


def _damaged(path: Path, number: int, error: Exception) -> NoReturn:
    reason = str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "content"
        reason = f"its {where} is wrong: {first['msg']}"
    raise Damaged(f"monitor {path} does not hold: line {number}: {plain(reason)[:300]}") from None


def _first(line: bytes) -> History:
    fields = json_object(line)
    digest = fields.pop("digest")
    state = State.model_validate_json(json.dumps(fields))
    for numbers in (state.violated, state.unknown):
        if any(a >= b for a, b in itertools.pairwise(numbers)):
            raise ValueError("its episodes are not in order")
        if numbers and numbers[-1] > state.num_episodes:
            raise ValueError("it has verdicts of episodes that it has not")
    if set(state.violated) & set(state.unknown):
        raise ValueError("an episode has two verdicts")
    firsts = [one.episode for one in state.promises]
    if not firsts or firsts[0] != 1 or firsts != sorted(firsts):
        raise ValueError("its promises are not in order")
    if firsts[-1] > state.num_episodes + 1:
        raise ValueError("it has promises of episodes to come")
    history = History(
        state.opened, tuple(state.promises), state.num_episodes, tuple(state.violated),
        tuple(state.unknown), False, digest,
    )  # fmt: skip
    for one in state.promises:
        state.opened.require_about(one.promise)
    *_, (_, found) = history.chain()
    if found != digest:
        raise ValueError("its digest does not match its content")
    return history


def _next(history: History, line: bytes) -> History:
    fields = json_object(line)
    digest = fields.pop("digest")
    event = _LINE.validate_json(json.dumps(fields))
    if isinstance(event, Begun):
        if event.episode != history.num_episodes + 1:
            raise ValueError(f"episode {event.episode} begins out of turn")
        found, after = linked(history.digest, event), history.with_begin()
    elif isinstance(event, Judged):
        after = history.with_verdict(event)
        found = after.digest
    else:
        after = history.with_promise(event)
        found = after.digest
    if digest != found:
        raise ValueError("its digest does not match its content and what went before")
    return after


class _End(NamedTuple):
    """What is on the device, and where it ends; replaced as a whole, so never half."""

    history: History
    size: int
    lines: int  # since the file was written anew


class MonitorLog:
    """The one writer of a log, which holds a lock on FILE.lock while it lives.

    Raises:
        UserError: another monitor writes it, or a file that is none.
        Damaged: a log that was altered.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = os.getpid()
        self._file: int | None = None
        self._end: _End | None = None
        self._tidy = False  # nothing is behind the end, and the open file is the one of that name
        self._lock: FileLock | None = self._locked()
        try:
            self._remove_leftovers()
            if path.exists():
                self._end = _End(*_read(path), lines=MOST_LINES)  # anew before the next line
        except BaseException:
            self.close()
            raise

    @property
    def history(self) -> History | None:
        """What is on the device; None before there is a file."""
        return None if self._end is None else self._end.history

    def _locked(self) -> FileLock:
        name = self.path.with_name(f"{self.path.name}.lock")
        lock = FileLock(name, thread_local=False, fallback_to_soft=False)
        try:
            self.path.parent.stat()  # or else the lock would make the folder
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"monitor {self.path} is open already, here or in another process: give each "
                "robot or process a log of its own; `sport-ray monitor` takes several"
            ) from None
        except OSError as error:
            raise UserError(f"monitor {self.path} cannot be made: {error.strerror}") from None
        return lock

    def _remove_leftovers(self) -> None:
        """What a process left that was killed while it wrote the file anew."""
        for one in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.tmp"):
            one.unlink(missing_ok=True)

    def add(self, event: Promised | Begun | Judged, after: History) -> None:
        """Write a line and wait until it is on the device; only then is it history.

        Raises:
            OSError: it could not be written whole (a full disk); the log is as before.
        """
        self._require_mine()
        digest = after.digest
        if isinstance(event, Begun):  # not in the chain: it has no verdict yet
            digest = linked(digest, event)
        line = _line(event, digest)
        try:
            file, end = self._ready()
            self._tidy = False
            written = os.pwrite(file, line, end.size)
            if written != len(line):
                raise OSError(f"{written} of a line's {len(line)} bytes were written")
            os.fdatasync(file)
        except OSError as error:
            with contextlib.suppress(OSError):  # else before the next line
                self._ready()
            raise self._unwritten(error) from None
        self._end = _End(after, end.size + len(line), end.lines + 1)
        self._tidy = True

    def replace(self, history: History) -> None:
        """Write the whole file anew; a reader sees the old one or the new.

        Raises:
            OSError: it could not be written; the log is as before.
        """
        self._require_mine()
        data = whole(history)
        self._close_file()  # a line to a file that has lost its name would be lost
        self._tidy = False
        try:
            write_atomic(self.path, data)
        except OSError as error:
            raise self._unwritten(error) from None
        self._end = _End(history, len(data), 0)

    def _ready(self) -> tuple[int, _End]:
        """The open file with nothing behind its end, small enough."""
        assert self._end is not None
        if (self._file is None and not self._tidy) or self._end.lines >= MOST_LINES:
            self.replace(self._end.history)  # whatever was cut short there
        end = self._end
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        if not self._tidy:
            os.ftruncate(self._file, end.size)
            self._tidy = True
        return self._file, end

    def _unwritten(self, error: OSError) -> OSError:
        reason = error.strerror or error
        return OSError(f"monitor {self.path} cannot be written: {reason}; nothing was counted")

    def _require_mine(self) -> None:
        if os.getpid() != self._process:
            raise UserError(
                f"monitor {self.path} belongs to process {self._process}: open a log of its own "
                "in this one"
            )
        if self._lock is None:
            raise UserError(f"monitor {self.path} was closed: open it again")

    def close(self) -> None:
        """Let another process write it."""
        self._close_file()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)
