"""A driver's copy while it works: a thread pushes what is new, and workers' cells are fetched."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.storage.layout import whole
from sport_ray.experiments.storage.lease import LeaseLost
from sport_ray.experiments.storage.mistakes import StoreAway
from sport_ray.experiments.storage.pull import fetch, pull
from sport_ray.experiments.storage.push import Pusher

PUSH_SECONDS = 2.0
"""Between two looks at what is new in a driver's copy, at least."""
PAUSE = 20.0
"""And so many times what the last look took of the processor: 1.4 s with 10,000 cells."""
END_SECONDS = 120.0
STOP_SECONDS = 5.0
"""At the end: how long a store that is away is waited for; and after Ctrl-C."""


def patiently(do: Callable[[], object]) -> None:
    """Do it, again where the store is away, for two minutes at most.

    Raises:
        StoreAway: after that.
    """
    end = time.monotonic() + END_SECONDS
    while True:
        try:
            do()
            return
        except StoreAway:
            if time.monotonic() > end:
                raise


class DriverCopy:
    """Pushes until it is told that no more will come.

    token: by which workers on other nodes know that it is still this driver's turn. tell: takes
    one line.
    """

    def __init__(self, pusher: Pusher, token: str, tell: Callable[[str], None]) -> None:
        self.pusher, self.token, self._tell = pusher, token, tell
        self._last, self._ended = threading.Event(), threading.Event()
        self._give_up = float("inf")
        self._said: set[str] = set()
        self._one_round = threading.Lock()
        threading.Thread(target=self._work, name="push", daemon=True).start()

    def finish(self, seconds: float) -> int:
        """Push the rest, for so long at most while the store is away; how many files are left."""
        self._give_up = time.monotonic() + seconds
        self._last.set()
        ended = self._ended.wait(seconds)
        return max(len(self.pusher.waiting(last=True)), 0 if ended else 1)

    def told_to_workers(self, root: Path, node: str) -> str:
        """What a worker needs to know, where it has a copy of its own; node: the driver's, by id.

        root: the result folder, which is the copy or that of one base in it.
        """
        place = self.pusher.objects.place
        inside = root.relative_to(self.pusher.root).as_posix()
        prefix = place.prefix if inside == "." else f"{place.prefix}/{inside}"
        about = {"uri": str(place._replace(prefix=prefix)), "node": node}
        return json.dumps({**about, "lease": str(place), "token": self.token})

    def flush(self) -> None:
        """Push what there is, before workers look for it.

        Raises:
            UserError: the store was away for two minutes; another driver's turn.
        """

        def push() -> None:
            with self._one_round:
                self.pusher.round()

        patiently(push)

    def bring(self, root: Path, cells: Iterable[str]) -> None:
        """Fetch the records of cells that workers pushed, as far as they are not here.

        Raises:
            UserError: what the store says.
        """
        here = self.pusher
        for cell in cells:
            path = root / "cells" / cell / "record.json"
            name = path.relative_to(here.root).as_posix()
            if not path.exists():
                patiently(partial(fetch, here.objects, name, here.root, here.index, own=True))

    def catch_up(self) -> None:
        """Fetch whatever else workers pushed: samples, policies, the reasons of failures.

        Raises:
            UserError: what the store says.
        """
        here = self.pusher
        with self._one_round:
            patiently(partial(pull, here.objects, here.root, here.index, whole, own=True))

    def _work(self) -> None:
        try:
            pause = PUSH_SECONDS
            while not self._last.wait(pause):
                begun = time.thread_time()
                self._once(last=False)
                pause = max(PUSH_SECONDS, PAUSE * (time.thread_time() - begun))
            while self.pusher.waiting(last=True) and time.monotonic() < self._give_up:
                if not self._once(last=True):
                    time.sleep(0.5)
        except LeaseLost:
            pass
        finally:
            self._ended.set()

    def _once(self, last: bool) -> bool:
        try:
            with self._one_round:
                self.pusher.round(last)
        except LeaseLost:
            raise
        except UserError as error:
            if type(error).__name__ not in self._said:
                self._said.add(type(error).__name__)
                self._tell(f"{error}; the study goes on, and what is finished is sent later")
            return False
        except OSError:  # a file that was replaced under our hands, a disk without room
            return False
        self._said.clear()
        return True


drivers: dict[Path, DriverCopy] = {}
"""The copies that this process drives, by their folders."""


def driver_of(root: Path) -> DriverCopy | None:
    """The copy that a result folder is, or lies in; None on a disk."""
    return drivers.get(root) or drivers.get(root.parent)
