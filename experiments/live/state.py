"""What a live page says of a result folder, from its files alone."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.experiments.live.present import FILE, Stage, read_stage
from sport_ray.experiments.results.status import Status, duration_text, read_status
from sport_ray.experiments.storage.origin import origin_of
from sport_ray.text import plain
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.task_policies import plain_name

MOST_FAILURES = 50
"""Failed cells that are named."""
_ENDED = {
    "finished": "ended",
    "failed": "the sweep failed",
    "interrupted": "interrupted",
    "killed": "killed",
    "died": "the run died without a word",
}


@dataclass(frozen=True)
class State:
    """One look at a folder, as JSON for the page and as a line for a log.

    phase: waiting (nothing there yet), starting (no cell has begun), live, ended or gone (it ended
    before its time). changed: when a record last changed, ISO 8601. failed: each cell that failed
    and why. problem: why nothing better can be shown. step: the sentence without what changes all
    the time: the time left, and how far a stage without cells is.
    """

    phase: str
    study: str
    sentence: str
    finished: int = 0
    planned: int = 0
    changed: str | None = None
    failed: list[dict[str, str]] = field(default_factory=list)
    more_failed: int = 0
    problem: str | None = None
    step: str = ""

    @property
    def news(self) -> str:
        """The sentence without the time left: the clock alone is no news."""
        return _without_time(self.sentence)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def signature(root: Path) -> tuple[tuple[str, int], ...]:
    """What changes when something worth showing has: each file's name and time of change.

    A directory is listed and its records looked at, none is read: 10 ms for a thousand cells.
    """
    files = ResultFolder(root)
    beside = (files.ledger, files.plan, files.study_json, files.certificate, root / FILE)
    return (*((path.name, _changed(path)) for path in beside), *records_signature(root))


def records_signature(root: Path) -> list[tuple[str, int]]:
    """The same of records alone, which decide what the report shows."""
    cells = ResultFolder(root).cells
    try:
        with os.scandir(cells) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return []
    found = ((name, _changed(cells / name / "record.json")) for name in names)
    return [one for one in found if one[1]]


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def read_state(root: Path) -> State:
    """Look at a folder, whether or not it is there, and say what can be said of it."""
    stage = read_stage(root)
    try:
        status = read_status(root)
    except UserError as error:
        if ResultFolder(root).study_json.exists():
            return State("gone", _name(root), plain(str(error)), problem=plain(str(error)))
        told = "nothing has begun here yet" if stage is None else _stage_text(stage)
        step = told if stage is None else stage.what
        return State("waiting", _name(root), told, step=step)
    records = records_signature(root)
    newest = max((time for _, time in records), default=0)
    changed = None
    if newest:
        changed = datetime.fromtimestamp(newest / 1e9, UTC).isoformat(timespec="seconds")
    phase = _phase(status, stage)
    return State(
        phase,
        plain(status.study),
        _sentence(phase, status, stage),
        finished=len(status.done),
        planned=status.planned,
        changed=changed,
        failed=[_failure(cell) for cell in status.failed[:MOST_FAILURES]],
        more_failed=max(len(status.failed) - MOST_FAILURES, 0),
        step=_without_time(_sentence(phase, status, stage and stage._replace(total=0))),
    )


def _name(root: Path) -> str:
    """What a folder without a study goes by: its own name, or the place that it is a copy of."""
    return plain(str(origin_of(root) or root.name))


def _phase(status: Status, stage: Stage | None) -> str:
    if status.sweep.state.startswith("running"):
        return "live" if status.done or status.running or status.failed else "starting"
    if stage is not None and stage.alive is not False:
        return "starting"
    if status.sweep.state == "unknown" and not status.done and not status.failed:
        return "waiting" if stage is None else "gone"
    return "ended" if status.sweep.state in ("finished", "unknown") else "gone"


def _sentence(phase: str, status: Status, stage: Stage | None) -> str:
    """One line that says it all."""
    told = [] if stage is None or phase == "ended" else [_stage_text(stage)]
    if status.planned:
        told.append(f"{len(status.done)} of {status.planned} cells")
    if status.failed:
        told.append(f"{len(status.failed)} failed")
    if phase in ("live", "starting") and status.running:
        told.append(f"{len(status.running)} running")
    if phase == "live" and status.seconds_left:
        told.append(f"about {duration_text(status.seconds_left)} left")
    first = {"starting": "starting", "live": "live", "waiting": "waiting"}.get(
        phase, _ENDED.get(status.sweep.state, "ended" if phase == "ended" else "the run is gone")
    )
    if status.sweep.reason and phase == "gone":
        first += f" ({plain(status.sweep.reason)})"
    return f"{first}: {', '.join(told)}" if told else first


def _stage_text(stage: Stage) -> str:
    if not stage.total:
        return stage.what
    return f"{stage.what} {stage.done:,.0f} of {stage.total:,.0f}"


def _without_time(sentence: str) -> str:
    return sentence.partition(", about ")[0]


def _failure(cell: dict[str, Any]) -> dict[str, str]:
    known = isinstance(cell["alpha"], (int, float))
    alpha = f", α = {float(cell['alpha']):g}" if known else ""
    where = f"{plain_name(cell)}{alpha}, T = {cell['horizon']}, seed {cell['seed']}"
    return {
        "cell": plain(str(cell["cell_id"])),
        "where": plain(where),
        "reason": plain(" ".join(str(cell["reason"]).split())),
    }
