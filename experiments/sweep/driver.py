"""The sweep: the jobs that are not finished, as Tune trials; records are on disk as they end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ray import tune

from sport_ray.certificates import Certificate
from sport_ray.experiments.results.alarm import alarm_in
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.record_writer import write_failure
from sport_ray.experiments.sweep.trials import Kind, StudyTrial, TrialEvent, run_trials


class SweepSummary(NamedTuple):
    """Cells of the plan by their state after the sweep.

    refuted: one line, where a cell's evaluation contradicts its promise: nothing is certified then.
    """

    planned: int
    finished: int
    failed: int
    refuted: str | None = None


Listener = Callable[[Kind, Job], None]
"""Hears what happened to a job."""


class CellTrial(StudyTrial):
    """Runs a job in one step and reports two counts; its records are on disk by then."""

    def take(self, config: dict[str, Any]) -> None:
        """Take a job."""
        self.job = Job.model_validate(config["job"])

    def work(self) -> dict[str, Any]:
        """Run the job."""
        return {**run_job(self.folder, self.job), "done": True}


def run_sweep(folder: StudyFolder, plan: Plan, *listeners: Listener) -> SweepSummary:
    """Run what is missing of the study's grid; needs Ray.

    What is on disk already is kept and not repeated. A cell whose worker died for good is
    recorded as failed, never dropped.

    Raises:
        UserError: a cell that asks for more than any node has.
        DiskFull: no room in the result folder.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM.

    After the last three what is finished is on disk and nothing is recorded as failed.
    """
    missing = plan.missing_jobs(folder)
    plan.write(folder)
    if missing:

        def hear(trial: TrialEvent) -> None:
            job = Job.model_validate(trial.config["job"])
            if trial.kind == "died":
                for cell in job.cells:
                    _write_failure(folder, plan.certificate, cell, trial.reason)
            for listener in listeners:
                listener(trial.kind, job)

        space = {"job": tune.grid_search([job.model_dump(mode="json") for job in missing])}
        run_trials(folder, CellTrial, space, hear, name="tune", max_failures=2)
    return summarise(folder, plan)


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
