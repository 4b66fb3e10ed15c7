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

PAUSE_SECONDS, SHARE = 5.0, 0.1
"""Between two pages at least, and the share of the time that making them may take."""
AGAIN_SECONDS = 10.0
"""After which the time left is computed again though no file has changed."""


class Pages:
    """Looks at a folder and holds what there is to see: its state, and its page.

    The report is written by the product's own ``write_report`` into a temporary folder. It is made
    when records have changed, at most every five seconds, and so that it takes no more than a tenth
    of the time.

    listen: called with each new state. made: called when the report was made. whole: what the page
    above is called, of a base one of several.
    """

    def __init__(
        self,
        root: Path,
        listen: Callable[[State], None] | None = None,
        made: Callable[[], None] | None = None,
        whole: str = "",
    ) -> None:
        self.root = root
        self._made, self._whole = made, whole
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
        self.wait()

    def close(self) -> None:
        """Remove what was made."""
        self._place.cleanup()

    @property
    def page(self) -> tuple[str, bytes]:
        """The page and what it is called by, "" of one that only waits."""
        return self._page

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
        made_of = 0 if self.state.problem else len(records_signature(self.root))
        page = waiting_page(self.state.study, self._whole, made_of).encode()
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
            if self._made is not None:
                self._made()
        except UserError as error:
            self._problem = _told(str(error))
        except Exception as error:  # a page that cannot be made must not end the watch
            self._problem = _told(f"{type(error).__name__}: {error}")
        else:
            name = hashlib.sha256(page.encode()).hexdigest()[:16]
            made = live_page(page, name, self._whole).encode()
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
