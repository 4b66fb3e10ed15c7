"""What a sweep has done, does and has to do, from the result folder alone: no Ray, no torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.experiments.config.redact import public_mapping
from sport_ray.experiments.config.shipped import study_file
from sport_ray.experiments.config.study_file import read_study_file
from sport_ray.experiments.results.alarm import alarm_of
from sport_ray.experiments.results.folding import finished_in
from sport_ray.experiments.results.ledger import read_ledger
from sport_ray.experiments.results.process import is_alive
from sport_ray.tracking.results.bases import require_one_base, sub_folders, with_results
from sport_ray.tracking.results.folder import ResultFolder

FAILURE = ("cell_id", "source", "projected", "constraint", "alpha", "horizon", "seed", "reason")
"""What is told of a failed cell."""


@dataclass
class SweepState:
    """The last sweep in the folder.

    state: running, running elsewhere (on a host that cannot be asked from here), finished, failed,
    interrupted, killed, died (it ended without a word, as after SIGKILL) or unknown (no ledger).
    """

    state: str = "unknown"
    pid: int | None = None
    host: str | None = None
    started: str | None = None
    ended: str | None = None
    reason: str | None = None


@dataclass
class Status:
    """Cells of the plan by state; records decide what is done, the ledger what is running.

    refuted: one line, where a cell's evaluation contradicts its promise
    (`sport_ray.tracking.results.refutation`).
    """

    folder: str
    study: str
    planned: int
    sweep: SweepState
    done: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    not_started: list[str] = field(default_factory=list)
    damaged_records: list[str] = field(default_factory=list)
    lost_records: list[str] = field(default_factory=list)
    outside_plan: list[str] = field(default_factory=list)
    study_changed: bool = False
    damaged_ledger_lines: list[int] = field(default_factory=list)
    refuted: str | None = None
    cells_per_hour: float | None = None
    seconds_left: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def folder_of(path: Path, results: Path | None) -> tuple[Path, dict[str, Any] | None]:
    """The result folder of a study file or folder, there or not yet; the study, if it is a file's.

    Raises:
        UserError: neither, or a study without a name.
    """
    if path.is_dir():
        return path, None
    path = study_file(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: give a study file or a result folder")
    study = read_study_file(path).values
    if not isinstance(study.get("name"), str):
        raise UserError(f"study file {path} has no name: write 'name: …' at its top")
    return results or Path("results") / study["name"], study


def locate(path: Path, results: Path | None) -> tuple[Path, bool]:
    """The result folder of a study file or folder; whether the study has changed since its sweep.

    Raises:
        UserError: as ``folder_of``, or a study whose results are not there.
    """
    folder, study = folder_of(path, results)
    if study is None:
        return folder, False
    if not folder.is_dir():
        made = f"sport-ray run {study_file(path)}"
        raise UserError(f"no result folder {folder}: make one with `{made}`")
    return folder, has_changed(folder, study)


def tracking_uri(folder: Path) -> str | None:
    """Where the study that lies in a folder is logged; without credentials, which are not there."""
    tracking = (ResultFolder(folder).read_study() or {}).get("tracking")
    uri = tracking.get("uri") if isinstance(tracking, dict) else None
    return uri if isinstance(uri, str) else None


def has_changed(folder: Path, study: dict[str, Any]) -> bool:
    """Whether a study, as its file holds it, is not the folder's; False where that is not known."""
    try:
        kept = read_study_file(ResultFolder(folder).study_file).values
    except UserError:
        return False
    return public_mapping(kept) != public_mapping(study)


def read_status(root: Path, study_changed: bool = False, now: datetime | None = None) -> Status:
    """Read a result folder's state; also while a sweep runs, and one without a ledger.

    Raises:
        UserError: a folder that holds no study, or one of several bases, or whose plan cannot be
            read.
    """
    require_one_base(root)
    now = now or datetime.now(UTC)
    folder = ResultFolder(root)
    study, plan, present = folder.read_study(), folder.read_plan(), folder.recorded()
    if study is None:
        from sport_ray.experiments.storage.origin import origin_of

        place = origin_of(root) or root  # a copy as its URI, which is what the user gave
        raise UserError(f"{place} holds no study: give a study file or a result folder")
    planned = present if plan is None else plan.cells
    history = read_ledger(folder.ledger)
    sweep, entries = _last_sweep(history.entries)
    status = Status(
        folder=str(root),
        study=str(study.get("name")),
        planned=len(planned),
        sweep=sweep,
        outside_plan=sorted(set(present) - set(planned)),
        study_changed=study_changed,
        damaged_ledger_lines=history.damaged,
    )
    at_work = _at_work(entries) if sweep.state.startswith("running") else {}
    records: list[dict[str, Any]] = []
    told = {one.cell_id for one in finished_in(history.entries)}
    for cell_id in planned:
        record = folder.read_record(cell_id)
        if record is not None and record["status"] == "finished":
            status.done.append(cell_id)
            records.append(record)
        elif cell_id in at_work:
            status.running.append(cell_id)
        elif record is not None:
            status.failed.append({name: record.get(name) for name in FAILURE})
        else:
            status.not_started.append(cell_id)
            if cell_id in present:
                status.damaged_records.append(cell_id)
            elif cell_id in told:
                status.lost_records.append(cell_id)
    status.refuted = alarm_of(records, len(planned))
    kinds = {} if plan is None else plan.kinds
    _estimate(status, kinds, history.entries, entries, at_work, now)
    return status


