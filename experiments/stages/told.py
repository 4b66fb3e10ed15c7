"""Progress without a terminal: told on events, with no thread and no live display of rich."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from typing import Any

from rich.console import Console
from rich.progress import Progress, Task, TaskID


class Told(Progress, ABC):
    """Bars as text, the same columns and numbers as on a terminal.

    Of several bars the one that is at work is shown, and in the end the first; none of nothing.
    """

    def __init__(self, *columns: Any, **options: Any) -> None:
        super().__init__(*columns, **options)
        self._last = 0.0

    @abstractmethod
    def tell(self) -> None:
        """Show the bars as they are."""

    @abstractmethod
    def pause(self) -> float:
        """Seconds at least between two times."""

    def start(self) -> None:
        """Show that it begins."""
        self._tell()

    def stop(self) -> None:
        """Show how it ended."""
        self._tell()

    def refresh(self) -> None:
        """Nothing is drawn but on events."""

    def add_task(self, *given: Any, **about: Any) -> TaskID:
        """As rich has it; shown at once."""
        found = super().add_task(*given, **about)
        self._tell()
        return found

    def update(self, *given: Any, **changed: Any) -> None:
        """As rich has it; shown if the last time was long enough ago."""
        super().update(*given, **changed)
        self._tell_now_and_then()

    def advance(self, *given: Any, **changed: Any) -> None:
        """The same."""
        super().advance(*given, **changed)
        self._tell_now_and_then()

    def _tell_now_and_then(self) -> None:
        if time.monotonic() - self._last >= self.pause():
            self._tell()

    def _tell(self) -> None:
        if self._counted():
            self.tell()
            self._last = time.monotonic()

    def _counted(self) -> list[Task]:
        """The bars of which there is something to count."""
        return [task for task in self.tasks if task.total]

    def text(self, width: int) -> str:
        """The columns of one bar, without a sign that only a terminal obeys."""
        tasks = self._counted()
        at_work = [one for one in reversed(tasks) if not one.finished] or tasks
        console = Console(
            file=io.StringIO(), width=width, color_system=None, force_terminal=False,
            force_jupyter=False, emoji=False,
        )  # fmt: skip
        with console.capture() as caught:
            console.print(self.make_tasks_table(at_work[:1]))
        return "\n".join(one.rstrip() for one in caught.get().splitlines())
