"""The alarm on the console: a study whose own data refute its promises."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.record import describe_problem


def alarm_of(records: Iterable[dict[str, Any]], planned: int) -> str | None:
    """The line that says what is refuted, or None.

    A record that reports would call damaged raises no alarm here; they stop at it.
    """
    sound = [record for record in records if describe_problem(record) is None]
    if not any(_above_its_promise(record) for record in sound):
        return None  # no lower limit lies above the rate; and scipy takes half a second
    from sport_ray.tracking.results.refutation import find_refutations, headline

    return headline(find_refutations(sound, max(planned, len(sound)))) or None


def _above_its_promise(record: dict[str, Any]) -> bool:
    if record["status"] != "finished":
        return False
    rate = record["num_violations"] / record["num_scenarios"]
    promises = (record["prior_bound"], record["off_policy_bound"], record.get("limit_bound"))
    return any(promise is not None and promise < rate for promise in promises)


def alarm_in(root: Path, also: str | None = None) -> str | None:
    """The same of a result folder: the cells of its plan, those that can be read.

    also: a cell that an earlier plan may have had.
    """
    folder = ResultFolder(root)
    plan = folder.read_plan()
    found = [one for cell in folder.recorded() if (one := folder.read_record(cell)) is not None]
    planned = {one.get("cell_id") for one in found} if plan is None else {*plan.cells}
    asked = [one for one in found if one.get("cell_id") in {*planned, also}]
    # What an earlier plan asked for speaks against the same certificate.
    current = {one.get("certificate_digest") for one in asked}
    relevant = [one for one in found if one.get("certificate_digest") in current]
    return alarm_of(relevant, len(planned))


def require_no_alarm(root: Path, what: str, also: str | None = None) -> None:
    """Refuse to do `what` with a study that its own data refute, or with the cell `also`.

    Raises:
        UserError: naming the cell, what was promised and what was seen.
    """
    text = alarm_in(root, also)
    if text:
        raise UserError(f"{what}: {text}")


def print_alarm(console: Console, text: str | None) -> None:
    """Show it on a line of its own, never cut."""
    if text:
        console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)


def end_with(text: str | None) -> None:
    """End the command with the alarm's own exit status, if there is one.

    Raises:
        typer.Exit: with `sport_ray.tracking.results.refutation.EXIT_STATUS`.
    """
    if text:
        from sport_ray.tracking.results.refutation import EXIT_STATUS

        raise typer.Exit(EXIT_STATUS)
