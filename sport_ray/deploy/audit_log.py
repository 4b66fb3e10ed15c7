"""Writing an audit log: one JSON object a line, each with the sha256 of itself and of the last."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from sport_ray.errors import UserError
from sport_ray.untrusted_files import json_object

SCHEMA = "sport-ray/audit/3"
LARGEST_LINE = 2**22
"""Bytes; a reader takes no more into memory at once."""
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_TAIL = len('"digest":""}') + 64 + 1


class _End(NamedTuple):
    """Where a log ends: what the next line builds on. Replaced as a whole, so never half."""

    size: int = 0
    previous: str = ""
    lines: int = 0
    episode: int = 0
    step: int = 0  # of this episode
    running: bool = False
    closed: bool = False

    def after(self, kind: str, size: int, digest: str) -> _End:
        """The end once a line of that kind is there."""
        begins = kind == "reset"
        return _End(
            size=self.size + size,
            previous=digest,
            lines=self.lines + 1,
            episode=self.episode + begins,
            step=0 if begins else self.step + (kind == "step"),
            running=begins or (self.running and kind != "end"),
            closed=kind == "close",
        )


class AuditLog:
    """An append-only file of steps; ``close`` writes a last line, without which the log is cut.

    Each line is handed to the operating system as it is written: after a crash of the process
    every step taken is there, and the missing last line says that the log was not closed. A line
    counts once all of it is there; what a full disk or an interrupt left of another is taken back
    at once, or before the next.

    Raises:
        UserError: there is a file of that name already, or a disk that takes nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("xb", buffering=0)
        except OSError as error:
            taken = isinstance(error, FileExistsError)
            reason = "exists already" if taken else f"cannot be made ({error.strerror})"
            raise UserError(f"log {self.path} {reason}: choose another name") from None
        self._end = _End()
        self._whole = True  # nothing is behind the end
        self._process = os.getpid()

    @property
    def episode(self) -> int:
        """How many episodes have begun in it."""
        return self._end.episode

    @property
    def step(self) -> int:
        """Steps of the last episode that are in it."""
        return self._end.step

    @property
    def running(self) -> bool:
        """Whether its last episode has no end yet."""
        return self._end.running

    @property
    def closed(self) -> bool:
        """Whether its last line is there."""
        return self._end.closed

    def write(self, kind: str, **fields: Any) -> str:
        """Add a line; returns its digest.

        Raises:
            ValueError: a number that is not finite, or a log that was closed.
            OSError: the line could not be written whole (a full disk), or is longer than a reader
                takes; the log is as before.
        """
        if self._end.closed:
            raise ValueError(f"log {self.path} was closed")
        if os.getpid() != self._process:
            raise OSError(f"log {self.path} belongs to process {self._process}")
        end = self._end
        body = _ENCODER.encode({"kind": kind, "previous": end.previous, **fields}).encode()
        own = hashlib.sha256(body).hexdigest()
        line = body[:-1] + b',"digest":"' + own.encode() + b'"}\n'
        if len(line) > LARGEST_LINE:
            raise OSError(f"log {self.path}: a line may have {LARGEST_LINE} bytes, not {len(line)}")
        try:
            if not self._whole:
                self._take_back()
            self._whole = False
            written = os.pwrite(self._file.fileno(), line, end.size)
            if written != len(line):  # the system may take a part and raise nothing
                raise OSError(f"{written} of a line's {len(line)} bytes were written")
        except BaseException as error:
            with contextlib.suppress(OSError):  # then before the next line
                self._take_back()
            if not isinstance(error, OSError):
                raise
            reason = error.strerror or error
            raise OSError(f"log {self.path} cannot be written: {reason}") from None
        self._end = end.after(kind, len(line), own)
        self._whole = True
        return own

    def close(self) -> str:
        """Write the last line and close the file; returns the digest of the whole log.

        Kept elsewhere (or signed), it shows that nobody has written the log anew.
        """
        if not self._end.closed:
            self.write("close", lines=self._end.lines + 1)
        self._file.close()
        return self._end.previous

    def discard(self) -> None:
        """Close and remove a log in which nothing was logged."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _take_back(self) -> None:
        """Cut off what is behind the last whole line."""
        os.ftruncate(self._file.fileno(), self._end.size)
        self._whole = True


def read_line(line: bytes) -> tuple[dict[str, Any], str]:
    """A line's content and digest, the digest checked against the very bytes.

    Raises:
        ValueError: a line that was altered, or is none of this format.
    """
    body, tail = line[:-_TAIL] + b"}", line[-_TAIL:]
    claimed = tail[len(',"digest":"') : -2].decode()
    if tail != f',"digest":"{claimed}"}}'.encode() or hashlib.sha256(body).hexdigest() != claimed:
        raise ValueError("its digest does not match its content")
    return json_object(body), claimed
