"""Writing an audit log: one JSON object a line, each with the sha256 of itself and of the last."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError

SCHEMA = "sport-ray/audit/1"
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_TAIL = len('"digest":""}') + 64 + 1


class AuditLog:
    """An append-only file of steps; ``close`` writes a last line, without which the log is cut.

    Each line is flushed to the operating system as it is written: after a crash of the process
    every step taken is there, and the missing last line says that the log was not closed.

    Raises:
        UserError: there is a file of that name already.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("xb", buffering=0)
        except OSError as error:
            reason = "exists already" if isinstance(error, FileExistsError) else str(error)
            raise UserError(f"log {self.path} {reason}: choose another name") from None
        self._previous = ""
        self._lines = 0

    def write(self, kind: str, **fields: Any) -> str:
        """Add a line; returns its digest.

        Raises:
            ValueError: a number that is not finite, or a log that was closed.
            OSError: the line could not be written, or not whole (a full disk).
        """
        body = _ENCODER.encode({"kind": kind, "previous": self._previous, **fields}).encode()
        own = hashlib.sha256(body).hexdigest()
        line = body[:-1] + b',"digest":"' + own.encode() + b'"}\n'
        written = self._file.write(line)
        if written != len(line):  # the system may take a part and raise nothing
            raise OSError(f"log {self.path}: {written} of a line's {len(line)} bytes were written")
        self._previous = own
        self._lines += 1
        return own

    def close(self) -> str:
        """Write the last line and close the file; returns the digest of the whole log.

        Kept elsewhere (or signed), it shows that nobody has written the log anew.
        """
        if self._file.closed:
            return self._previous
        last = self.write("close", lines=self._lines + 1)
        self._file.close()
        return last


def read_line(line: bytes) -> tuple[dict[str, Any], str]:
    """A line's content and digest, the digest checked against the very bytes.

    Raises:
        ValueError: a line that was altered, or is none of this format.
    """
    body, tail = line[:-_TAIL] + b"}", line[-_TAIL:]
    claimed = tail[len(',"digest":"') : -2].decode()
    if tail != f',"digest":"{claimed}"}}'.encode() or hashlib.sha256(body).hexdigest() != claimed:
        raise ValueError("its digest does not match its content")
    record = json.loads(body)
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    return record, claimed
