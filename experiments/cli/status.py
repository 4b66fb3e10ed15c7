"""How `sport-ray status` looks on a terminal: one line per fact, within 80 columns."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sport_ray.experiments.results.alarm import print_alarm
from sport_ray.experiments.results.status import Status, SweepState, duration_text
from sport_ray.text import plain
from sport_ray.tracking.results.task_policies import plain_name


def print_statuses(console: Console, bases: dict[str, Status | None], again: str) -> None:
    """Show that of each base, under its name."""
    for base, status in bases.items():
        if status is None:
            console.print(Text.assemble((f"base {plain(base)}", "bold"), ": not begun"))
        else:
            print_status(console, status, again, base)


def resuming(study: Path, results: Path | None) -> str:
    """The command that goes on with a study or a result folder, as it was named."""
    if study.is_dir():
        words = [str(study / "study.yaml"), "--results", named(study)]
    else:
        words = [str(study), *(("--results", str(results)) if results else ())]
    return shlex.join(["sport-ray", "run", *words])


def named(folder: Path) -> str:
    """A result folder as it was named: a copy by its URI."""
    from sport_ray.experiments.storage.origin import origin_of

    return str(origin_of(folder) or folder)


def print_status(
    console: Console, status: Status, again: str = "sport-ray run STUDY", base: str = ""
) -> None:
    """Show it: one line per fact and per failed cell, within the console's width.

    again: the command that resumes, on a line that may be longer. base: which of several.
    """

    def line(*parts: str | tuple[str, str]) -> None:
        """Each text, or text with its style."""
        told = [one if isinstance(one, tuple) else (one, "") for one in parts]
        console.print(
            Text.assemble(*((plain(text), style) for text, style in told)),
            overflow="ellipsis",
            no_wrap=True,
        )

    print_alarm(console, status.refuted)
    line((f"base {base}" if base else status.study, "bold"), f": {_sweep_line(status.sweep)}")
    if status.sweep.state in ("interrupted", "killed", "died"):
        console.print(Text(plain(f"  resumes with: {again}")), soft_wrap=True)
    line(
        f"  {status.planned} planned: ",
        (f"{len(status.done)} done", "green"),
        ", ",
        (f"{len(status.running)} running", "cyan"),
        ", ",
        (f"{len(status.failed)} failed", "red"),
        f", {len(status.not_started)} not started",
    )
    if status.cells_per_hour is not None:
        line(f"  {status.cells_per_hour:g} cells per hour in this sweep")
    if status.seconds_left:
        ahead = "" if status.sweep.state.startswith("running") else " once it is resumed"
        line(f"  about {duration_text(status.seconds_left)} left{ahead}")
    for cell in status.failed:
        known = isinstance(cell["alpha"], (int, float))  # a record is shown as it is
        alpha = f" α={float(cell['alpha']):g}" if known else ""
        where = f"{cell['cell_id']} {plain_name(cell)}{alpha} T={cell['horizon']} s={cell['seed']}"
        line("  ", ("failed", "red"), f" {where}")
        line(f"    {' '.join(str(cell['reason']).split())}")
    for found, one, several in (
        (
            status.damaged_records,
            "record is damaged: that cell will be run again",
            "records are damaged: those cells will be run again",
        ),
        (
            status.lost_records,
            "record is gone: that cell will be run again",
            "records are gone: those cells will be run again",
        ),
        (
            status.outside_plan,
            "record outside the present plan is kept, not counted",
            "records outside the present plan are kept, not counted",
        ),
        (
            status.damaged_ledger_lines,
            "line of ledger.jsonl is damaged and left out",
            "lines of ledger.jsonl are damaged and left out",
        ),
    ):
        if found:
            line(f"  {len(found)} {one if len(found) == 1 else several}")
    if status.study_changed:
        line("  the study file has changed since: this is the plan of the last sweep")


def _sweep_line(sweep: SweepState) -> str:
    who = f"process {sweep.pid} on {sweep.host}"
    return {
        "running": f"running ({who})",
        "running elsewhere": f"running on host {sweep.host} (process {sweep.pid}), if alive",
        "finished": "the last sweep came to its end",
        "failed": f"the last sweep failed: {sweep.reason}",
        "interrupted": "interrupted",
        "killed": "killed",
        "died": f"{who} died",
    }.get(sweep.state, "no history of a sweep")
