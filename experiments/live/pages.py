"""The page of a folder, made anew when its records change, and never for nothing."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.live.state import State, read_state, records_signature, signature
from sport_ray.text import plain
from sport_ray.tracking.report.live import live_page, waiting_page

LOOK_SECONDS = 1.0
"""Between two looks at the folder."""
PAUSE_SECONDS, SHARE = 5.0, 0.1
"""Between two pages at least, and the share of the time that making them may take."""
AGAIN_SECONDS = 10.0
"""After which the time left is computed again though no file has changed."""


class Pages:
    """Looks at a folder and holds what there is to see: its state, and its page.

    The report is written by the product's own ``write_report`` into a temporary folder, by one
    thread: never two at a time. It is made when records have changed, at most every five seconds,
    and so that it takes no more than a tenth of the time.

    listen: called with each new state.
    """

    def __init__(self, root: Path, listen: Callable[[State], None] | None = None) -> None:
        self.root = root
        self.state = read_state(root)
        self.renders = 0
        self._problem: str | None = None
        self._turn = threading.Lock()
        self._listen = listen
        self._place = tempfile.TemporaryDirectory(prefix="sport-ray-watch-")
        self._page: tuple[str, bytes] = ("", b"")
        self._shown: object = None  # the records of the page
        self._seen: object = None
        self._looked, self._next = 0.0, 0.0
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,), daemon=True)
            for work in (self.look, self.render)
        ]
        self.wait()

    def start(self) -> None:
        """Go on looking, until ``close``."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Look no more, and remove what was made."""
        self._end.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5.0)
        self._place.cleanup()

    @property
    def page(self) -> tuple[str, bytes]:
        """The page and what it is called by, "" of one that only waits."""
        return self._page

    def _repeat(self, work: Callable[[], object]) -> None:
        while not self._end.wait(LOOK_SECONDS):
            work()

    def look(self) -> State:
        """The state, read anew where files have changed or the last time is long ago."""
        seen, now = signature(self.root), time.monotonic()
        if seen != self._seen or now - self._looked > AGAIN_SECONDS:
            self._seen, self._looked = seen, now
            before = self.state
            found = read_state(self.root)
            self.state = found if self._problem is None else replace(found, problem=self._problem)
            if self._listen is not None and self.state != before:
                self._listen(self.state)
            if not self.renders:
                self.wait()
        return self.state

    def wait(self) -> None:
        """A page for as long as there is no report."""
        page = waiting_page(self.state.study).encode()
        with self._turn:
            if not self.renders:  # another thread may just have made one
                self._page = ("", page)

    def render(self) -> bool:
        """Make the report where it would be another one; whether that was done."""
        now = time.monotonic()
        records = records_signature(self.root)
        if not records or records == self._shown or now < self._next:
            return False
        try:
            from sport_ray.tracking.report.write import write_report  # matplotlib takes seconds

            page = write_report(self.root, Path(self._place.name)).read_text(encoding="utf-8")
        except UserError as error:
            self._problem = _told(str(error))
        except Exception as error:  # a page that cannot be made must not end the watch
            self._problem = _told(f"{type(error).__name__}: {error}")
        else:
            name = hashlib.sha256(page.encode()).hexdigest()[:16]
            made = live_page(page, name).encode()
            with self._turn:
                self._page = (name, made)
                self.renders += 1
            self._problem = None
            self._shown = records  # what could not be shown is tried again, after a pause
        self._seen = None
        took = time.monotonic() - now
        self._next = time.monotonic() + max(PAUSE_SECONDS, took * (1.0 / SHARE - 1.0))
        return True


def _told(problem: str) -> str:
    return f"the report cannot be made: {plain(' '.join(problem.split()))}"
