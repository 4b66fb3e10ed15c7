"""Logging a study to MLflow: one experiment, a parent run per sweep, a child run per cell.

Every run is found again by a tag (the sweep's and the cell's content hash), and carries the digest
of the record it shows: logging twice adds nothing, a broken attempt is completed, and a cell that
failed and was run again is brought up to date in its own run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.artefacts import POLICY_TAG, Policies, send_sweep_files
from sport_ray.tracking.mlflow.client import (
    artifact_folder,
    asking_once,
    default_uri,
    describe,
    is_refusal,
    mask_uri,
    patient_client,
    store_uri,
    unreachable,
)
from sport_ray.tracking.mlflow.identity import (
    is_incomplete,
    params_of,
    record_digest,
    run_name,
    sweep_id,
    sweep_params,
    times_of,
)
from sport_ray.tracking.mlflow.lock import LoggingLock
from sport_ray.tracking.mlflow.metrics import cell_metrics, vacuous_bounds
from sport_ray.tracking.mlflow.note import answer_text, write_note
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.refutation import find_refutations, headline

if TYPE_CHECKING:
    from mlflow import MlflowClient

SWEEP_TAG, CELL_TAG = "sport_ray.sweep_id", "sport_ray.cell_id"
RECORD_TAG = "sport_ray.record_digest"
REFUTED_TAG, REFUTATION_TAG = "sport_ray.refuted", "sport_ray.refutation"
SOURCE_TAG = "sport_ray.source"
NOT_FINITE_TAG, VACUOUS_TAG = "sport_ray.not_finite", "sport_ray.vacuous"
PARENT_TAG = "mlflow.parentRunId"  # what MLflow's own UI nests by
RUN_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
_SOURCE = {"mlflow.source.name": "sport-ray", "mlflow.source.type": "LOCAL"}


@dataclass
class LogSummary:
    """What became of each cell: `logged` now, `already_there`, or `failed` to reach the store.

    `uri`: the store's, without user name and password, for it is printed. `away`: the store went
    away, so that what follows in order was not tried; else a cell failed by itself.
    """

    uri: str
    logged: list[str] = field(default_factory=list)
    already_there: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    away: bool = False


def log_sweep(
    results_dir: str | Path, uri: str | None = None, status: str | None = None
) -> LogSummary:
    """Log all cells of a result folder that the store does not have yet, oldest first.

    `uri`: any MLflow tracking URI; by default ``MLFLOW_TRACKING_URI``, else the SQLite store
    beside the results. `status` of the
    parent run: FINISHED, FAILED, KILLED or RUNNING; by default KILLED if cells that were planned
    are missing, FAILED if a cell failed, else FINISHED. Raises UserError if the store does not
    answer, the results are damaged, or another process logs them; a store that goes away in
    between leaves its cells in `failed`, to be logged by another call.
    """
    with LoggingLock(results_dir):
        return log_folder(read_results(results_dir), store_uri(uri, results_dir), status)


def log_folder(folder: Results, uri: str, status: str | None = None) -> LogSummary:
    """As `log_sweep`, for whoever holds the lock, a folder that may hold no cell yet."""
    try:
        with patient_client(uri) as client:
            sweep = Sweep.open(client, folder, uri)
            summary = sweep.log_cells(folder)
            if not summary.away:
                sweep.close(folder, status, changed=bool(summary.logged))
    except UserError:
        raise
    except Exception as error:  # whatever the store's libraries raise, it did not take the results
        raise unreachable(uri, folder.path, error) from None
    return summary


class Sweep:
    """An open parent run and the index of the cell runs that exist already."""

    def __init__(self, client: MlflowClient, uri: str, experiment_id: str, parent_id: str) -> None:
        self.client = client
        self.uri = uri
        self.experiment_id = experiment_id
        self.parent_id = parent_id
        self._policies = Policies(client, parent_id)
        self._runs = self._index()

    def _index(self) -> dict[str, Any]:
        """The run of each cell; where a lost answer led to two, the whole or older one is kept.

        The other is deleted, as MLflow deletes: it can be restored.
        """
        kept: dict[str, Any] = {}
        runs = [run for run in _all_runs(self.client, self.experiment_id) if _cell_of(run)]
        for run in sorted(runs, key=_precedence):
            if kept.setdefault(run.data.tags[CELL_TAG], run) is not run:
                self.client.delete_run(run.info.run_id)
        return kept

    @classmethod
    def open(cls, client: MlflowClient, folder: Results, uri: str) -> Sweep:
        """Find the experiment and the parent run, or create them."""
        from mlflow.entities import Param

        experiment_id = _experiment(client, folder.path, uri, folder.name)
        sweep = sweep_id(folder)
        runs = _all_runs(client, experiment_id)
        found = [run for run in runs if run.data.tags.get(SWEEP_TAG) == sweep and not _cell_of(run)]
        found.sort(key=_precedence)
        doubles = {double.info.run_id for double in found[1:]}
        for run in runs:  # no cell stays behind below a parent that is no longer shown
            if run.data.tags.get(PARENT_TAG) in doubles:
                client.set_tag(run.info.run_id, PARENT_TAG, found[0].info.run_id)
        for double in doubles:
            client.delete_run(double)
        if found:
            run = found[0]
        else:
            began = min((times_of(record)[0] for record in folder.records), default=None)
            tags = {SWEEP_TAG: sweep, **_SOURCE}
            with asking_once():
                run = client.create_run(experiment_id, began, tags, run_name=f"sweep {sweep}")
        run_id = run.info.run_id
        params = [
            Param(name, value)
            for name, value in sweep_params(folder).items()
            if name not in run.data.params
        ]
        if params:
            client.log_batch(run_id, params=params)
        if not found:  # what its cells rest on, should the sweep never get to its end
            send_sweep_files(client, run, folder.path)
        return cls(client, uri, experiment_id, run_id)

    def log_cells(self, folder: Results) -> LogSummary:
        """Log what is not there yet, in the order in which it ended."""
        summary = LogSummary(mask_uri(self.uri))
        records = sorted(folder.records, key=lambda r: (r.get("finished_at") or "", r["cell_id"]))
        for record in records:
            cell = record["cell_id"]
            if self._has(record):
                summary.already_there.append(cell)
                continue
            if summary.away:
                # The store is gone: waiting for it once per cell would take hours, not seconds.
                summary.failed[cell] = "not tried: the store did not answer before"
                continue
            try:
                self.log_cell(record, folder.path)
                summary.logged.append(cell)
            except Exception as error:  # kept on disk, and named to the caller
                summary.failed[cell] = describe(error, self.uri)
                summary.away = not is_refusal(error)
        return summary

    def _has(self, record: dict[str, Any]) -> bool:
        run = self._runs.get(record["cell_id"])
        return run is not None and run.data.tags.get(RECORD_TAG) == record_digest(record)

    def log_cell(self, record: dict[str, Any], results_dir: Path) -> None:
        """Log one cell: a new run, or the run that an earlier or broken attempt left."""
        from mlflow.entities import Metric, Param, RunTag

        if self._has(record):
            return
        cell, started, ended = record["cell_id"], *times_of(record)
        run = self._runs.get(cell)
        if run is None:
            tags = {PARENT_TAG: self.parent_id, CELL_TAG: cell, **_SOURCE}
            with asking_once():
                run = self.client.create_run(
                    self.experiment_id, start_time=started, tags=tags, run_name=run_name(record)
                )
            self._runs[cell] = run
        run_id = run.info.run_id
        file = ResultFolder(results_dir).record(cell)
        if file.exists():
            self.client.log_artifact(run_id, str(file))
        metrics, not_finite = cell_metrics(record)
        tags = {
            NOT_FINITE_TAG: ",".join(not_finite),
            VACUOUS_TAG: ",".join(vacuous_bounds(record)),
            SOURCE_TAG: record["source"],
            POLICY_TAG: self._policies.send(run_id, record, results_dir) or "",
            "sport_ray.reason": record.get("reason") or "",
            "sport_ray.off_policy_refusal": record.get("off_policy_refusal") or "",
        }
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, ended, 0) for name, value in metrics.items()],
            params=[Param(name, value) for name, value in params_of(record).items()],
            # An empty value only where it replaces one of an earlier attempt.
            tags=[RunTag(n, value) for n, value in tags.items() if value or n in run.data.tags],
        )
        self.client.set_terminated(run_id, RUN_STATUS[record["status"]], ended)
        # Last: a run without this tag was not completed, and will be.
        self.client.set_tag(run_id, RECORD_TAG, record_digest(record))
        self._runs[cell] = self.client.get_run(run_id)

    def mark_running(self) -> None:
        """Say that the sweep is at work, again where it is a resumed one."""
        self.client.update_run(self.parent_id, "RUNNING")

    def close(self, folder: Results, status: str | None, changed: bool) -> None:
        """End the parent run with `status`, then put to it what is new of the sweep's files.

        Without a status: KILLED if cells are missing, FAILED if one failed, else FINISHED; a parent
        that has ended already keeps its status unless cells have changed.
        """
        self._runs = self._index()  # what a server did late, after its client had given up
        parent = self.client.get_run(self.parent_id)
        statuses = [record["status"] for record in folder.records]
        ended = max((times_of(record)[1] for record in folder.records), default=None)
        for name in ("finished", "failed"):
            metric, count = f"cells_{name}", statuses.count(name)
            if parent.data.metrics.get(metric) != count:
                self.client.log_metric(self.parent_id, metric, count, ended, step=0)
        if status is None and (changed or parent.info.status == "RUNNING"):
            status = "FAILED" if "failed" in statuses else "FINISHED"
            status = "KILLED" if is_incomplete(folder) else status
        # Before the files, for who is interrupted has few seconds left.
        if status == "RUNNING":
            self.mark_running()
        elif status is not None:
            ended = None if ended is None else max(ended, parent.info.start_time)
            self.client.set_terminated(self.parent_id, status, ended)
        self._mark_refuted(folder, parent)
        send_sweep_files(self.client, parent, folder.path)
        write_note(self.client, parent, folder, answer_text(folder))

    def _mark_refuted(self, folder: Results, parent: Any) -> None:
        """Tag the cells whose evaluation refutes their promise, and the sweep with them."""
        found = find_refutations(folder.records, folder.planned)
        refuted = {one.cell_id: one.text for one in found}
        runs = [(parent, headline(found) if found else None)]
        runs += [(run, refuted.get(cell)) for cell, run in self._runs.items()]
        for run, text in runs:
            wanted = {} if text is None else {REFUTED_TAG: "true", REFUTATION_TAG: text}
            for name in (REFUTED_TAG, REFUTATION_TAG):
                if name in wanted and run.data.tags.get(name) != wanted[name]:
                    self.client.set_tag(run.info.run_id, name, wanted[name])
                elif name not in wanted and name in run.data.tags:  # of an earlier evaluation
                    self.client.delete_tag(run.info.run_id, name)


def _cell_of(run: Any) -> str | None:
    return run.data.tags.get(CELL_TAG)


def _precedence(run: Any) -> tuple[bool, int, str]:
    """Runs that were completed first, then older ones."""
    return RECORD_TAG not in run.data.tags, run.info.start_time or 0, run.info.run_id


def _experiment(client: MlflowClient, results_dir: Path, uri: str, study: str) -> str:
    artefacts = artifact_folder(results_dir, uri)
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        return client.create_experiment(study, artifact_location=artefacts)
    if experiment.lifecycle_stage != "active":
        raise UserError(
            f"MLflow experiment {study!r} at {mask_uri(uri)} is deleted: restore it with "
            f"`mlflow experiments restore -x {experiment.experiment_id}` or rename the study"
        )
    if uri == default_uri(results_dir) and experiment.artifact_location != artefacts:
        raise UserError(
            f"{results_dir} was moved: its mlflow.db keeps artefacts in "
            f"{urlsplit(experiment.artifact_location).path}; delete mlflow.db to log it anew"
        )
    return experiment.experiment_id


def _all_runs(client: MlflowClient, experiment_id: str) -> list[Any]:
    runs: list[Any] = []
    token: str | None = None
    while True:
        page = client.search_runs([experiment_id], max_results=500, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs
