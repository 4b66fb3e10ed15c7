"""The sweep: the jobs that are not finished, as Tune trials; records are on disk as they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import ray
from ray import tune

from experiments.cells import Job, plan_jobs
from experiments.jobs import is_finished, write_failure
from experiments.results import ResultFolder
from experiments.trial import CellTrial
from sport_ray.certificates import Certificate
from sport_ray.errors import UserError


class SweepEvent(NamedTuple):
    """What happened to a job: "started", "ended" or "died"."""

    kind: str
    job: Job


class SweepSummary(NamedTuple):
    """Cells of the plan by their state after the sweep."""

    planned: int
    finished: int
    failed: int


Listener = Callable[[SweepEvent], None]

_listeners: list[Listener] = []
"""Outside the callback: Tune pickles callbacks, and a listener may hold locks and handles."""


class _Announce(tune.Callback):
    """Passes what Tune reports on to the listeners of this process."""

    def _tell(self, kind: str, trial: Any) -> None:
        for listener in _listeners:
            listener(SweepEvent(kind, Job.model_validate(trial.config["job"])))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("started", trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("ended", trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("died", trial)


def pending_jobs(folder: ResultFolder, certificate: Certificate) -> tuple[list[Job], list[Job]]:
    """All jobs of the plan, and those with a cell that is not finished."""
    jobs = plan_jobs(folder.study, certificate)
    folder.write_plan(
        [cell.cell_id(folder.study, certificate) for job in jobs for cell in job.cells]
    )
    missing = [
        job for job in jobs if not all(is_finished(folder, certificate, cell) for cell in job.cells)
    ]
    return jobs, missing


def run_sweep(
    folder: ResultFolder, certificate: Certificate, listener: Listener | None = None
) -> SweepSummary:
    """Run what is missing of the study's grid; needs Ray.

    What is on disk already is kept and not repeated. A cell whose worker died for good is
    recorded as failed, never dropped.

    Raises:
        UserError: a cell that asks for more than any node has.
    """
    jobs, missing = pending_jobs(folder, certificate)
    if missing:
        _require_resources(folder)
        if listener is not None:
            _listeners.append(listener)
        try:
            _tuner(folder, missing).fit()
        finally:
            if listener is not None:
                _listeners.remove(listener)
    return summarise(folder, certificate, jobs)


def summarise(folder: ResultFolder, certificate: Certificate, jobs: list[Job]) -> SweepSummary:
    """Count the plan's cells; one without any record is recorded as failed."""
    finished = failed = 0
    for job in jobs:
        for cell in job.cells:
            record = folder.read_record(cell.cell_id(folder.study, certificate))
            if record is None:
                error = RuntimeError("the worker died before the cell was done")
                write_failure(folder, certificate, cell, error)
                failed += 1
            elif record["status"] == "finished":
                finished += 1
            else:
                failed += 1
    return SweepSummary(finished + failed, finished, failed)


def _bundles(folder: ResultFolder) -> list[dict[str, float]]:
    resources = folder.study.resources
    runners = [{"CPU": 1.0}] * resources.env_runners_per_cell
    return [{"CPU": float(resources.cpus_per_cell)}, *runners]


def _require_resources(folder: ResultFolder) -> None:
    wanted = sum(bundle["CPU"] for bundle in _bundles(folder))
    available = ray.cluster_resources().get("CPU", 0.0)
    if wanted > available:
        raise UserError(
            f"a cell asks for {wanted:g} CPUs, all nodes together have {available:g}: lower "
            "resources.cpus_per_cell or resources.env_runners_per_cell"
        )


def _tuner(folder: ResultFolder, jobs: list[Job]) -> tune.Tuner:
    space = {
        "study": folder.study.model_dump(mode="json"),
        "results": str(folder.root),
        "job": tune.grid_search([job.model_dump(mode="json") for job in jobs]),
    }
    return tune.Tuner(
        tune.with_resources(CellTrial, tune.PlacementGroupFactory(_bundles(folder))),
        param_space=space,
        tune_config=tune.TuneConfig(
            reuse_actors=True, trial_dirname_creator=lambda trial: f"job-{trial.trial_id}"
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder.root / ".tune"),
            stop={"training_iteration": 1},
            failure_config=tune.FailureConfig(max_failures=2),
            callbacks=[_Announce()],
            verbose=0,
        ),
    )
