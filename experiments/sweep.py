"""The sweep: the jobs that are not finished, as Tune trials; records are on disk as they end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """What happened to a job: "started", "ended", "died", or "retried" after its worker was lost.

    reason: why it died, in a word, where that is known.
    """

    kind: str
    job: Job
    reason: str | None = None


class SweepSummary(NamedTuple):
    """Cells of the plan by their state after the sweep."""

    planned: int
    finished: int
    failed: int


Listener = Callable[[SweepEvent], None]

_listeners: list[Listener] = []
"""Outside the callback: Tune pickles callbacks, and a listener may hold locks and handles."""

_interrupted = threading.Event()


class _Announce(tune.Callback):
    """Passes what Tune reports on to the listeners of this process, and Ctrl-C on to Tune."""

    def _tell(self, kind: str, trial: Any, reason: str | None = None) -> None:
        for listener in _listeners:
            listener(SweepEvent(kind, Job.model_validate(trial.config["job"]), reason))

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if _interrupted.is_set():
            raise KeyboardInterrupt

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("started", trial)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("retried", trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("ended", trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_error()
        self._tell("died", trial, type(error).__name__ if error is not None else None)


@contextmanager
def stopping_on_interrupt() -> Iterator[None]:
    """Ctrl-C ends the sweep at Tune's next step (tenths of a second); a second one ends it at once.

    Tune's own handler would let ``fit`` return as if all were done, and cells that were running
    would be taken for failed. A KeyboardInterrupt raised just anywhere can be lost in a callback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    before = signal.getsignal(signal.SIGINT)

    def note(signum: int, frame: Any) -> None:
        _interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    _interrupted.clear()
    disabled = os.environ.get("TUNE_DISABLE_SIGINT_HANDLER")
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _interrupted.clear()
        if disabled is None:
            del os.environ["TUNE_DISABLE_SIGINT_HANDLER"]
        else:
            os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = disabled


def pending_jobs(folder: ResultFolder, certificate: Certificate) -> tuple[list[Job], list[Job]]:
    """All jobs of the plan, and those with a cell that is not finished."""
    jobs = plan_jobs(folder.study, certificate)
    missing = [
        job for job in jobs if not all(is_finished(folder, certificate, cell) for cell in job.cells)
    ]
    return jobs, missing


def write_plan(folder: ResultFolder, certificate: Certificate, jobs: list[Job]) -> None:
    """Write down which cells the study asks for now."""
    study = folder.study
    folder.write_plan(
        [(job.kind, [cell.cell_id(study, certificate) for cell in job.cells]) for job in jobs]
    )


def run_sweep(folder: ResultFolder, certificate: Certificate, *listeners: Listener) -> SweepSummary:
    """Run what is missing of the study's grid; needs Ray.

    What is on disk already is kept and not repeated. A cell whose worker died for good is
    recorded as failed, never dropped.

    Raises:
        UserError: a cell that asks for more than any node has.
        KeyboardInterrupt: Ctrl-C; what is finished is on disk, nothing is recorded as failed.
    """
    jobs, missing = pending_jobs(folder, certificate)
    write_plan(folder, certificate, jobs)
    if missing:
        _require_resources(folder)

        def record_death(event: SweepEvent) -> None:
            if event.kind == "died":
                for cell in event.job.cells:
                    write_failure(folder, certificate, cell, _death(event.reason))

        heard = [record_death, *listeners]
        _listeners.extend(heard)
        try:
            with stopping_on_interrupt():
                _tuner(folder, missing).fit()
        finally:
            for listener in heard:
                _listeners.remove(listener)
    return summarise(folder, certificate, jobs)


def _death(reason: str | None) -> RuntimeError:
    named = f" ({reason})" if reason else ""
    return RuntimeError(f"the worker died before the cell was done{named}")


def summarise(folder: ResultFolder, certificate: Certificate, jobs: list[Job]) -> SweepSummary:
    """Count the plan's cells; one without any record is recorded as failed."""
    finished = failed = 0
    for job in jobs:
        for cell in job.cells:
            record = folder.read_record(cell.cell_id(folder.study, certificate))
            if record is None:
                write_failure(folder, certificate, cell, _death(None))
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
    nodes = {
        node["NodeManagerAddress"]: float(node["Resources"].get("CPU", 0.0))
        for node in ray.nodes()
        if node["Alive"]
    }
    require_room(_bundles(folder), nodes)


def require_room(bundles: list[dict[str, float]], nodes: dict[str, float]) -> None:
    """Refuse bundles that the nodes (CPUs by address) can never hold: Tune would wait for ever.

    Each bundle must lie on one node, and all of a cell's at once on the nodes together.

    Raises:
        UserError: naming the largest node.
    """
    largest = max(nodes, key=lambda address: nodes[address], default=None)
    most = 0.0 if largest is None else nodes[largest]
    remedy = "lower resources.cpus_per_cell or resources.env_runners_per_cell"
    one = max(bundle["CPU"] for bundle in bundles)
    if one > most:
        where = "there is no node" if largest is None else f"the largest node ({largest}) has"
        has = "" if largest is None else f" {most:g}"
        raise UserError(f"a cell asks for {one:g} CPUs on one node, {where}{has}: {remedy}")
    wanted, available = sum(bundle["CPU"] for bundle in bundles), sum(nodes.values())
    if wanted > available:
        raise UserError(
            f"a cell asks for {wanted:g} CPUs, all nodes together have {available:g} "
            f"(the largest, {largest}, {most:g}): {remedy}"
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
