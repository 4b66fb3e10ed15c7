"""One driver at a time: an object that names its holder, renewed on the condition that it is ours.

Whoever takes it over writes it on the condition that it is the version that was seen, so one of
two wins, and the other knows. Time is the store's own: how long a holder was not heard of is the
difference of two of its time stamps. A holder that finds another name in it has lost it; one that
cannot reach the store goes on and asks again: nothing that it does meanwhile does harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.experiments.results.lock import HEARTBEAT_SECONDS, STALE_SECONDS
from sport_ray.experiments.results.process import is_alive, process_identity
from sport_ray.experiments.storage.mistakes import StoreAway, StoreMistake, no_conditions
from sport_ray.experiments.storage.objects import Changed, Exists, Object, Objects, Version

LEASE = ".driver.lease"
PROBE = ".probe"
AGAIN_SECONDS = 2.0
"""Between two tries to renew it where the store does not answer."""
_held: set[str] = set()
"""The tokens of this process's leases."""


class LeaseLost(UserError):
    """Another driver is at work there: this one must stop."""


def require_conditions(objects: Objects) -> None:
    """Write a small object, twice too often, to see that the store minds conditions.

    Raises:
        UserError: it does not; or no permission, no bucket, no credentials, no answer.
    """
    name = f"{PROBE}.{secrets.token_hex(8)}"
    seen = objects.create(name, b"first")
    try:
        with _refused(Exists, objects):
            objects.create(name, b"second")
        objects.replace(name, b"third", seen)
        with _refused(Changed, objects):
            objects.replace(name, b"fourth", seen)
    finally:
        objects.delete(name)


@contextlib.contextmanager
def _refused(error: type[Exception], objects: Objects) -> Iterator[None]:
    """A write that the store must refuse, with this error."""
    try:
        yield
    except error:
        return
    raise no_conditions(objects.place)


class Lease:
    """Held from ``take`` to ``release``; a thread renews it every ten seconds.

    on_loss: called once, in that thread, where another driver has taken it.
    """

    def __init__(self, objects: Objects, on_loss: Callable[[], None] = lambda: None) -> None:
        self._objects = objects
        self._on_loss = on_loss
        self.token = secrets.token_hex(16)
        self._count = 0
        self._version: Version | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.lost = False

    def take(self) -> None:
        """Take it, from a driver that let go, or has died, or was silent for a minute.

        Raises:
            UserError: another driver is at work; and what the store says.
        """
        try:
            self._version = self._objects.create(LEASE, self._body())
        except Exists:
            self._take_over()
        _held.add(self.token)
        self._thread.start()

    def require(self) -> None:
        """Ask the store whether it is still ours.

        Raises:
            LeaseLost: it is not.
            StoreAway: no answer.
        """
        try:
            Watch(self._objects, self.token).require()
        except LeaseLost:
            self.lost = True
            raise

    def release(self) -> None:
        """Let go, if it is still ours; what cannot be said is found out after a minute."""
        self._ended.set()
        _held.discard(self.token)
        if self._thread.is_alive():
            self._thread.join()
        if self._version is None or self.lost:
            return
        with contextlib.suppress(Changed, StoreMistake):
            self._objects.replace(LEASE, self._body(released=True), self._version)
        self._version = None

    def _is_lost(self) -> bool:
        """Whether another's name is in it; our own is where an answer to us was lost before."""
        try:
            found = _read(self._objects)
        except StoreMistake:
            return False
        if found is not None and found[0].get("token") == self.token:
            self._version = found[1].version
            return False
        self.lost = True
        return True

    def _body(self, released: bool = False) -> bytes:
        self._count += 1
        about = {**_identity(), "token": self.token, "count": self._count, "released": released}
        return json.dumps(about, indent=1).encode()

    def _take_over(self) -> None:
        found = _read(self._objects)
        if found is not None:
            holder, meta = found
            _require_silent(self._objects, holder, meta)
            try:
                self._version = self._objects.replace(LEASE, self._body(), meta.version)
                return
            except Changed:
                pass
        found = _read(self._objects)
        raise UserError(_taken(self._objects, found and found[0], "is at work there already"))

    def _renew(self) -> None:
        pause = HEARTBEAT_SECONDS
        while not self._ended.wait(pause):
            pause = HEARTBEAT_SECONDS
            assert self._version is not None
            try:
                self._version = self._objects.replace(LEASE, self._body(), self._version)
            except Changed:
                if self._is_lost():
                    self._on_loss()
                    return
            except StoreAway:
                pause = AGAIN_SECONDS
            except StoreMistake:  # permissions that were taken away: the pushes say so
                pause = HEARTBEAT_SECONDS


def require_idle(objects: Objects) -> None:
    """Refuse a place that a driver is at work in; nothing is taken.

    Raises:
        UserError: naming it; and what the store says.
    """
    if (found := _read(objects)) is not None:
        _require_silent(objects, *found)


def _require_silent(objects: Objects, holder: dict[str, Any], meta: Object) -> None:
    """Refuse, unless the holder let go, or is a dead process of this machine, or was silent."""
    alive = _lives_here(holder)
    if holder.get("released") or alive is False:
        return
    if alive:
        raise UserError(_taken(objects, holder, "is at work there already"))
    silent = _silence(objects, meta)
    if silent < STALE_SECONDS:
        wait = (
            f" (heard of {silent:.0f} s ago; if it has died, try again in "
            f"{STALE_SECONDS - silent:.0f} s)"
        )
        raise UserError(_taken(objects, holder, "is at work there already", wait))


def _silence(objects: Objects, meta: Object) -> float:
    """Seconds since the object was written, by the store's clock."""
    name = f".clock.{secrets.token_hex(8)}"
    objects.create(name, b"")
    try:
        now = objects.head(name)
    finally:
        objects.delete(name)
    return 0.0 if now is None else max((now.modified - meta.modified).total_seconds(), 0.0)


class Watch:
    """Asks whether a lease is still that of a token, for those who work for its holder."""

    def __init__(self, objects: Objects, token: str) -> None:
        self._objects, self.token = objects, token

    def require(self) -> None:
        """As of a lease.

        Raises:
            LeaseLost: it is another's.
            StoreAway: no answer.
        """
        found = _read(self._objects)
        if found is None or found[0].get("token") != self.token:
            raise LeaseLost(_taken(self._objects, found and found[0], "took it over"))


def _taken(objects: Objects, holder: dict[str, Any] | None, does: str, more: str = "") -> str:
    who = "another driver"
    if holder:
        who += f" (process {holder.get('pid')} on {holder.get('host')})"
    return f"{objects.place}: {who} {does}: watch it with: sport-ray status {objects.place}{more}"


def _read(objects: Objects) -> tuple[dict[str, Any], Object] | None:
    found = objects.get(LEASE)
    if found is None:
        return None
    try:
        holder = json.loads(found[0])
    except ValueError:
        holder = None
    return (holder if isinstance(holder, dict) else {}), found[1]


def _identity() -> dict[str, Any]:
    """Which process this is; hosts may share a name, so that of the process table is told too."""
    try:
        table = str(os.readlink("/proc/self/ns/pid"))
    except OSError:
        table = ""
    return {**process_identity(), "processes": f"{_boot()} {table}"}


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return socket.gethostname()


def _lives_here(holder: dict[str, Any]) -> bool | None:
    """Whether the holder's process lives on this machine; None where it is another's."""
    if holder.get("processes") != _identity()["processes"] or "pid" not in holder:
        return None
    if holder["pid"] == os.getpid():
        return holder.get("token") in _held
    return is_alive({**holder, "host": socket.gethostname()})
