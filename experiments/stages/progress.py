"""Progress of a stage: live on the console (with the time left), and in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.results.ledger import Ledger
from sport_ray.experiments.stages.one_line import OneLine
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.driver import SweepEvent
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.tracking.console import NotebookConsole

TRAINED = 0.5
"""How much of a cell is done once it is trained: a guess, for the bar and the time left alone."""


def _progress(
    console: Console, *columns: str, counted: str = "{task.completed:.0f}/{task.total:.0f}"
) -> Progress:
    kind = OneLine if isinstance(console, NotebookConsole) else Progress
    return kind(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn(counted),
        *(TextColumn(column) for column in columns),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        console=console,
        refresh_per_second=2,
        speed_estimate_period=600,
    )


class Counter:
    """A bar that is told how many more are done, and may be told what to call it."""

    def __init__(self, progress: Progress, what: str, total: int, done: int = 0) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total, completed=done)

    def __call__(self, more: int) -> None:
        """Advance."""
        self._progress.advance(self._task, more)

    def describe(self, what: str) -> None:
        """Show other words beside the bar."""
        self._progress.update(self._task, description=what)


@contextmanager
def counting(console: Console, what: str, total: int, done: int = 0) -> Iterator[Counter]:
    """A bar on the console for the length of the block."""
    with _progress(console) as progress:
        yield Counter(progress, what, total, done)


class SweepProgress:
    """Counts cells as jobs start and end; a listener of the sweep.

    The bar and the time left go by what is trained as well, from a cohort's first seconds on.
    """

    def __init__(
        self,
        console: Console,
        folder: StudyFolder,
        plan: Plan,
        missing: list[Job],
        on_cell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.folder = folder
        self.on_cell = on_cell
        total = len(plan.cells)
        self.done = total - sum(len(job.cells) for job in missing)
        self.failed = 0
        self._at_work: dict[str, tuple[int, float]] = {}  # cells of a trial, how far trained
        self.progress = _progress(
            console,
            "[cyan]{task.fields[running]} running",
            "[red]{task.fields[failed]} failed",
            counted="{task.fields[done]}/{task.total:.0f}",
        )
        self.task = self.progress.add_task("cells", total=total, **self._shown())

    def __enter__(self) -> SweepProgress:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    @property
    def running(self) -> int:
        """Cells whose trials are at work on them."""
        return sum(cells for cells, _ in self._at_work.values())

    def _shown(self) -> dict[str, Any]:
        begun = TRAINED * sum(cells * trained for cells, trained in self._at_work.values())
        return {
            "completed": self.done + begun,
            "done": self.done,
            "running": self.running,
            "failed": self.failed,
        }

    def __call__(self, event: SweepEvent) -> None:
        """Take an event; finished cells are handed on with their records."""
        name, cells = event.work.name, len(event.cells)
        if event.kind == "started":
            self._at_work[name] = (cells, 0.0)
        elif event.kind == "trained":
            self._at_work[name] = (cells, event.trained)
        elif event.kind == "retried":
            self._at_work.pop(name, None)
        else:
            before, trained = self._at_work.pop(name, (cells, 0.0))
            if before > cells:
                self._at_work[name] = (before - cells, trained)
            self._end(event.cells)
        self.progress.update(self.task, **self._shown())

    def _end(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            self.done += 1
            record = self.folder.read_record(cell.id)
            if record is None or record["status"] != "finished":
                self.failed += 1
            if record is not None and self.on_cell is not None:
                self.on_cell(record)


class SweepHistory:
    """Writes down in the ledger what happens to cells; a listener of the sweep."""

    def __init__(self, ledger: Ledger, folder: StudyFolder) -> None:
        self.ledger, self.folder = ledger, folder
        self._begun: dict[str, tuple[float, list[str]]] = {}

    def __call__(self, event: SweepEvent) -> None:
        """Take an event; cells that were finished before their trial started are not in it."""
        if event.kind == "started":
            missing = [cell.id for cell in event.cells if not self.folder.is_finished(cell.id)]
            self._begun[event.work.name] = (time.monotonic(), missing)
        if event.kind == "trained":
            return
        for job in event.jobs:
            self._tell(event, job)

    def _tell(self, event: SweepEvent, job: Job) -> None:
        name, ids = event.work.name, [cell.id for cell in job.cells]
        began, missing = self._begun.get(name, (time.monotonic(), ids))
        about = {"kind": job.kind, "job": name}
        for cell_id in (cell_id for cell_id in ids if cell_id in missing):
            if event.kind == "started":
                self.ledger.append("cell started", cell_id, **about)
            elif self.folder.is_finished(cell_id):  # also where its worker died before it said so
                share = (time.monotonic() - began) / len(missing)
                if event.work.cohort:
                    share = self._own_seconds(cell_id, sum(one in missing for one in ids))
                self.ledger.append("cell finished", cell_id, **about, seconds=round(share, 3))
            elif event.kind == "retried":
                self.ledger.append("cell retried", cell_id, **about)
            else:
                record = self.folder.read_record(cell_id) or {}
                reason = str(record.get("reason") or "no record was written")
                self.ledger.append("cell failed", cell_id, **about, reason=reason)

    def _own_seconds(self, cell_id: str, together: int) -> float:
        """Its own evaluation, and its share of the training, which serves so many cells."""
        record = self.folder.read_record(cell_id) or {}
        return float(record.get("eval_seconds", 0.0) + record.get("train_seconds", 0.0) / together)
