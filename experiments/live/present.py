"""What a run does before it has cells (certify, choose …), for those who watch its folder.

``.present.json`` is written now and then by the process that holds the folder, and removed when the
stage ends. It is no result: nothing is lost with it, so it is not flushed to the device.
"""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sport_ray.experiments.results.process import is_alive, process_identity
from sport_ray.text import plain

FILE = ".present.json"
SECONDS = 1.0
"""At least between two times that it is written."""


class Present:
    """Tells how far a stage is; a folder that cannot be written to is no reason to stop it."""

    def __init__(self, root: Path, what: str, total: int) -> None:
        self._file = root / FILE
        self._about: dict[str, Any] = {**process_identity(), "what": what, "total": total}
        self._last = -SECONDS
        self._ended = False
        self.tell(0)

    def tell(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """So many are done, of as many as before or of ``total``."""
        self._about["done"] = done
        if total is not None:
            self._about["total"] = total
        if what is not None:
            self._about["what"] = what
        if self._ended or time.monotonic() - self._last < SECONDS:
            return
        self._last = time.monotonic()
        about = {**self._about, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        beside = self._file.with_name(f"{FILE}.tmp")
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(about), encoding="utf-8")
            beside.replace(self._file)

    def end(self) -> None:
        """The stage is over; who tells of it later, in another thread, is not heard."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)


class Stage(NamedTuple):
    """A stage as it was last told of; total: 0 where that is not known. alive: None: elsewhere."""

    what: str
    done: float
    total: float
    alive: bool | None


def read_stage(root: Path) -> Stage | None:
    """The stage that a run is in, or was in when it died; None where none tells of itself."""
    try:
        found = json.loads((root / FILE).read_bytes()[:4096])
        done, total = float(found["done"]), float(found["total"])
        return Stage(plain(str(found["what"]))[:200], done, total, is_alive(found))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
