"""One process at a time logs a result folder: two that look at once make every run twice.

The kernel lets the lock go however its holder ends. Where a share has no locks two may log at
once: of two runs of a cell `sport_ray.tracking.mlflow.log` then keeps one.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from sport_ray.errors import UserError

LOCK = ".mlflow.lock"
WAIT_SECONDS = 30.0
_PAUSE_SECONDS = 0.1


class LoggingLock:
    """Held from `take` (or ``with``) to `release`, or to the end of the process."""

    def __init__(self, results_dir: str | Path, wait: float | None = None) -> None:
        self.folder = Path(results_dir)
        self.wait = WAIT_SECONDS if wait is None else wait
        self._file: int | None = None

    def take(self) -> LoggingLock:
        """Wait for whoever logs this folder, `wait` seconds at most, then UserError."""
        end = time.monotonic() + self.wait
        try:
            self._file = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:  # a folder that is read only: whoever logs it writes nothing into it
            return self
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except BlockingIOError:
                if time.monotonic() >= end:
                    self.release()
                    raise UserError(
                        f"another process is logging {self.folder} to MLflow: wait until it has "
                        "ended (a sweep at work sends its cells itself)"
                    ) from None
                time.sleep(_PAUSE_SECONDS)
            except OSError:  # a share without locks
                return self

    def release(self) -> None:
        """Let others log; does nothing where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> LoggingLock:
        return self.take()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
