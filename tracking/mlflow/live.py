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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.client import (
    DATABASE,
    StoreUnreachable,
    answering,
    check_reachable,
    default_uri,
    describe,
    patient_client,
    store_uri,
)
from sport_ray.tracking.mlflow.log import NOT_TRIED, LogSummary, Sweep, hold_logging, log_folder
from sport_ray.tracking.results.records import read_results, without_nan

# At the end of a sweep: the longest without one cell taken, before what is left is left.
DRAIN_SECONDS, SLICE_SECONDS = 60.0, 1.0
# At the end of a sweep: how long to wait for a store that is away, and how often to ask.
PATIENCE_SECONDS, PAUSE_SECONDS = 60.0, 5.0
# After a failure cells are left for later without asking: a dead server takes seconds per question.
RETRY_SECONDS = 60.0
WHOLE = "*"
NOT_YET = "not sent yet"


class SweepLogger:
    """`start()` once, `log_cell(record)` per cell, `finish(status)` at the end.

    ``study.json`` and ``certificate.json`` must lie in `results_dir` before `start`, for they
    define the sweep. `pending` holds the cells, by id, that the store has not taken, each with the
    reason; the key WHOLE stands for the sweep as a whole. `patience`: seconds that `finish` waits
    for a store that does not answer.
    """

    def __init__(
        self, results_dir: str | Path, uri: str | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.results_dir = Path(results_dir)
        self.uri = store_uri(uri, results_dir)
        self.patience = patience
        self.pending: dict[str, str] = {}
        self._queue: queue.Queue[str | None] = queue.Queue()  # as text: thousands may wait
        self._moves = 0  # how often a cell was tried
        self._thread: threading.Thread | None = None
        self._lock: FileLock | None = None

    def start(self, *, put_off: bool = False) -> None:
        """Create store, experiment and parent run, once, and begin to log in the background.

        put_off: a store of the folder's own that is still to be made is made with the first cell.
        That takes seconds, in which cells could begin, and there is no wrong address to be known.

        Raises UserError if the store does not answer: nothing has been run yet, and a wrong
        address is better known now. So it does if another process logs the folder for long.
        """
        if self._thread is not None:
            raise RuntimeError("SweepLogger.start: already started")
        self._lock = hold_logging(self.results_dir)
        sweep: Sweep | None = None
        try:
            if not (put_off and self._store_is_to_be_made()):
                check_reachable(self.uri, self.results_dir)
                sweep = self._open()
        except BaseException:
            self._lock.release()
            raise
        self._thread = threading.Thread(
            target=self._work, args=(sweep,), name="mlflow-logger", daemon=True
        )
        self._thread.start()

    def _store_is_to_be_made(self) -> bool:
        own = default_uri(self.results_dir)
        return self.uri == own and not (self.results_dir / DATABASE).exists()

    def _open(self) -> Sweep:
        """Experiment and parent run, found or made; the sweep is at work.

        Raises:
            UserError: a store that does not answer.
        """
        with answering(self.uri, self.results_dir) as client:
            folder = read_results(self.results_dir, may_be_empty=True)
            sweep = Sweep.open(client, folder, self.uri)
            sweep.mark_running()
        return sweep

    def log_cell(self, record: dict[str, Any]) -> None:
        """Hand over a finished or failed cell whose record is on disk; returns at once."""
        self.pending[record["cell_id"]] = NOT_YET
        self._queue.put(json.dumps(record))

    @property
    def behind(self) -> int:
        """Cells that the store does not have yet: a small cell ends sooner than its log."""
        return len(self.pending) - (WHOLE in self.pending)

    def _tried(self, cell: str, reason: str | None) -> None:
        self._moves += 1
        if reason is None:
            self.pending.pop(cell, None)
        else:
            self.pending[cell] = reason

    def finish(
        self,
        status: str | None = None,
        within: float | None = None,
        tell: Callable[[int], None] | None = None,
    ) -> LogSummary | None:
        """Send what is missing, close the parent run with `status` and say what was logged.

        `status`: FINISHED, FAILED or KILLED; by default FAILED if a cell failed, else FINISHED.
        `within`: seconds after which to give up, for somebody who has pressed Ctrl-C. `tell`: hears
        now and then how many cells are behind.
        Returns None, and never raises, if the store cannot be reached: `pending` then says which
        cells wait, and `log_sweep` sends them another day.
        """
        found: list[LogSummary | None] = []
        if within is not None and self._store_is_to_be_made():
            self._queue.put(None)
            self._release()
            self.pending[WHOLE] = "no cell was logged yet"
            return None
        patience = self.patience if within is None else 0.0
        ending = threading.Thread(
            target=lambda: found.append(self._finish(status, patience, tell)), daemon=True
        )
        ending.start()
        ending.join(within)
        if not found:
            self.pending[WHOLE] = f"the store did not answer within {within} s"
            return None
        return found[0]

    def _finish(
        self, status: str | None, patience: float, tell: Callable[[int], None] | None
    ) -> LogSummary | None:
        """Tries again until so many seconds have passed: a server that restarts is soon back."""
        if self._thread is not None:
            if not self._drain(self._thread, tell):
                self.pending[WHOLE] = f"the store did not answer within {DRAIN_SECONDS:g} s"
                return None
            self._thread = None
        end = time.monotonic() + patience
        while True:
            summary, away = self._send_all(status, tell)
            if not away or time.monotonic() + PAUSE_SECONDS >= end:
                self._release()
                return summary
            time.sleep(PAUSE_SECONDS)

    def _drain(self, thread: threading.Thread, tell: Callable[[int], None] | None) -> bool:
        """Wait for the thread for as long as it goes on, cell by cell; whether it has ended."""
        moves, end = self._moves, time.monotonic() + DRAIN_SECONDS
        self._queue.put(None)
        while thread.is_alive():
            if self._moves > moves:
                moves, end = self._moves, time.monotonic() + DRAIN_SECONDS
            elif time.monotonic() > end:
                return False
            self._say(tell)
            thread.join(SLICE_SECONDS)
        return True

    def _say(self, tell: Callable[[int], None] | None) -> None:
        """How many are behind; a console that is closed is no reason to send nothing."""
        if tell is not None:
            with suppress(Exception):
                tell(self.behind)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _send_all(
        self, status: str | None, tell: Callable[[int], None] | None
    ) -> tuple[LogSummary | None, bool]:
        """What `log_folder` says, and whether the store is away."""

        def tried(cell: str, reason: str | None) -> None:
            self._tried(cell, reason)
            self._say(tell)

        try:
            folder = read_results(self.results_dir, may_be_empty=True)
            summary = log_folder(folder, self.uri, status, tried)
        except Exception as error:  # the sweep's results are safe; only the log is missing
            self.pending[WHOLE] = describe(error, self.uri)
            return None, isinstance(error, StoreUnreachable)
        self.pending = dict(summary.failed)
        return summary, summary.away

    def _work(self, sweep: Sweep | None) -> None:
        """The logging thread: the only one that writes while the sweep runs.

        Cells go in the order in which they came: after a failure those that come wait behind it.
        """
        waiting: dict[str, dict[str, Any]] = {}
        retry_at = 0.0
        while True:
            pause = max(retry_at - time.monotonic(), 0.0) if waiting else None
            try:
                text = self._queue.get(timeout=pause)
                if text is None:
                    return
                record = without_nan(json.loads(text))  # as from its file: of the same digest
                waiting[record["cell_id"]] = record
                if time.monotonic() < retry_at:
                    self.pending[record["cell_id"]] = NOT_TRIED
            except queue.Empty:
                pass  # time to try again
            if time.monotonic() < retry_at:
                continue
            try:
                sweep = sweep or self._open()
            except UserError as error:
                self.pending.update(dict.fromkeys(waiting, describe(error, self.uri)))
                retry_at = time.monotonic() + RETRY_SECONDS
                continue
            with patient_client(self.uri):
                summary = sweep.log_cells(waiting.values(), self.results_dir, self._tried)
            waiting = {cell: waiting[cell] for cell in summary.failed if summary.away}
            retry_at = time.monotonic() + RETRY_SECONDS if waiting else 0.0
