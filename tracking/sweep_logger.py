"""Logging to MLflow while a sweep runs, without ever standing in its way.

The sweep's own thread only puts records into a queue; one other thread talks to the store. Where
the store fails, the cell is left for later: its record is on disk, and `finish` or `log_sweep`
send whatever is missing, in order, once.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from tracking.mlflow_log import LogSummary, Sweep, log_folder
from tracking.mlflow_store import (
    check_reachable,
    default_uri,
    describe,
    patient_client,
    unreachable,
)
from tracking.records import read_results, without_nan

DRAIN_SECONDS = 60.0
# After a failure cells are left for later without asking: a dead server takes seconds per question.
RETRY_SECONDS = 60.0


class SweepLogger:
    """`start()` once, `log_cell(record)` per cell, `finish(status)` at the end.

    ``study.json`` and ``certificate.json`` must lie in `results_dir` before `start`, for they
    define the sweep. `pending` holds the cells, by id, that the store did not take, each with the
    reason; the key '*' stands for the sweep as a whole.
    """

    def __init__(self, results_dir: str | Path, uri: str | None = None) -> None:
        self.results_dir = Path(results_dir)
        self.uri = uri or default_uri(results_dir)
        self.pending: dict[str, str] = {}
        self._sweep: Sweep | None = None
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Create store, experiment and parent run, once, and begin to log in the background.

        Raises UserError if the store does not answer: nothing has been run yet, and a wrong
        address is better known now.
        """
        if self._thread is not None:
            raise RuntimeError("SweepLogger.start: already started")
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
        self._thread = threading.Thread(target=self._work, name="mlflow-logger", daemon=True)
        self._thread.start()

    def log_cell(self, record: dict[str, Any]) -> None:
        """Hand over a finished or failed cell whose record is on disk; returns at once."""
        self._queue.put(record)

    def finish(self, status: str | None = None) -> LogSummary | None:
        """Send what is missing, close the parent run with `status` and say what was logged.

        `status`: FINISHED, FAILED or KILLED; by default FAILED if a cell failed, else FINISHED.
        Returns None, and never raises, if the store cannot be reached: `pending` then says which
        cells wait, and `log_sweep` sends them another day.
        """
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(DRAIN_SECONDS)
            if self._thread.is_alive():
                self.pending["*"] = f"the store did not answer within {DRAIN_SECONDS:g} s"
                return None
            self._thread = None
        try:
            folder = read_results(self.results_dir, may_be_empty=True)
            summary = log_folder(folder, self.uri, status)
        except Exception as error:  # the sweep's results are safe; only the log is missing
            self.pending["*"] = describe(error, self.uri)
            return None
        self.pending = dict(summary.failed)
        return summary

    def _work(self) -> None:
        """The logging thread: the only one that writes while the sweep runs."""
        assert self._sweep is not None
        retry_at = 0.0
        while (record := self._queue.get()) is not None:
            cell = str(record.get("cell_id"))
            if time.monotonic() < retry_at:
                self.pending[cell] = "not tried: the store did not answer before"
                continue
            try:
                with patient_client(self.uri):
                    file = self.results_dir / "cells" / cell / "record.json"
                    self._sweep.log_cell(_as_read(record), file)
                self.pending.pop(cell, None)
            except Exception as error:  # remembered: `finish` tries once more
                self.pending[cell] = describe(error, self.uri)
                retry_at = time.monotonic() + RETRY_SECONDS


def _as_read(record: dict[str, Any]) -> dict[str, Any]:
    """The record as it comes back from its file, so that both have the same digest."""
    return without_nan(json.loads(json.dumps(record)))