def status_of_bases(root: Path, study_changed: bool = False) -> dict[str, Status | None]:
    """Of a study over several bases, that of each base; None where it has not begun.

    Empty of a study with one base.
    """
    begun = with_results(root)
    return {
        base: read_status(path, study_changed) if base in begun else None
        for base, path in sub_folders(root).items()
    }


def _last_sweep(entries: list[dict[str, Any]]) -> tuple[SweepState, list[dict[str, Any]]]:
    """The last sweep and its lines."""
    starts = [i for i, entry in enumerate(entries) if entry["event"] == "sweep started"]
    if not starts:
        return SweepState(), []
    own = entries[starts[-1] :]
    start, ends = own[0], [entry for entry in own if entry["event"] == "sweep ended"]
    sweep = SweepState("died", start["pid"], start["host"], start["time"])
    if ends:
        sweep.state, sweep.ended = ends[-1]["outcome"], ends[-1]["time"]
        sweep.reason = ends[-1].get("reason")
    else:
        alive = is_alive(start)
        if alive is None:
            sweep.state = "running elsewhere"
        elif alive:
            sweep.state = "running"
    return sweep, own


def _at_work(entries: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The lines of cells that have started and not ended, by cell."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["event"] == "cell started":
            found[entry["cell_id"]] = entry
        elif entry["event"].startswith("cell"):
            found.pop(entry["cell_id"], None)
    return found


def _estimate(
    status: Status,
    kinds: dict[str, str],
    history: list[dict[str, Any]],
    own: list[dict[str, Any]],
    at_work: dict[str, dict[str, Any]],
    now: datetime,
) -> None:
    """Throughput of the last sweep, and the time left at its concurrency."""
    finished = [entry for entry in own if entry["event"] == "cell finished"]
    starts = [entry for entry in own if entry["event"] == "cell started"]
    if finished and starts:
        begun = datetime.fromisoformat(starts[0]["time"])
        running = status.sweep.state.startswith("running")
        until = now if running else datetime.fromisoformat(finished[-1]["time"])
        if (hours := (until - begun).total_seconds() / 3600.0) > 0.0:
            status.cells_per_hour = round(len(finished) / hours, 2)
    times: dict[str, list[float]] = {}
    for one in finished_in(history):
        times.setdefault(one.kind, []).append(one.seconds)
    todo = [*status.running, *status.not_started, *(cell["cell_id"] for cell in status.failed)]
    if not todo:
        status.seconds_left = 0.0
    elif times:
        overall = statistics.median(value for values in times.values() for value in values)
        median = {kind: statistics.median(values) for kind, values in times.items()}
        work = sum(median.get(kinds.get(cell, ""), overall) for cell in todo)
        for job in {entry["job"] for entry in at_work.values()}:
            cells = [cell for cell, entry in at_work.items() if entry["job"] == job]
            spent = (now - datetime.fromisoformat(at_work[cells[0]]["time"])).total_seconds()
            # What a cohort has spent on those of its cells that have ended is not in the work.
            spent -= sum(float(one["seconds"]) for one in finished if one.get("job") == job)
            expected = sum(median.get(kinds.get(cell, ""), overall) for cell in cells)
            work -= min(max(spent, 0.0), expected)
        status.seconds_left = round(work / _concurrency(own), 1)


def _concurrency(entries: list[dict[str, Any]]) -> int:
    """The most jobs that ran at a time."""
    running: dict[str, str] = {}
    most = 1
    for entry in entries:
        if entry["event"] == "cell started":
            running[entry["cell_id"]] = entry["job"]
            most = max(most, len(set(running.values())))
        elif entry["event"].startswith("cell"):
            running.pop(entry["cell_id"], None)
    return most


def duration_text(seconds: float) -> str:
    """Such as '1 h 5 min', '2 min 3 s'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
