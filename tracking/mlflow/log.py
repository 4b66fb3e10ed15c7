"""Logging a study to MLflow: one experiment, a parent run per sweep, a child run per cell.

Every run is found again by a tag (the sweep's and the cell's content hash), and carries the digest
of the record it shows: logging twice adds nothing, a broken attempt is completed, and a cell that
failed and was run again is brought up to date in its own run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.artefacts import POLICY_TAG, Policies, send_sweep_files
from sport_ray.tracking.mlflow.cells import CellRuns
from sport_ray.tracking.mlflow.client import answering, asking_once, describe, is_refusal, store_uri
from sport_ray.tracking.mlflow.finding import finding_of, tell
from sport_ray.tracking.mlflow.histories import histories
from sport_ray.tracking.mlflow.identity import (
    record_digest,
    sweep_id,
    sweep_params,
    times_of,
)
from sport_ray.tracking.mlflow.metrics import cell_metrics, vacuous_bounds
from sport_ray.tracking.mlflow.note import write_note
from sport_ray.tracking.mlflow.refuted import mark_refuted
from sport_ray.tracking.mlflow.runs import (
    CELL_TAG,
    PARENT_TAG,
    RECORD_TAG,
    SWEEP_TAG,
    find_runs,
    open_experiment,
    with_tags_only,
)
from sport_ray.tracking.mlflow.uploads import Uploads
from sport_ray.tracking.mlflow.uris import mask_uri
from sport_ray.tracking.results.curves import Curves, read_curves
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import Results, read_results

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SOURCE_TAG = "sport_ray.source"
NOT_FINITE_TAG, VACUOUS_TAG = "sport_ray.not_finite", "sport_ray.vacuous"
LOCK, WAIT_SECONDS = ".mlflow.lock", 30.0
NOT_TRIED = "not tried: the store did not answer before"
RUN_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
_SOURCE = {"mlflow.source.name": "sport-ray", "mlflow.source.type": "LOCAL"}


Tried = Callable[[str, str | None], None]
"""Takes a cell that was tried, and why the store did not take it: None where it has it."""


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

    @property
    def text(self) -> str:
        """In one line: '14 runs logged, 2 there already'."""
        parts = [f"{len(self.logged)} runs logged", f"{len(self.already_there)} there already"]
        if self.failed:
            parts.append(f"{len(self.failed)} not taken ({next(iter(self.failed.values()))})")
        return ", ".join(parts)


def log_sweep(
    results_dir: str | Path, uri: str | None = None, status: str | None = None
) -> LogSummary:
    """Log all cells of a result folder that the store does not have yet, oldest first.

    `uri`: any MLflow tracking URI; by default ``MLFLOW_TRACKING_URI``, else the SQLite store
    beside the results. `status` of the parent run: FINISHED, FAILED, KILLED or RUNNING; by default
    KILLED if cells that were planned are missing, FAILED if a cell failed, else FINISHED. Raises
    UserError if the store does not answer, the results are damaged, or another process logs them;
    a store that goes away in between leaves its cells in `failed`, to be logged by another call.
    """
    lock = hold_logging(results_dir)
    try:
        return log_folder(read_results(results_dir), store_uri(uri, results_dir), status)
    finally:
        lock.release()


def hold_logging(results_dir: str | Path, wait: float = WAIT_SECONDS) -> FileLock:
    """The lock of whoever logs a folder, taken: two that look at once make every run twice.

    Where none can be had (a folder that is read only, a share without locks) two may log at once:
    of two runs of a cell one is then kept.

    Raises:
        UserError: another process had it for `wait` seconds.
    """
    lock = FileLock(Path(results_dir) / LOCK, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise UserError(
            f"another process is logging {results_dir} to MLflow: wait until it has ended "
            "(a sweep at work sends its cells itself)"
        ) from None
    except OSError:
        pass
    return lock


def log_folder(
    folder: Results, uri: str, status: str | None = None, tried: Tried | None = None
) -> LogSummary:
    """As `log_sweep`, for whoever holds the lock, a folder that may hold no cell yet."""
    with answering(uri, folder.path) as client:
        sweep = Sweep.open(client, folder, uri)
        summary = sweep.log_cells(folder.records, folder.path, tried)
        if not summary.away:
            sweep.close(folder, status, changed=bool(summary.logged))
    return summary


class Sweep:
    """An open parent run and the index of the cell runs that exist already."""

    def __init__(
        self,
        client: MlflowClient,
        uploads: Uploads,
        uri: str,
        parent: Run,
        cells: dict[str, Run],
        about: CellRuns,
    ) -> None:
        self.client = client
        self.uploads = uploads
        self.uri = uri
        self.experiment_id = parent.info.experiment_id
        self.parent_id = parent.info.run_id
        self._policies = Policies(uploads, self.parent_id)
        self._runs = cells
        self._about = about

    @classmethod
    def open(cls, client: MlflowClient, folder: Results, uri: str) -> Sweep:
        """Find the experiment and the parent run, or create them."""
        from mlflow.entities import Param

        experiment_id, uploads = open_experiment(client, folder.path, uri, folder.name)
        sweeps, cells = find_runs(client, experiment_id)
        sweep = sweep_id(folder)
        run = sweeps.get(sweep)
        if run is None:
            began = min((times_of(record)[0] for record in folder.records), default=None)
            tags = {SWEEP_TAG: sweep, **_SOURCE}
            with asking_once():
                run = client.create_run(experiment_id, began, tags, run_name=folder.name)
        wanted = sweep_params(folder).items() - run.data.params.items()
        if wanted:
            params = [Param(name, value) for name, value in sorted(wanted)]
            client.log_batch(run.info.run_id, params=params)
        if sweep not in sweeps:  # what its cells rest on, should the sweep never get to its end
            send_sweep_files(client, uploads, run, folder.path)
        return cls(client, uploads, uri, run, cells, CellRuns.of(folder))

    def log_cells(
        self,
        records: Iterable[dict[str, Any]],
        results_dir: Path,
        tried: Tried | None = None,
    ) -> LogSummary:
        """Log what is not there yet, in the order in which it ended; tried: hears of each."""
        summary = LogSummary(mask_uri(self.uri))
        for record in sorted(records, key=lambda r: (r["finished_at"] or "", r["cell_id"])):
            cell = record["cell_id"]
            if self._has(record):
                summary.already_there.append(cell)
            elif summary.away:
                # The store is gone: waiting for it once per cell would take hours, not seconds.
                summary.failed[cell] = NOT_TRIED
            else:
                try:
                    self.log_cell(record, results_dir)
                    summary.logged.append(cell)
                except Exception as error:  # kept on disk, and named to the caller
                    summary.failed[cell] = describe(error, self.uri)
                    summary.away = not is_refusal(error)
            if tried is not None:
                tried(cell, summary.failed.get(cell))
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
                    self.experiment_id,
                    start_time=started,
                    tags=tags,
                    run_name=self._about.name(record),
                )
            self._runs[cell] = run
        run_id = run.info.run_id
        files = ResultFolder(results_dir)
        for file in (files.record(cell), files.training(cell)):
            if file.exists():
                self.uploads.file(run_id, file)
        curves, damaged = _curves(files, cell)
        if curves is not None and len(curves):
            self.client.log_batch(run_id, metrics=histories(curves, started, ended))
        metrics, not_finite = cell_metrics(record)
        tags = {
            NOT_FINITE_TAG: ",".join(not_finite),
            VACUOUS_TAG: ",".join(vacuous_bounds(record)),
            SOURCE_TAG: record["source"],
            POLICY_TAG: self._policies.send(run_id, record, results_dir) or "",
            "sport_ray.curves": damaged,
            "sport_ray.reason": record.get("reason") or "",
            "sport_ray.off_policy_refusal": record.get("off_policy_refusal") or "",
        }
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, ended, 0) for name, value in metrics.items()],
            params=[Param(name, value) for name, value in self._about.params(record).items()],
            # An empty value only where it replaces one of an earlier attempt.
            tags=[RunTag(n, value) for n, value in tags.items() if value or n in run.data.tags],
        )
        self.client.set_terminated(run_id, RUN_STATUS[record["status"]], ended)
        # Last: a run without this tag was not completed, and will be.
        digest = record_digest(record)
        self.client.set_tag(run_id, RECORD_TAG, digest)
        self._runs[cell] = with_tags_only(run, run.data.tags | tags | {RECORD_TAG: digest})

    def mark_running(self) -> None:
        """Say that the sweep is at work, again where it is a resumed one."""
        self.client.update_run(self.parent_id, "RUNNING")

    def close(self, folder: Results, status: str | None, changed: bool) -> None:
        """End the parent run with `status`, then put to it what is new of the sweep's files.

        Without a status: KILLED if cells are missing, FAILED if one failed, else FINISHED; a parent
        that has ended already keeps its status unless cells have changed.
        """
        # What a server did late, after its client had given up.
        sweeps, self._runs = find_runs(self.client, self.experiment_id)
        parent = sweeps[sweep_id(folder)]
        statuses = [record["status"] for record in folder.records]
        ended = max((times_of(record)[1] for record in folder.records), default=None)
        if status is None and (changed or parent.info.status == "RUNNING"):
            status = "FAILED" if "failed" in statuses else "FINISHED"
            # A cell whose record cannot be read is run again, like one that has none.
            status = "KILLED" if folder.missing or folder.unreadable else status
        # Before the files, for who is interrupted has few seconds left.
        if status == "RUNNING":
            self.mark_running()
        elif status is not None:
            ended = None if ended is None else max(ended, parent.info.start_time)
            self.client.set_terminated(self.parent_id, status, ended)
        here = {record["cell_id"] for record in (*folder.records, *folder.left_out)}
        ours = {cell: run for cell, run in self._runs.items() if cell in here}
        mark_refuted(self.client, folder.refutations, parent, ours)
        send_sweep_files(self.client, self.uploads, parent, folder.path)
        found = finding_of(folder)
        tell(self.client, parent, found)
        write_note(self.client, parent, folder, found.text)


def _curves(files: ResultFolder, cell: str) -> tuple[Curves | None, str]:
    """A cell's learning curves, if it has any; and why there are none, of a damaged file."""
    try:
        return read_curves(files, cell), ""
    except UserError:
        return None, "damaged when the cell was logged"
