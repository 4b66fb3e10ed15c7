"""The sweep: the jobs that are not finished, as Tune trials; records are on disk as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from ray import tune

from sport_ray.certificates import Certificate
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.results.alarm import alarm_in
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.storage.driver import driver_of
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.cohort import Report, run_work
from sport_ray.experiments.sweep.here import run_here
from sport_ray.experiments.sweep.listed import Listed
from sport_ray.experiments.sweep.packing import pack, told
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.record_writer import write_failure
from sport_ray.experiments.sweep.room import Room
from sport_ray.experiments.sweep.trials import StudyTrial, TrialEvent, run_trials
from sport_ray.experiments.sweep.work import Work
from sport_ray.samplers import read_base


class SweepSummary(NamedTuple):
    """Cells of the plan by their state after the sweep.

    refuted: one line, where a cell's evaluation contradicts its promise: nothing is certified then.
    """

    planned: int
    finished: int
    failed: int
    refuted: str | None = None


class SweepEvent(NamedTuple):
    """What happened to jobs of a trial: "trained" says how far its training is, 0 to 1.

    work: what the trial does. jobs: those of it that have not been told as ended before.
    scenarios: that have run in the trial's evaluations.
    """

    kind: Literal["started", "trained", "retried", "ended", "died"]
    work: Work
    jobs: tuple[Job, ...]
    trained: float = 0.0
    scenarios: int = 0

    @property
    def cells(self) -> list[Cell]:
        """Those of the jobs."""
        return [cell for job in self.jobs for cell in job.cells]


Listener = Callable[[SweepEvent], None]

REPORT_SECONDS = 2.0
"""Between two reports of a trial: each costs the driver some hundredths of a second."""


class CellTrial(StudyTrial):
    """Does its work in portions and reports how far it is; records are on disk by then."""

    _reports: Iterator[Report] | None = None

    def take(self, config: dict[str, Any]) -> None:
        """Take what is to be done."""
        work = Work.model_validate_json(config["work"])
        self._jobs, self._ended, self._evaluating = len(work.jobs), 0, False
        if self.copy is not None:
            self.copy.fetch_records(cell.id for job in work.jobs for cell in job.cells)
        self._reports = run_work(self.folder, work)

    def work(self) -> dict[str, Any]:
        """Go on for a while, until a job has ended, or its first scenario has."""
        assert self._reports is not None
        end = time.monotonic() + REPORT_SECONDS
        for report in self._reports:
            if report.ended == self._jobs:
                return {**report._asdict(), "done": True}
            begun = report.scenarios > 0 and not self._evaluating
            if report.ended > self._ended or begun or time.monotonic() > end:
                self._ended, self._evaluating = report.ended, report.scenarios > 0
                return report._asdict()
        raise RuntimeError("the trial ended before its jobs had")

    def cleanup(self) -> None:
        """Let go of what is trained."""
        if isinstance(self._reports, Generator):
            self._reports.close()
        self._reports = None


def run_sweep(
    folder: StudyFolder,
    plan: Plan,
    *listeners: Listener,
    tell: Callable[[str], None] | None = None,
    alone: bool = False,
    need: RayWhenNeeded | None = None,
) -> SweepSummary:
    """Run what is missing of the study's grid; needs Ray, unless ``alone``.

    What is on disk already is kept and not repeated. A cell whose worker died for good is
    recorded as failed, never dropped. tell: takes one line on what is trained in cohorts. alone:
    in this process, one trial after the other, with the same numbers. need: begin so, and start
    Ray with this where its workers are sooner done.

    Raises:
        UserError: a cell that asks for more than any node has, or that no cohort can train.
        DiskFull: no room in the result folder.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM.

    After the last three what is finished is on disk and nothing is recorded as failed.
    """
    missing = plan.missing_jobs(folder)
    plan.write(folder)
    if missing:
        base = read_base(folder.base)
        here = alone or need is not None
        room = Room.here(folder.study) if here else Room.of(folder.study)
        works = pack(folder.study, missing, base, room)
        if tell is not None:
            tell(told(works))
        ended: dict[str, int] = {}
        copy = driver_of(folder.root)

        def hear(trial: TrialEvent) -> None:
            for event in events_of(trial, ended):
                if copy is not None and event.kind in ("ended", "died"):
                    copy.bring(folder.root, [cell.id for cell in event.cells])
                if event.kind == "died":
                    for cell in event.cells:
                        _write_failure(folder, plan.certificate, cell, trial.reason)
                for listener in listeners:
                    listener(event)

        if here:
            works = run_here(folder, works, hear, need)
        if works:
            if need is not None:
                need.need()
            # As text: thousands are kept at once, and Tune looks into mappings for its own.
            space = {"work": tune.grid_search([work.model_dump_json() for work in works])}
            run_trials(
                folder, CellTrial, space, hear, name="tune", max_failures=2, search_alg=Listed()
            )
    return summarise(folder, plan)


_work = lru_cache(maxsize=256)(Work.model_validate_json)
"""A trial at work is told of every two seconds, and may have thousands of jobs."""


def events_of(trial: TrialEvent, ended: dict[str, int]) -> list[SweepEvent]:
    """What a trial's event says of its jobs; each is told once that it has ended.

    ended: how many jobs of each trial have been told of, by its id; brought up to date. Jobs end
    in their order, so the first of them; also where a trial has begun again since.
    """
    work = _work(trial.config["work"])
    before = ended.setdefault(trial.trial_id, 0)
    rest = work.jobs[before:]
    if trial.kind == "reported":
        now = max(int(trial.result.get("ended", 0)), before)
        ended[trial.trial_id] = now
        trained = float(trial.result.get("trained", 0.0))
        scenarios = int(trial.result.get("scenarios", 0))
        events = [SweepEvent("trained", work, rest, trained, scenarios)] if rest else []
        return events + ([SweepEvent("ended", work, rest[: now - before])] if now > before else [])
    if trial.kind in ("ended", "died"):
        ended[trial.trial_id] = len(work.jobs)
    return [SweepEvent(trial.kind, work, rest)] if rest else []


def _write_failure(
    folder: StudyFolder, certificate: Certificate, cell: Cell, reason: str | None
) -> None:
    """As ``write_failure``; where even that cannot be written the cell is failed without it."""
    named = f" ({reason})" if reason else ""
    with suppress(OSError):
        error = RuntimeError(f"the worker died before the cell was done{named}")
        write_failure(folder, certificate, cell, error)


def summarise(folder: StudyFolder, plan: Plan) -> SweepSummary:
    """Count the plan's cells; one without any record is recorded as failed."""
    finished = failed = 0
    for cell in plan.cells.values():
        record = folder.read_record(cell.id)
        if record is None:
            _write_failure(folder, plan.certificate, cell, None)
            failed += 1
        elif record["status"] == "finished":
            finished += 1
        else:
            failed += 1
    return SweepSummary(finished + failed, finished, failed, alarm_in(folder.root))
