"""The sweep: the jobs that are not finished, as Tune trials; records are on disk as they end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.exceptions import RayTaskError

from experiments.alarm import alarm_in
from experiments.cells import Cell, Job
from experiments.copies import concurrent_trials
from experiments.disk import DiskFull, is_disk_full, no_room, require_space
from experiments.failures import reason_of
from experiments.jobs import write_failure
from experiments.public import public_study
from experiments.results import ResultFolder, places
from experiments.room import wait_for_room
from experiments.stopping import ask_to_stop, raise_if_asked, stopping_between_steps
from experiments.sweep_plan import Plan
from experiments.trial import DISK_FULL, CellTrial
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
    """Cells of the plan by their state after the sweep.

    refuted: one line, where a cell's evaluation contradicts its promise: nothing is certified then.
    """

    planned: int
    finished: int
    failed: int
    refuted: str | None = None


Listener = Callable[[SweepEvent], None]

_listeners: list[Listener] = []
"""Outside the callback: Tune pickles callbacks, and a listener may hold locks and handles."""


class _Announce(tune.Callback):
    """Passes what Tune reports on to the listeners of this process, and Ctrl-C on to Tune."""

    def _tell(self, kind: str, trial: Any, reason: str | None = None) -> None:
        if kind == "ended" and trial.last_result.get(DISK_FULL):
            return  # the cell was not failed by its study: the sweep is about to stop
        for listener in _listeners:
            listener(SweepEvent(kind, Job.model_validate(trial.config["job"]), reason))

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        raise_if_asked()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if result.get(DISK_FULL):
            ask_to_stop(no_room(Path(trial.config["results"])))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("started", trial)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if not self._stops_on_full_disk(trial):
            self._tell("retried", trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("ended", trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if self._stops_on_full_disk(trial):
            return
        self._tell("died", trial, _why(trial.get_error()))

    def _stops_on_full_disk(self, trial: Any) -> bool:
        """Tune's own writing fails as a trial's error, and would fail the next one as well."""
        try:
            require_space(*places(Path(trial.config["results"])))
        except DiskFull as error:
            ask_to_stop(error)
            return True
        return False


def pending_jobs(folder: ResultFolder, plan: Plan) -> list[Job]:
    """The jobs of the plan with a cell that is not finished."""
    return [job for job in plan.jobs if not all(folder.is_finished(cell.id) for cell in job.cells)]


def run_sweep(folder: ResultFolder, plan: Plan, *listeners: Listener) -> SweepSummary:
    """Run what is missing of the study's grid; needs Ray.

    What is on disk already is kept and not repeated. A cell whose worker died for good is
    recorded as failed, never dropped.

    Raises:
        UserError: a cell that asks for more than any node has.
        DiskFull: no room in the result folder.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM.

    After the last three what is finished is on disk and nothing is recorded as failed.
    """
    missing = pending_jobs(folder, plan)
    folder.write_plan(plan)
    if missing:
        wait_for_room(
            lambda: _require_resources(folder),
            _bundles(folder),
            folder.study.resources.wait_for_nodes_seconds,
        )

        def record_death(event: SweepEvent) -> None:
            if event.kind == "died":
                for cell in event.job.cells:
                    _write_failure(folder, plan.certificate, cell, event.reason)

        heard = [record_death, *listeners]
        _listeners.extend(heard)
        try:
            with stopping_between_steps():
                _tuner(folder, missing).fit()
            raise_if_asked()
        except Exception as error:
            _blame_the_disk(folder, error)
            raise
        finally:
            for listener in heard:
                _listeners.remove(listener)
    return summarise(folder, plan)


def _blame_the_disk(folder: ResultFolder, error: Exception) -> None:
    """On a full disk Tune fails in ways that hide it (an empty file that it cannot read back)."""
    require_space(*places(folder.root))
    if is_disk_full(error):
        raise no_room(folder.root) from None


def _write_failure(
    folder: ResultFolder, certificate: Certificate, cell: Cell, reason: str | None
) -> None:
    """As ``write_failure``; where even that cannot be written the cell is failed without it."""
    with suppress(OSError):
        write_failure(folder, certificate, cell, _death(reason))


def _why(error: BaseException | None) -> str | None:
    """What a trial raised, with its cause; of a process that was lost, in which way."""
    if error is None:
        return None
    return reason_of(error) if isinstance(error, RayTaskError) else type(error).__name__


def _death(reason: str | None) -> RuntimeError:
    named = f" ({reason})" if reason else ""
    return RuntimeError(f"the worker died before the cell was done{named}")


def summarise(folder: ResultFolder, plan: Plan) -> SweepSummary:
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


def _bundles(folder: ResultFolder) -> list[dict[str, float]]:
    resources = folder.study.resources
    runners = [{"CPU": 1.0}] * resources.env_runners_per_cell
    own = {"CPU": float(resources.cpus_per_cell)}
    if resources.gpus_per_cell:  # the learner is in the cell's own process
        own["GPU"] = resources.gpus_per_cell
    return [own, *runners]


def _require_resources(folder: ResultFolder) -> None:
    nodes: dict[str, dict[str, float]] = {}
    for node in ray.nodes():
        if node["Alive"]:
            name = node["NodeManagerAddress"]
            if name in nodes:  # several nodes on one machine have one address
                name += f", node {node['NodeID'][:8]}"
            nodes[name] = node["Resources"]
    cpus, gpus = (
        {address: float(has.get(kind, 0.0)) for address, has in nodes.items()}
        for kind in ("CPU", "GPU")
    )
    require_room(_bundles(folder), cpus, gpus)


def require_room(
    bundles: list[dict[str, float]], nodes: dict[str, float], gpus: dict[str, float] | None = None
) -> None:
    """Refuse bundles that the nodes can never hold: Tune would wait for ever.

    nodes, gpus: CPUs and GPUs by address of the node; without ``gpus`` no node has one.

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
    _require_gpus(bundles, nodes, gpus or {})


