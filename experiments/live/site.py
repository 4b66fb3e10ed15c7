"""All that is served of a folder: its page, or of several bases an index and a page of each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sport_ray.errors import UserError
from sport_ray.experiments.live.index import Index
from sport_ray.experiments.live.pages import Pages
from sport_ray.experiments.live.state import State
from sport_ray.tracking.results.bases import sub_folders

LOOK_SECONDS = 1.0
"""Between two looks at the folder."""


class Shown(Protocol):
    """Something with a page, and a state that the page asks for."""

    @property
    def state(self) -> State:
        """As it was last looked at."""

    @property
    def page(self) -> tuple[str, bytes]:
        """The page and what it is called by, "" of one that only waits."""


class Site:
    """Looks at a folder, in one thread, and makes its pages, in another: never two at a time.

    That a study has several bases is known once its folder says so.

    listen: called with each new state of the whole.
    """

    def __init__(self, root: Path, listen: Callable[[State], None] | None = None) -> None:
        self.root = root
        self._listen = listen
        self._whole: Pages | Index = self._found() or Pages(root, listen)
        self._before: Pages | None = None  # its page may just be being made: it goes with the rest
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,), daemon=True)
            for work in (self.look, self.render)
        ]

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
        for shown in (self._before, self._whole):
            if shown is not None:
                shown.close()

    @property
    def state(self) -> State:
        """What is told of the whole."""
        return self._whole.state

    def at(self, path: str) -> tuple[Shown, bool] | None:
        """What is at a path, and whether its state is asked for; None where nothing is.

        ``/`` and ``/state`` are of the whole, ``/BASE/`` and ``/BASE/state`` of a base.
        """
        *folders, last = path.removeprefix("/").split("/")
        if last not in ("", "state") or len(folders) > 1:
            return None
        whole = self._whole
        shown: Shown | None = whole
        if folders:
            shown = whole.parts.get(folders[0]) if isinstance(whole, Index) else None
        return None if shown is None else (shown, last == "state")

    def look(self) -> State:
        """The state, read anew where that is due."""
        if isinstance(self._whole, Pages) and (index := self._found()):
            self._before, self._whole = self._whole, index
        return self._whole.look()

    def render(self) -> bool:
        """Make the pages that would be other ones; whether there was any."""
        return self._whole.render()

    def _found(self) -> Index | None:
        with suppress(UserError):  # a damaged file, of which the page tells
            if sub_folders(self.root):
                return Index(self.root, self._listen)
        return None

    def _repeat(self, work: Callable[[], object]) -> None:
        while not self._end.wait(LOOK_SECONDS):
            work()
