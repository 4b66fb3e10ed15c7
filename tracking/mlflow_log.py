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
from tracking.metrics import cell_metrics
from tracking.mlflow_identity import (
    MAX_PARAM,
    params_of,
    record_digest,
    run_name,
    sweep_id,
    times_of,
)
from tracking.mlflow_store import (
    artifact_folder,
    default_uri,
    describe,
    mask_uri,
    patient_client,
    unreachable,
)
from tracking.records import ResultFolder, read_results

if TYPE_CHECKING:
    from mlflow import MlflowClient

SWEEP_TAG, CELL_TAG = "sport_ray.sweep_id", "sport_ray.cell_id"
RECORD_TAG, NOT_FINITE_TAG = "sport_ray.record_digest", "sport_ray.not_finite"
PARENT_TAG = "mlflow.parentRunId"  # what MLflow's own UI nests by
RUN_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
_PARENT_ARTEFACTS = (
    "certificate.json",
    "study.json",
    "study.yaml",
    "cells.csv",
    "pareto.csv",
    "report.html",
)


@dataclass
class LogSummary:
    """What became of each cell: `logged` now, `already_there`, or `failed` to reach the store."""

    uri: str
    logged: list[str] = field(default_factory=list)
    already_there: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def log_sweep(
    results_dir: str | Path, uri: str | None = None, status: str | None = None
) -> LogSummary:
    """Log all cells of a result folder that the store does not have yet, oldest first.

    `uri`: any MLflow tracking URI; by default the SQLite store beside the results. `status` of the
    parent run: FINISHED, FAILED, KILLED or RUNNING; by default FAILED if a cell failed, else
    FINISHED. Raises UserError if the store does not answer or the results are damaged; a store
    that goes away in between leaves its cells in `failed`, to be logged by another call.
    """
    return log_folder(read_results(results_dir), uri or default_uri(results_dir), status)


def log_folder(folder: ResultFolder, uri: str, status: str | None = None) -> LogSummary:
    """As `log_sweep`, for a folder that was read already and may hold no cell yet."""
    try:
        with patient_client(uri) as client:
            sweep = Sweep.open(client, folder, uri)
            summary = sweep.log_cells(folder)
            if not summary.failed:
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
        self._runs = {
            run.data.tags[CELL_TAG]: run
            for run in _all_runs(client, experiment_id)
            if CELL_TAG in run.data.tags
        }

    @classmethod
    def open(cls, client: MlflowClient, folder: ResultFolder, uri: str) -> Sweep:
        """Find the experiment and the parent run, or create them."""
        experiment_id = _experiment(client, folder.path, uri, folder.name)
        sweep = sweep_id(folder)
        found = [
            run
            for run in _all_runs(client, experiment_id)
            if run.data.tags.get(SWEEP_TAG) == sweep and CELL_TAG not in run.data.tags
        ]
        if found:
            return cls(client, uri, experiment_id, found[0].info.run_id)
        run = client.create_run(experiment_id, tags={SWEEP_TAG: sweep}, run_name=f"sweep {sweep}")
        certificate = folder.certificate or {}
        params = {
            "study": folder.name,
            "base_digest": certificate.get("base_digest"),
            "certificate_digest": certificate.get("digest"),
        }
        for name, value in params.items():
            if value is not None:
                client.log_param(run.info.run_id, name, str(value)[:MAX_PARAM])
        return cls(client, uri, experiment_id, run.info.run_id)

    def log_cells(self, folder: ResultFolder) -> LogSummary:
        """Log what is not there yet, in the order in which it ended."""
        summary = LogSummary(self.uri)
        records = sorted(folder.records, key=lambda r: (r.get("finished_at") or "", r["cell_id"]))
        for record in records:
            cell = record["cell_id"]
            if self._has(record):
                summary.already_there.append(cell)
                continue
            if summary.failed:
                # The store is gone: waiting for it once per cell would take hours, not seconds.
                summary.failed[cell] = "not tried: the store did not answer before"
                continue
            try:
                self.log_cell(record, folder.path / "cells" / cell / "record.json")
                summary.logged.append(cell)
            except Exception as error:  # kept on disk, and named to the caller
                summary.failed[cell] = describe(error, self.uri)
        return summary

    def _has(self, record: dict[str, Any]) -> bool:
        run = self._runs.get(record["cell_id"])
        return run is not None and run.data.tags.get(RECORD_TAG) == record_digest(record)

    def log_cell(self, record: dict[str, Any], file: Path) -> None:
        """Log one cell: a new run, or the run that an earlier or broken attempt left."""
        from mlflow.entities import Metric, Param, RunTag

        if self._has(record):
            return
        cell, started, ended = record["cell_id"], *times_of(record)
        run = self._runs.get(cell)
        if run is None:
            tags = {PARENT_TAG: self.parent_id, CELL_TAG: cell}
            run = self.client.create_run(
                self.experiment_id, start_time=started, tags=tags, run_name=run_name(record)
            )
            self._runs[cell] = run
        run_id = run.info.run_id
        metrics, not_finite = cell_metrics(record)
        tags = {
            NOT_FINITE_TAG: ",".join(not_finite),
            "sport_ray.reason": record.get("reason") or "",
        }
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, ended, 0) for name, value in metrics.items()],
            params=[Param(name, value) for name, value in params_of(record).items()],
            # An empty value only where it replaces one of an earlier attempt.
            tags=[RunTag(n, value) for n, value in tags.items() if value or n in run.data.tags],
        )
        if file.exists():
            self.client.log_artifact(run_id, str(file))
        self.client.set_terminated(run_id, RUN_STATUS[record["status"]], ended)
        # Last: a run without this tag was not completed, and will be.
        self.client.set_tag(run_id, RECORD_TAG, record_digest(record))
        self._runs[cell] = self.client.get_run(run_id)

    def mark_running(self) -> None:
        """Say that the sweep is at work, again where it is a resumed one."""
        self.client.update_run(self.parent_id, "RUNNING")

    def close(self, folder: ResultFolder, status: str | None, changed: bool) -> None:
        """Put certificate, tables and report to the parent run and end it with `status`.

        Without a status: FAILED if a cell failed, else FINISHED; a parent that has ended already
        keeps its status unless cells have changed.
        """
        for name in _PARENT_ARTEFACTS:
            file = folder.path / name
            if file.exists():
                self.client.log_artifact(self.parent_id, str(file))
        statuses = [record["status"] for record in folder.records]
        ended = max((times_of(record)[1] for record in folder.records), default=None)
        for name in ("finished", "failed"):
            count = statuses.count(name)
            self.client.log_metric(self.parent_id, f"cells_{name}", count, ended, step=0)
        running = self.client.get_run(self.parent_id).info.status == "RUNNING"
        if status is None and not running and not changed:
            return
        status = status or ("FAILED" if "failed" in statuses else "FINISHED")
        if status == "RUNNING":
            self.mark_running()
        else:
            self.client.set_terminated(self.parent_id, status, ended)


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