def _require_gpus(
    bundles: list[dict[str, float]], cpus: dict[str, float], gpus: dict[str, float]
) -> None:
    """Refuse a bundle for which no node has the GPUs, or not beside as many CPUs."""
    for bundle in bundles:
        wanted = bundle.get("GPU", 0.0)
        with_gpu = [address for address, has in gpus.items() if has >= wanted]
        if not with_gpu and wanted:
            most = max(gpus.values(), default=0.0)
            has = f"the node with most has {most:g}" if most else "no node has one"
            raise UserError(
                f"a cell asks for {wanted:g} GPU on one node, {has}: lower "
                "resources.gpus_per_cell, or start Ray with --num-gpus where it finds none"
            )
        if wanted and not any(cpus[address] >= bundle["CPU"] for address in with_gpu):
            most = max(cpus[address] for address in with_gpu)
            raise UserError(
                f"a cell asks for {wanted:g} GPU and {bundle['CPU']:g} CPUs on one node, the "
                f"nodes with a GPU have at most {most:g} CPUs: lower resources.cpus_per_cell"
            )


def _tuner(folder: ResultFolder, jobs: list[Job]) -> tune.Tuner:
    space = {
        "study": public_study(folder.study),  # Tune writes it down
        "results": str(folder.root),
        "job": tune.grid_search([job.model_dump(mode="json") for job in jobs]),
    }
    return tune.Tuner(
        tune.with_resources(CellTrial, tune.PlacementGroupFactory(_bundles(folder))),
        param_space=space,
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=concurrent_trials(folder.study.environment),
            trial_dirname_creator=lambda trial: f"job-{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder.tune),
            stop={"training_iteration": 1},
            failure_config=tune.FailureConfig(max_failures=2),
            callbacks=[_Announce()],
            verbose=0,
        ),
    )
