"""The alarm on the console: a study whose own data refute its promises (`tracking.refutation`)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from experiments.results import read_record


def alarm_of(records: Iterable[dict[str, Any]], planned: int) -> str | None:
    """The line that says what is refuted, or None.

    A record that reports would call damaged raises no alarm here; they stop at it.
    """
    records = list(records)
    if not records:
        return None
    from tracking.refutation import find_refutations, headline  # scipy takes half a second
    from tracking.schema import describe_problem

    whole = [record for record in records if describe_problem(record) is None]
    return headline(find_refutations(whole, planned)) or None


def alarm_in(root: Path) -> str | None:
    """The same of a result folder: the cells of its plan, those that can be read."""
    try:
        planned = json.loads((root / "plan.json").read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        planned = sorted(path.parent.name for path in root.glob("cells/*/record.json"))
    found = (read_record(root, str(cell)) for cell in planned)
    return alarm_of((record for record in found if record is not None), len(planned))


def print_alarm(console: Console, text: str | None) -> None:
    """Show it on a line of its own, never cut."""
    if text:
        console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)


def end_with(text: str | None) -> None:
    """End the command with the alarm's own exit status, if there is one.

    Raises:
        typer.Exit: with `tracking.refutation.EXIT_STATUS`.
    """
    if text:
        from tracking.refutation import EXIT_STATUS

        raise typer.Exit(EXIT_STATUS)
