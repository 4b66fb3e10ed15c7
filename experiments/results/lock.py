"""One process at a time may change a result folder: who it is, and what holds where locks do not.

Two things say so. A lock (``flock``) on the ledger, which the kernel lets go however the process
ends. And ``.driver.json``, with the process and its host, touched every ten seconds: on a share
the lock may be refused, or be a matter of each host alone, and no error tells.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from sport_ray.canonical import write_json
from sport_ray.errors import UserError
from sport_ray.experiments.results.process import is_alive, process_identity

DRIVER = ".driver.json"
HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""A driver on another host that was not heard of for so long is taken for dead."""
SETTLE_SECONDS = 2.0
"""Without locks: how long two that start at once wait to see which of them wrote last."""


def open_ledger(path: Path) -> int:
    """The file descriptor of a ledger, open for appending; made where there is none.

    Raises:
        UserError: it cannot be written to, or is a link: a folder from elsewhere must not decide
            which file of this machine grows.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        reason = "it is a link, remove it" if error.errno == errno.ELOOP else error.strerror
        raise UserError(f"the ledger {path} cannot be written: {reason}") from None


class FolderLock:
    """Held by the process that certifies or sweeps; let go by ``close``, or by its end.

    ledger: the file to be locked; made, with its folder, where there is none.

    Raises:
        UserError: another process is at work in the folder, or it cannot be written to.
    """

    def __init__(self, ledger: Path) -> None:
        self.root = ledger.parent
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"the ledger {ledger} cannot be written: {error.strerror}") from None
        self._file = open_ledger(ledger)
        self._token = secrets.token_hex(8)
        self._over = threading.Event()
        try:
            self._take()
        except BaseException:
            os.close(self._file)
            raise

    def _take(self) -> None:
        locks = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(self._taken(_read(self.root / DRIVER))) from None
        except OSError:  # a share without locks
            locks = False
        self._refuse_beside_another()
        try:
            write_json(self.root / DRIVER, process_identity() | {"token": self._token})
        except OSError as error:
            if not locks:
                raise UserError(
                    f"{self.root / DRIVER} cannot be written: {error.strerror}"
                ) from None
            return  # a full disk: the lock holds, and what follows will say so
        if not locks:
            time.sleep(SETTLE_SECONDS)
            winner = _read(self.root / DRIVER)
            if winner is None or winner.get("token") != self._token:
                raise UserError(self._taken(winner))
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _refuse_beside_another(self) -> None:
        other = _read(self.root / DRIVER)
        if other is None:
            return
        alive = is_alive(other)
        if alive is None:  # on another host
            silent = self._silence()
            if silent < STALE_SECONDS:
                raise UserError(
                    f"{self._taken(other)} (heard of {silent:.0f} s ago; if it has died, try "
                    f"again in {STALE_SECONDS - silent:.0f} s)"
                )
        elif alive:
            # Its lock would have refused us, were there locks here or did it still hold it.
            same = other["pid"] == os.getpid()
            if not same:
                raise UserError(self._taken(other))

    def _silence(self) -> float:
        """Seconds since the other's last sign, by the clock of the disk that both write to."""
        probe = self.root / f".clock.{self._token}.tmp"
        try:
            probe.touch()
            now = probe.stat().st_mtime
            probe.unlink()
        except OSError:
            now = time.time()
        try:
            return now - (self.root / DRIVER).stat().st_mtime
        except OSError:
            return STALE_SECONDS

    def _taken(self, other: dict[str, Any] | None) -> str:
        who = f" (process {other['pid']} on {other['host']})" if other else ""
        return (
            f"a sweep of {self.root} is running already{who}: wait for it, or stop it; "
            f"watch it with: sport-ray status {self.root}"
        )

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self.root / DRIVER)

    def close(self) -> None:
        """Let go."""
        if self._over.is_set():
            return
        self._over.set()
        mine = _read(self.root / DRIVER)
        if mine is not None and mine.get("token") == self._token:
            with contextlib.suppress(OSError):
                (self.root / DRIVER).unlink()
        os.close(self._file)


def _read(path: Path) -> dict[str, Any] | None:
    """Who is at work, as written there; None where nobody is, or where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("pid"), int)
    return found if whole and isinstance(found.get("host"), str) else None
