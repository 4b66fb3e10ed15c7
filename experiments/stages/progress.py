"""Progress of a stage: live on the console (with the time left), and in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.trials import Kind


def _progress(console: Console, *columns: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
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
    """Counts cells as jobs start and end; a listener of the sweep."""

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
        self.running = self.failed = 0
        total = len(plan.cells)
        done = total - sum(len(job.cells) for job in missing)
        self.progress = _progress(
            console, "[cyan]{task.fields[running]} running", "[red]{task.fields[failed]} failed"
        )
        self.task = self.progress.add_task(
            "cells", total=total, completed=done, running=0, failed=0
        )

    def __enter__(self) -> SweepProgress:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def __call__(self, kind: Kind, job: Job) -> None:
        """Take an event; finished cells are handed on with their records."""
        cells = len(job.cells)
        self.running += cells if kind == "started" else -cells
        if kind in ("ended", "died"):
            for cell in job.cells:
                record = self.folder.read_record(cell.id)
                if record is None or record["status"] != "finished":
                    self.failed += 1
                if record is not None and self.on_cell is not None:
                    self.on_cell(record)
            self.progress.advance(self.task, cells)
        self.progress.update(self.task, running=self.running, failed=self.failed)


class SweepHistory:
    """Writes down in the ledger what happens to cells; a listener of the sweep."""

    def __init__(self, ledger: Ledger, folder: StudyFolder) -> None:
        self.ledger, self.folder = ledger, folder
        self._begun: dict[str, tuple[float, list[str]]] = {}

    def __call__(self, kind: Kind, job: Job) -> None:
        """Take an event; cells that were finished before their job started are not in it."""
        ids = [cell.id for cell in job.cells]
        about = {"kind": job.kind, "job": ids[0]}
        if kind == "started":
            missing = [cell_id for cell_id in ids if not self.folder.is_finished(cell_id)]
            self._begun[ids[0]] = (time.monotonic(), missing)
            for cell_id in missing:
                self.ledger.append("cell started", cell_id, **about)
            return
        began, missing = self._begun.pop(ids[0], (time.monotonic(), ids))
        # One training run serves all cells of a job: each is given the same share of its time.
        share = round((time.monotonic() - began) / max(len(missing), 1), 3)
        for cell_id in missing:
            if kind == "retried":
                self.ledger.append("cell retried", cell_id, **about)
            elif self.folder.is_finished(cell_id):
                self.ledger.append("cell finished", cell_id, **about, seconds=share)
            else:
                record = self.folder.read_record(cell_id) or {}
                reason = str(record.get("reason") or "no record was written")
                self.ledger.append("cell failed", cell_id, **about, reason=reason)
