"""One process at a time may change a result folder: its lease is a file that names it.

The lease needs nothing of the file system but that a file is made once, so that it holds on
shares without locks, too. The holder renews it every ten seconds. That of a process of this host
that has ended is taken over at once, that of another host after a minute without a sign.
"""

from __future__ import annotations

import secrets
import socket
import time
from pathlib import Path

from filelock import OwnerRecord, SoftFileLease, Timeout

from sport_ray.errors import UserError
from sport_ray.experiments.results.disk import is_disk_full, no_room
from sport_ray.experiments.results.process import runs

LEASE = ".driver.lock"
HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""A driver that was not heard of for so long is taken for dead, unless its process lives here."""
SETTLE_SECONDS = 2.0
"""How long one that removes such a lease waits to see whether another has done so, too."""


class FolderLock:
    """Held by the process that certifies or sweeps; let go by ``close``, or by its end.

    The folder is made where there is none.

    Raises:
        UserError: another process is at work in the folder, or it cannot be written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lease = SoftFileLease(
            root / LEASE,
            lease_duration=STALE_SECONDS,
            heartbeat_interval=HEARTBEAT_SECONDS,
            thread_local=False,
        )
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._take()
        except OSError as error:
            if is_disk_full(error):
                raise no_room(root) from None
            raise UserError(f"{root} cannot be written: {error.strerror}") from None

    def _take(self) -> None:
        try:
            self._lease.acquire(blocking=False)
            return
        except Timeout:
            pass
        if self._lives_here():
            raise self._taken()
        silent = self._silence()
        if silent < STALE_SECONDS:
            raise self._taken(
                f" (heard of {silent:.0f} s ago; if it has died, try again in "
                f"{STALE_SECONDS - silent:.0f} s)"
            )
        self._lease.force_break()
        try:
            self._lease.acquire(blocking=False)
        except Timeout:
            raise self._taken() from None
        time.sleep(SETTLE_SECONDS)
        owner = self._lease.owner
        if owner is None or owner.token != self._lease.token:
            self._lease.release()
            raise self._taken()

    def _silence(self) -> float:
        """Seconds since the holder's last sign, by the clock of the disk that both write to."""
        probe = self.root / f".clock.{secrets.token_hex(8)}.tmp"
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        try:
            return max(now - (self.root / LEASE).lstat().st_mtime, 0.0)
        except FileNotFoundError:
            return STALE_SECONDS

    def _lives_here(self) -> bool:
        owner = self._lease.owner
        if owner is None or _host(owner) != socket.gethostname():
            return False
        return runs(owner.pid)

    def _taken(self, more: str = "") -> UserError:
        owner = self._lease.owner
        who = "" if owner is None else f" (process {owner.pid} on {_host(owner)})"
        return UserError(
            f"a sweep of {self.root} is running already{who}: wait for it, or stop it; "
            f"watch it with: sport-ray status {self.root}{more}"
        )

    def close(self) -> None:
        """Let go."""
        self._lease.release()


def _host(owner: OwnerRecord) -> str:
    """The host's name, without the number of a container's process table."""
    return owner.hostname.partition("?")[0]
