"""Sends what a driver's copy has and the store has not, in an order that a kill cannot spoil."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

from sport_ray.canonical import write_atomic
from sport_ray.experiments.storage.index import Index, state_of
from sport_ray.experiments.storage.layout import (
    LEDGER,
    Wanted,
    files_of,
    is_finished,
    is_record,
    rank,
)
from sport_ray.experiments.storage.lease import Lease, Watch
from sport_ray.experiments.storage.objects import Changed, Exists, Objects
from sport_ray.experiments.storage.threads import in_threads

AT_A_TIME = 8
LEDGER_SECONDS = 10.0
LEDGER_RATE = 64 * 1024
"""Between two pushes of a ledger, which is sent whole: seconds, and bytes a second at most."""


class Pusher:
    """One round at a time; whatever a round leaves, the next one takes.

    lease: asked where somebody else's object is in the way, before anything is written over it.
    wanted: which of the files are pushed, by default all that belong into the store.
    """

    def __init__(
        self,
        objects: Objects,
        root: Path,
        index: Index,
        lease: Lease | Watch,
        wanted: Wanted = lambda name: True,
    ) -> None:
        self.objects, self.root, self.index, self.lease = objects, root, index, lease
        self._wanted = wanted
        self._ledgers: dict[str, float] = {}

    def waiting(self, last: bool = False) -> list[str]:
        """Names of the files that the store does not have as they are.

        Records are looked for first: what was written before a record is then found after it.
        """
        records = [name for name in files_of(self.root) if is_record(name)]
        others = [name for name in files_of(self.root) if not is_record(name)]
        return [
            name for name in (*others, *records) if self._wanted(name) and self._is_news(name, last)
        ]

    def round(self, last: bool = False) -> int:
        """Push what is waiting; how many files.

        last: ledgers too, however recently they were sent.

        Raises:
            LeaseLost: another driver is at work there.
            UserError: what the store says.
        """
        names = self.waiting(last)
        try:
            for step in range(3):
                in_threads(self._push, [one for one in names if rank(one) == step], AT_A_TIME)
        finally:
            self.index.save()
        return len(names)

    def _is_news(self, name: str, last: bool) -> bool:
        if self.index.is_current(name, self.root / name):
            return False
        return last or not (name.endswith(LEDGER) and self._was_just_sent(name))

    def _was_just_sent(self, name: str) -> bool:
        size, _ = state_of(self.root / name) or (0, 0)
        sent = self._ledgers.get(name, float("-inf"))
        return time.monotonic() - sent < max(LEDGER_SECONDS, size / LEDGER_RATE)

    def _push(self, name: str) -> None:
        path = self.root / name
        before = state_of(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # set aside, or removed with what it belongs to
            return
        state = before if before == state_of(path) else None  # a ledger grows meanwhile
        if name.endswith(LEDGER):
            self._ledgers[name] = time.monotonic()
        entry = self.index.get(name)
        if entry is not None and entry.sha256 == hashlib.sha256(data).hexdigest():
            self.index.put(name, entry.version, data, state)
            return
        with contextlib.suppress(Exists, Changed):
            if entry is None:
                version = self.objects.create(name, data)
            else:
                version = self.objects.replace(name, data, entry.version)
            self.index.put(name, version, data, state)
            return
        self._settle(name, data, state)

    def _settle(self, name: str, data: bytes, state: tuple[int, int] | None) -> None:
        """Where another content is in the store: the first finished record stays, here as there."""
        self.lease.require()
        found = self.objects.get(name)
        if found is None:
            self.index.drop(name)
            return
        theirs, meta = found
        if is_record(name) and is_finished(theirs):
            write_atomic(self.root / name, theirs)
            self.index.put(name, meta.version, theirs, state_of(self.root / name))
            return
        with contextlib.suppress(Changed):
            self.index.put(name, self.objects.replace(name, data, meta.version), data, state)
