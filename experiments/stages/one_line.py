"""Progress in a notebook: one output that is written over, and stays as one line when saved."""

from __future__ import annotations

import io
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress

SECONDS = 0.5
"""At least between two updates: each is a message to the browser."""


class OneLine(Progress):
    """A bar as the text of one displayed output; told on events, without a thread.

    The same columns and numbers as on a terminal. Of several bars the one that is at work is shown,
    and in the end the first. Nothing is drawn by rich's own live display.
    """

    def __init__(self, *columns: Any, **options: Any) -> None:
        super().__init__(*columns, **options)
        self._handle: Any = None
        self._last = 0.0

    def start(self) -> None:
        """Show the line for the first time."""
        from IPython.display import display

        if self._handle is None:
            shown: Any = display  # IPython has no types
            self._handle = shown(self._shown(), raw=True, display_id=True)
            self._last = time.monotonic()

    def stop(self) -> None:
        """Show how it ended."""
        self._show()

    def update(self, *given: Any, **changed: Any) -> None:
        """As rich has it; shown if the last time was long enough ago."""
        super().update(*given, **changed)
        self._show_now_and_then()

    def advance(self, *given: Any, **changed: Any) -> None:
        """The same."""
        super().advance(*given, **changed)
        self._show_now_and_then()

    def refresh(self) -> None:
        """Show it as it is."""
        self._show()

    def _show_now_and_then(self) -> None:
        if time.monotonic() - self._last >= SECONDS:
            self._show()

    def _show(self) -> None:
        if self._handle is not None:
            self._handle.update(self._shown(), raw=True)
            self._last = time.monotonic()

    def _shown(self) -> dict[str, str]:
        """The columns of one bar, without a sign that only a terminal obeys."""
        tasks = self.tasks
        at_work = [one for one in reversed(tasks) if not one.finished] or tasks
        console = Console(
            file=io.StringIO(), width=self.console.width, color_system=None, force_terminal=False,
            force_jupyter=False, emoji=False,
        )  # fmt: skip
        with console.capture() as caught:
            console.print(self.make_tasks_table(at_work[:1]))
        return {"text/plain": "\n".join(one.rstrip() for one in caught.get().splitlines())}
