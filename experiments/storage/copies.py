"""A copy of results on this machine: a driver's, which is pushed as it grows, or a reader's."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from sport_ray.errors import UserError
from sport_ray.experiments.storage.driver import (
    END_SECONDS,
    STOP_SECONDS,
    DriverCopy,
    drivers,
)
from sport_ray.experiments.storage.index import Index
from sport_ray.experiments.storage.layout import Wanted, whole
from sport_ray.experiments.storage.lease import (
    LEASE,
    Lease,
    LeaseLost,
    require_conditions,
    require_idle,
)
from sport_ray.experiments.storage.mistakes import StoreAway, StoreMistake
from sport_ray.experiments.storage.objects import Object, Objects
from sport_ray.experiments.storage.origin import FOLDER, claim_home
from sport_ray.experiments.storage.place import Place
from sport_ray.experiments.storage.pull import pull
from sport_ray.experiments.storage.push import Pusher

OPEN_SECONDS = 15.0
"""How long the first questions may take, before anything is computed."""
LEASE_SECONDS = 15.0
INDEX = "index.json"


@contextmanager
def driver_copy(place: Place, work_dir: Path | None, tell: Callable[[str], None]) -> Iterator[Path]:
    """The results of a place, for the one driver that changes them; what it finishes is pushed.

    work_dir: where the copy lies, by default in this machine's cache. tell: takes one line.

    Raises:
        UserError: before the block: no credentials, bucket, permission or answer, no conditional
            writes, another driver at work. After it: files that could not be sent.
        LeaseLost: another driver took over; this one was stopped.
    """
    home = (work_dir or place.cache / "driver").absolute()
    root, index = home / FOLDER, Index(home / INDEX)
    require_conditions(Objects(place, OPEN_SECONDS))
    lease = Lease(Objects(place, LEASE_SECONDS), _interrupt)
    lease.take()
    try:
        claim_home(home, place)
        objects = Objects(place)
        there = [*objects.list()]
        _require_alone(place, there)
        count = pull(objects, root, index, whole, own=True, listed=there)
        tell(f"results in {place}, {count} files fetched; copy on this machine: {root}")
        copy = DriverCopy(Pusher(objects, root, index, lease), lease.token, tell)
        drivers[root] = copy
        try:
            yield root
        except BaseException as error:
            if lease.lost:
                copy.finish(0.0)
                _require_held(lease)
            stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
            stopped = stopped or hasattr(error, "exit_status")
            if left := copy.finish(STOP_SECONDS if stopped else END_SECONDS):
                tell(_left(place, left))
            raise
        left = copy.finish(END_SECONDS)
        if lease.lost:
            _require_held(lease)
        if left:
            raise StoreAway(_left(place, left))
    except KeyboardInterrupt:
        if lease.lost:  # while the rest was sent
            _require_held(lease)
        raise
    finally:
        drivers.pop(root, None)
        lease.release()


def reader_copy(place: Place, wanted: Wanted = whole, *, may_be_empty: bool = False) -> Path:
    """The results of a place as they are now, on this machine; a driver's copy is another one.

    may_be_empty: of a place where nothing is yet, an empty folder.

    Raises:
        UserError: nothing is there; and what the store says.
    """
    home = place.cache / "reader"
    root = home / FOLDER
    if not may_be_empty:
        require_results(place)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        claim_home(home, place)
        pull(Objects(place), root, Index(home / INDEX), wanted)
    root.mkdir(exist_ok=True)
    return root


def require_results(place: Place) -> None:
    """Refuse a place that holds nothing.

    Raises:
        UserError: naming it; and what the store says.
    """
    if not any(True for _ in Objects(place, OPEN_SECONDS).list()):
        raise UserError(f"{place} holds no results: make some with --results {place}")


def _require_alone(place: Place, there: Iterable[Object]) -> None:
    """Refuse where a driver of all bases, or of one of these, is at work: each has its own lease.

    Both look after they have taken theirs, so one of two sees the other. there: what lies in it.

    Raises:
        UserError: naming the place; and what the store says.
    """
    if place.above is not None:
        with suppress(StoreMistake):  # it may be another's, and closed to us
            require_idle(Objects(place.above, OPEN_SECONDS))
    for one in there:
        folder, _, name = one.name.rpartition("/")
        if name == LEASE and folder:
            require_idle(Objects(place.below(folder), OPEN_SECONDS))


def _require_held(lease: Lease) -> None:
    try:
        lease.require()
    except StoreMistake:
        raise LeaseLost("another driver took the results over, and this one stopped") from None


def _left(place: Place, count: int) -> str:
    return (
        f"{place}: {count} file{'s' if count != 1 else ''} could not be sent; they are kept on "
        "this machine, and the same command sends them from here"
    )


def _interrupt() -> None:
    """Stop the main thread as Ctrl-C does, also where it waits."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)
