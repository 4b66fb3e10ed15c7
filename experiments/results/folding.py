"""A ledger that has grown folds its older sweeps: one line for all that happened to their cells.

What is told of it stays the same: which cells were once finished, and what each took. What is lost
is when each one started, and in which order, and why those failed that were repeated since.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sport_ray.canonical import write_atomic

FOLDED = "history folded"
LIMIT = 1024 * 1024
"""A ledger of fewer bytes stays as it is: some 6,500 lines, read in a tenth of a second."""

Parse = Callable[[bytes], dict[str, Any] | None]


class Finished(NamedTuple):
    """A cell that was finished, and what it took."""

    cell_id: str
    kind: str
    seconds: float


def finished_in(entries: Iterable[dict[str, Any]]) -> Iterator[Finished]:
    """What the lines of a ledger say was finished, in their order."""
    for entry in entries:
        if entry["event"] == "cell finished":
            yield Finished(entry["cell_id"], entry["kind"], float(entry["seconds"]))
        elif entry["event"] == FOLDED:
            for kind, cells in entry["finished"].items():
                yield from (Finished(cell_id, kind, float(took)) for cell_id, took in cells)


def is_folded_line(entry: dict[str, Any]) -> bool:
    """Whether the two parts of such a line are what they should be."""
    counts, finished = entry.get("counts"), entry.get("finished")
    if not isinstance(counts, dict) or not isinstance(finished, dict):
        return False
    pairs = [one for cells in finished.values() if isinstance(cells, list) for one in cells]
    return (
        all(isinstance(count, int) for count in counts.values())
        and all(isinstance(cells, list) for cells in finished.values())
        and all(
            isinstance(one, list)
            and len(one) == 2
            and isinstance(one[0], str)
            and isinstance(one[1], (int, float))
            for one in pairs
        )
    )


def fold(path: Path, parse: Parse, limit: int = LIMIT) -> bool:
    """Fold all sweeps but the last in a ledger of more than ``limit`` bytes; whether that was done.

    By whoever holds the folder, before the ledger is opened. The file is replaced whole: a process
    that is killed meanwhile leaves the old one. A disk that is full, or a link, is left alone.
    parse: gives a line's entry, None where it is none; such lines are kept as they are.
    """
    with contextlib.suppress(OSError):
        if path.is_symlink() or not path.is_file() or path.stat().st_size <= limit:
            return False
        data = path.read_bytes()
        lines = [(line, parse(line)) for line in data.split(b"\n")[:-1]]
        starts = [i for i, (_, entry) in enumerate(lines) if _event(entry) == "sweep started"]
        if len(starts) < 2:
            return False
        older = b"".join(line + b"\n" for line in _folded(lines[: starts[-1]]))
        rest = b"".join(line + b"\n" for line, _ in lines[starts[-1] :])
        folded = older + rest + data.rpartition(b"\n")[2]  # half a line may be at the end
        if folded == data:
            return False
        write_atomic(path, folded)
        return True
    return False


def _folded(lines: Iterable[tuple[bytes, dict[str, Any] | None]]) -> Iterator[bytes]:
    """The lines of older sweeps, with one in the place of each one's cells."""
    cells: list[dict[str, Any]] = []
    for line, entry in lines:
        if entry is not None and entry["event"].startswith(("cell", "record")):
            cells.append(entry)
            continue
        if _event(entry) in ("sweep started", "sweep ended") and cells:
            yield _one_line(cells)
            cells = []
        yield line
    if cells:
        yield _one_line(cells)


def _one_line(cells: list[dict[str, Any]]) -> bytes:
    counts: Counter[str] = Counter()
    finished: dict[str, list[tuple[str, float]]] = {}
    counts.update(entry["event"] for entry in cells)
    for cell_id, kind, seconds in finished_in(cells):
        finished.setdefault(kind, []).append((cell_id, seconds))
    about = {"time": cells[-1]["time"], "event": FOLDED, "cell_id": None}
    return json.dumps({**about, "counts": counts, "finished": finished}).encode()


def _event(entry: dict[str, Any] | None) -> str | None:
    return None if entry is None else str(entry["event"])
