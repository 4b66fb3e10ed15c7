"""Command about deployed policies in the field: monitor."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sport_ray.errors import UserError
from sport_ray.text import plain


def monitor_command(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG...", help="Log of a monitor; one of each robot.")
    ],
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw bounds and alarm over episodes: a .png or .svg file."),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option("--digest", help="A digest of the log that was noted before, elsewhere."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")] = False,
) -> None:
    """Show the risk of a deployed bundle so far: what was promised, what its episodes bound.

    Reads the logs of sport_ray.deploy.Monitor, checks each digest in them, and may be called while
    they are written. Of several robots also the bound on all their episodes together. Exit status
    1: a log was altered; 3: its verdicts refute what was promised.
    """
    from sport_ray.deploy.monitoring import course, fleet, read_log, report
    from sport_ray.tracking.results.refutation import EXIT_STATUS

    if len(logs) > 1 and (plot or expect):
        raise UserError("--plot and --digest are about one log: give one, or leave them out")
    histories = [read_log(log, expect) for log in logs]
    reports = [report(history) for history in histories]
    whole = fleet(histories) if len(histories) > 1 else None
    if plot is not None:
        from sport_ray.tracking.figures.monitor import draw_monitor

        draw_monitor(course(histories[0]), plot)
    if as_json:
        told = {
            "logs": {str(log): one.to_json() for log, one in zip(logs, reports, strict=True)},
            "together": None if whole is None else whole.to_json(),
        }
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        console = Console(soft_wrap=True)
        for log, history, one in zip(logs, histories, reports, strict=True):
            bundle = history.promise.bundle[:16]
            about = [("property", one.property), ("bundle", f"{bundle}…"), ("digest", one.digest)]
            _show(console, str(log), [*one.rows(), *about])
        if whole is not None:
            _show(console, "all together", whole.rows())
        if plot is not None:
            console.print(f"plot: {escape(plain(plot))}")
    if any(one.alarm is not None for one in reports):
        raise typer.Exit(EXIT_STATUS)


def _show(console: Console, title: str, rows: list[tuple[str, str]]) -> None:
    """A log's text is anybody's: neither codes nor markup."""
    console.print(f"[bold]{escape(plain(title))}[/]")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        text = escape(plain(value))
        if name == "alarm" and "REFUTE" in value:
            text = f"[bold red]{text}[/]"
        console.print(f"  {name:{width}}  {text}", highlight=False)
