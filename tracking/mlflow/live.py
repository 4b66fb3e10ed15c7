"""Logging to MLflow while a sweep runs, without ever standing in its way.

The sweep's own thread only puts records into a queue; one other thread talks to the store. Where
the store fails, the cell is left for later: its record is on disk, and `finish` or `log_sweep`
send whatever is missing, in order, once.
"""

from __future__ import annotations

import collections
import json
import queue
import threading
import time
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.client import (
    StoreUnreachable,
    check_reachable,
    describe,
    is_refusal,
    patient_client,
    store_uri,
    unreachable,
)
from sport_ray.tracking.mlflow.lock import LoggingLock
from sport_ray.tracking.mlflow.log import LogSummary, Sweep, log_folder
from sport_ray.tracking.results.records import read_results, without_nan

DRAIN_SECONDS = 60.0
# At the end of a sweep: how long to wait for a store that is away, and how often to ask.
PATIENCE_SECONDS, PAUSE_SECONDS = 60.0, 5.0
# After a failure cells are left for later without asking: a dead server takes seconds per question.
RETRY_SECONDS = 60.0


class SweepLogger:
    """`start()` once, `log_cell(record)` per cell, `finish(status)` at the end.

    ``study.json`` and ``certificate.json`` must lie in `results_dir` before `start`, for they
    define the sweep. `pending` holds the cells, by id, that the store did not take, each with the
    reason; the key '*' stands for the sweep as a whole. `patience`: seconds that `finish` waits
    for a store that does not answer.
    """

    def __init__(
        self,
        results_dir: str | Path,
        uri: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.results_dir = Path(results_dir)
        self.uri = store_uri(uri, results_dir)
        self.patience = patience
        self.pending: dict[str, str] = {}
        self._away = False
        self._sweep: Sweep | None = None
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = LoggingLock(results_dir)

    def start(self) -> None:
        """Create store, experiment and parent run, once, and begin to log in the background.

        Raises UserError if the store does not answer: nothing has been run yet, and a wrong
        address is better known now. So it does if another process logs the folder for long.
        """
        if self._thread is not None:
            raise RuntimeError("SweepLogger.start: already started")
        self._lock.take()
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        self._thread = threading.Thread(target=self._work, name="mlflow-logger", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        folder = read_results(self.results_dir, may_be_empty=True)
        check_reachable(self.uri, self.results_dir)
        try:
            with patient_client(self.uri) as client:
                self._sweep = Sweep.open(client, folder, self.uri)
                self._sweep.mark_running()
        except UserError:
            raise
        except Exception as error:
            raise unreachable(self.uri, self.results_dir, error) from None

    def log_cell(self, record: dict[str, Any]) -> None:
        """Hand over a finished or failed cell whose record is on disk; returns at once."""
        self._queue.put(record)

    def finish(self, status: str | None = None, within: float | None = None) -> LogSummary | None:
        """Send what is missing, close the parent run with `status` and say what was logged.

        `status`: FINISHED, FAILED or KILLED; by default FAILED if a cell failed, else FINISHED.
        `within`: seconds after which to give up, for somebody who has pressed Ctrl-C.
        Returns None, and never raises, if the store cannot be reached: `pending` then says which
        cells wait, and `log_sweep` sends them another day.
        """
        if within is None:
            return self._finish(status, self.patience)
        found: list[LogSummary | None] = []
        ending = threading.Thread(
            target=lambda: found.append(self._finish(status, 0.0)), daemon=True
        )
        ending.start()
        ending.join(within)
        if not found:
            self.pending["*"] = f"the store did not answer within {within:g} s"
            return None
        return found[0]

    def _finish(self, status: str | None, patience: float) -> LogSummary | None:
        """Tries again until so many seconds have passed: a server that restarts is soon back."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(DRAIN_SECONDS)
            if self._thread.is_alive():
                self.pending["*"] = f"the store did not answer within {DRAIN_SECONDS:g} s"
                return None
            self._thread = None
        end = time.monotonic() + patience
        while True:
            summary = self._send(status)
            away = self._away if summary is None else summary.away
            if not away or time.monotonic() + PAUSE_SECONDS >= end:
                self._lock.release()
                return summary
            time.sleep(PAUSE_SECONDS)

    def _send(self, status: str | None) -> LogSummary | None:
        self._away = False
        try:
            folder = read_results(self.results_dir, may_be_empty=True)
            summary = log_folder(folder, self.uri, status)
        except Exception as error:  # the sweep's results are safe; only the log is missing
            self._away = isinstance(error, StoreUnreachable)
            self.pending["*"] = describe(error, self.uri)
            return None
        self.pending = dict(summary.failed)
        return summary

    def _work(self) -> None:
        """The logging thread: the only one that writes while the sweep runs.

        Cells go in the order in which they came: after a failure those that come wait behind it.
        """
        waiting: collections.deque[dict[str, Any]] = collections.deque()
        retry_at = 0.0
        while True:
            wait = max(retry_at - time.monotonic(), 0.0) if waiting else None
            try:
                record = self._queue.get(timeout=wait)
                if record is None:
                    return
                waiting.append(record)
            except queue.Empty:
                pass  # time to try again
            while waiting and time.monotonic() >= retry_at:
                if not self._log(waiting[0]):
                    retry_at = time.monotonic() + RETRY_SECONDS
                    break
                waiting.popleft()
            for record in waiting:
                reason = "not tried: the store did not answer before"
                self.pending.setdefault(str(record.get("cell_id")), reason)

    def _log(self, record: dict[str, Any]) -> bool:
        """Log a cell; whether the next one may be tried."""
        assert self._sweep is not None
        cell = str(record.get("cell_id"))
        try:
            with patient_client(self.uri):
                self._sweep.log_cell(_as_read(record), self.results_dir)
        except Exception as error:  # remembered: `finish` tries once more
            self.pending[cell] = describe(error, self.uri)
            return is_refusal(error)
        self.pending.pop(cell, None)
        return True


def _as_read(record: dict[str, Any]) -> dict[str, Any]:
    """The record as it comes back from its file, so that both have the same digest."""
    return without_nan(json.loads(json.dumps(record)))
