"""Progress of a stage: live on the console (with the time left), and in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from sport_ray.experiments.live.present import Present
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.results.ledger import Ledger
from sport_ray.experiments.stages.log_lines import LogLines
from sport_ray.experiments.stages.one_line import OneLine
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.driver import SweepEvent
from sport_ray.experiments.sweep.evaluation import scenarios_per_cell
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.tracking.console import NotebookConsole

TRAINED = 0.5
"""How much of a cell is done once it is trained: a guess, for the bar and the time left alone."""


def rate_of(task: Task) -> float | None:
    """Units a second, from the first one on; None before."""
    done = task.completed - task.fields.get("before", 0)
    if done <= 0 or not task.elapsed:
        return None
    return task.speed or done / task.elapsed


def rate_text(rate: float) -> str:
    """The number of units a second, or the seconds that one takes.

    >>> rate_text(1234.5), rate_text(2.0), rate_text(0.5)
    ('1,234/s', '2.0/s', '2.0 s each')
    """
    if rate < 1.0:
        return f"{1.0 / rate:,.1f} s each"
    return f"{rate:,.1f}/s" if rate < 100.0 else f"{rate:,.0f}/s"


class Rate(ProgressColumn):
    """How fast it goes, as soon as there is one unit."""

    def render(self, task: Task) -> Text:
        """Such as '1.2/s'."""
        rate = rate_of(task)
        return Text("" if rate is None else rate_text(rate))


class TimeLeft(ProgressColumn):
    """The time left at that rate: rich's own column needs two signs of progress, ours one."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Such as '02:15'."""
        if task.finished:
            return Text("00:00")
        rate = rate_of(task)
        if rate is None or task.total is None:
            return Text("--:--")
        minutes, seconds = divmod(int((task.total - task.completed) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        return Text(f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}")


def _kind(console: Console) -> type[Progress]:
    """A live display on a terminal, one line in a notebook, lines of a log everywhere else."""
    if isinstance(console, NotebookConsole):
        return OneLine
    return Progress if console.is_terminal or console.quiet else LogLines


def _progress(
    console: Console,
    *columns: str | ProgressColumn,
    counted: str = "{task.completed:.0f}/{task.total:.0f}",
) -> Progress:
    return _kind(console)(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn(counted),
        *(TextColumn(column) if isinstance(column, str) else column for column in columns),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
        console=console,
        refresh_per_second=2,
        speed_estimate_period=600,
    )


class Counter:
    """A bar that is told how many more are done, and may be told what to call it."""

    def __init__(
        self,
        progress: Progress,
        what: str,
        total: int,
        done: int = 0,
        present: Present | None = None,
    ) -> None:
        self._progress, self._present = progress, present
        self._done = done
        self._task = progress.add_task(what, total=total, completed=done, before=done)

    def __call__(self, more: int) -> None:
        """Advance."""
        self._progress.advance(self._task, more)
        self._done += more
        if self._present is not None:
            self._present.tell(self._done)

    def describe(self, what: str) -> None:
        """Show other words beside the bar."""
        self._progress.update(self._task, description=what)
        if self._present is not None:
            self._present.tell(self._done, what=what)

    def whole(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._progress.update(self._task, completed=done, total=total)
        self._done = done
        if self._present is not None:
            self._present.tell(done, total)

    def beside(self, what: str) -> Callable[[int, int], None]:
        """A bar below this one, which appears once it is told how many of how many are done."""
        below: list[Counter] = []

        def told(done: int, total: int) -> None:
            if not below:
                below.append(Counter(self._progress, what, total))
            below[0].whole(done, total)

        return told


@contextmanager
def counting(
    console: Console, what: str, total: int, done: int = 0, *, folder: Path | None = None
) -> Iterator[Counter]:
    """A bar on the console for the length of the block.

    folder: that this process holds, where those who watch it find how far it is.
    """
    present = None if folder is None else Present(folder, what, total)
    try:
        with _progress(console, Rate()) as progress:
            yield Counter(progress, what, total, done, present)
    finally:
        if present is not None:
            present.end()


class SweepProgress:
    """Counts cells as jobs start and end; a listener of the sweep.

    The bar and the time left go by what is trained and by the scenarios of evaluations as well,
    from the first seconds of each on.
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
        self._at_work: dict[str, tuple[int, float]] = {}  # cells of a trial, how far
        self._scenarios: dict[str, int] = {}  # by trial
        self._first_scenario: float | None = None
        self._per_cell = max(scenarios_per_cell(folder.study), 1)
        self.progress = _progress(
            console,
            "[cyan]{task.fields[running]} running",
            "[red]{task.fields[failed]} failed",
            "{task.fields[evaluated]}",
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
        begun = sum(cells * part for cells, part in self._at_work.values())
        return {
            "evaluated": self._evaluated(),
            "completed": self.done + begun,
            "done": self.done,
            "running": self.running,
            "failed": self.failed,
        }

    def _evaluated(self) -> str:
        """Such as '37 scenarios, 1.2/s': what evaluations have run, since the first of them."""
        count = sum(self._scenarios.values())
        if not count:
            return ""
        if self._first_scenario is None:
            self._first_scenario = time.monotonic()
            return f"{count} scenarios"
        seconds = time.monotonic() - self._first_scenario
        return f"{count:,} scenarios" + (f", {rate_text(count / seconds)}" if seconds > 1.0 else "")

    def _part(self, event: SweepEvent) -> float:
        """How much of each of a trial's cells is done, 0 to 1, its training and its evaluation."""
        left = len(event.cells)
        ended = sum(len(job.cells) for job in event.work.jobs) - left
        evaluated = event.scenarios / self._per_cell - ended
        evaluated = min(max(evaluated, 0.0) / max(left, 1), 1.0)
        return TRAINED * event.trained + (1.0 - TRAINED) * evaluated

    def __call__(self, event: SweepEvent) -> None:
        """Take an event; finished cells are handed on with their records."""
        name, cells = event.work.name, len(event.cells)
        if event.kind == "started":
            self._at_work[name] = (cells, 0.0)
        elif event.kind == "trained":
            self._at_work[name] = (cells, self._part(event))
            self._scenarios[name] = event.scenarios
        elif event.kind == "retried":
            self._at_work.pop(name, None)
            self._scenarios.pop(name, None)
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
