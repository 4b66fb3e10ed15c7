"""What a copy on this machine is a copy of: per file, the object's version and the file's state.

It lies beside the copy, never in the store. Lost, the store's files are fetched again; what was
changed here since and not sent, and is no record, is lost with it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import NamedTuple

from sport_ray.canonical import write_atomic
from sport_ray.experiments.storage.objects import Version


class Entry(NamedTuple):
    """version, sha256: of the object; size, changed: of the file when it had these bytes."""

    version: Version
    sha256: str
    size: int
    changed: int


class Index:
    """The entries of a copy, by the objects' names; a damaged file is an empty index.

    file: None for an index of this process alone.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._dirty = False
        self._entries: dict[str, Entry] = {}
        if file is None:
            return
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            self._entries = {
                name: Entry(Version(*version), sha256, size, changed)
                for name, (version, sha256, size, changed) in kept.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            pass

    def get(self, name: str) -> Entry | None:
        """What is known of an object."""
        return self._entries.get(name)

    def names(self) -> list[str]:
        """Of all objects that are known."""
        return list(self._entries)

    def put(
        self, name: str, version: Version, data: bytes, state: tuple[int, int] | None = None
    ) -> None:
        """Note that the object has these bytes; state: of the file that has them, too."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._entries[name] = Entry(version, sha256, *(state or (-1, -1)))
            self._dirty = True

    def drop(self, name: str) -> None:
        """Forget an object."""
        with self._lock:
            self._dirty |= self._entries.pop(name, None) is not None

    def is_current(self, name: str, path: Path) -> bool:
        """Whether the file is as it was when it had the object's bytes."""
        entry = self._entries.get(name)
        return entry is not None and state_of(path) == (entry.size, entry.changed)

    def save(self) -> None:
        """Write it down, if there is something new."""
        with self._lock:
            if self._dirty and self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(self._file, json.dumps(self._entries).encode())
                self._dirty = False


def state_of(path: Path) -> tuple[int, int] | None:
    """Size in bytes and time of change in ns, before it is read; None where there is no file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
