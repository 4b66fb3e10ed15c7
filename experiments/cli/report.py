"""What `report` and `run` write and say once results are there: of one base, and of several."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sport_ray.experiments.results.alarm import alarm_in, print_alarm
from sport_ray.tracking.console import say


def report_folder(
    console: Console,
    folder: Path,
    out: Path | None,
    track: bool,
    uri: str | None,
    column: float | None = None,
) -> str | None:
    """Write the report of a result folder and show it; the alarm, if there is one.

    track: also send it to MLflow, at `uri`. column: also write the paper kit, for columns of so
    many inches.
    """
    from sport_ray.tracking import log_sweep, write_report

    if column is not None:
        from sport_ray.tracking.paper.write import require_column

        require_column(column)  # before anything is written
    page = write_report(folder, out)
    refuted = alarm_in(folder)
    print_alarm(console, refuted)
    print_report(console, folder, page)
    if column is not None:
        print_paper(console, folder, page.parent, column)
    if track:
        say(console, f"MLflow: {log_sweep(folder, uri).text}")
        print_opening(console, folder, uri)
    return refuted


def print_opening(console: Console, folder: Path, uri: str | None) -> None:
    """Say how to look at what MLflow has of a result folder; `uri`: as the study names its store.

    Of several bases for each, where they are not in one store. Where the store is away that has
    been said already, and only its name is left to say.
    """
    from sport_ray.tracking.results.bases import with_results

    several = with_results(folder)
    told = {base: _opening(path, uri) for base, path in (several or {"": folder}).items()}
    if len({*told.values()}) == 1:  # all the same
        told = {"": next(iter(told.values()))}
    for base, lines in told.items():
        if base:
            say(console, f"base {base}", style="bold")
        for line in lines:
            say(console, line)


def _opening(folder: Path, uri: str | None) -> tuple[str, ...]:
    from sport_ray.tracking.mlflow.client import store_uri
    from sport_ray.tracking.mlflow.ui import opening_lines
    from sport_ray.tracking.mlflow.uris import mask_uri
    from sport_ray.tracking.results.records import read_results

    store = store_uri(uri, folder)
    lines = opening_lines(folder, store, read_results(folder, may_be_empty=True).name)
    return tuple(lines) or (f"MLflow store: {mask_uri(store)}",)


def print_paper(console: Console, folder: Path, out: Path, column: float) -> None:
    """Write the paper kit into `out`, and say where it is and what it lacks."""
    from sport_ray.tracking.paper.print import ENGINE, has_pgf
    from sport_ray.tracking.paper.write import FOLDER, write_paper

    main = write_paper(folder, out / FOLDER, column)
    console.print(f"paper: {main}", soft_wrap=True)
    if not has_pgf():
        console.print(f"no PGF: {ENGINE} with pgf.sty is not installed; PDF figures need neither")


def report_bases(
    console: Console,
    folder: Path,
    out: Path | None,
    track: bool,
    uri: str | None,
    column: float | None = None,
) -> str | None:
    """The same of each base that has begun, and of what they have in common."""
    from sport_ray.tracking.results.bases import with_results

    refuted = []
    for base, path in with_results(folder).items():
        say(console, f"base {base}", style="bold")
        place = None if out is None else out / path.name
        if alarm := report_folder(console, path, place, track, uri, column):
            refuted.append(f"base {base}: {alarm}")
    print_bases(console, folder, out)
    return "; ".join(refuted) or None


def print_bases(console: Console, folder: Path, out: Path | None = None) -> None:
    """Write the page and the tables of a study over several bases, and show what is saved."""
    from sport_ray.tracking.analysis.steps_saved_table import print_steps_saved
    from sport_ray.tracking.report.bases import write_bases_report
    from sport_ray.tracking.results.bases import named_sizes

    if named_sizes(folder):
        print_sizes_report(console, folder, out)
        return
    page, saved = write_bases_report(folder, out)
    print_steps_saved(console, saved)
    console.print(f"report: {page}", soft_wrap=True)


def print_sizes_report(console: Console, folder: Path, out: Path | None) -> None:
    """Write the page and the table of a study over several sizes, and show what N buys."""
    from sport_ray.tracking.analysis.sizes_table import print_sizes
    from sport_ray.tracking.report.sizes import write_sizes_report

    page, table = write_sizes_report(folder, out)
    print_sizes(console, table)
    console.print(f"report: {page}", soft_wrap=True)


def print_report(console: Console, folder: Path, path: Path) -> None:
    """Show the fronts, what risk buys, and the answer of a result folder."""
    from sport_ray.tracking.analysis.answer import answer_study
    from sport_ray.tracking.analysis.limits import limits_table
    from sport_ray.tracking.analysis.limits_table import print_limits
    from sport_ray.tracking.analysis.pareto_table import print_pareto
    from sport_ray.tracking.analysis.speedup_table import print_speedup
    from sport_ray.tracking.results.completeness import completeness_of
    from sport_ray.tracking.results.records import read_results
    from sport_ray.tracking.results.refutation import is_refuted
    from sport_ray.tracking.results.statistics import aggregate
    from sport_ray.tracking.results.table import table_of

    results = read_results(folder)
    table = table_of(results)
    if incomplete := completeness_of(results).sentence:
        say(console, incomplete, style="bold yellow")
    print_pareto(console, table)
    print_speedup(console, results, table)
    print_limits(console, limits_table(table))
    if not is_refuted(table):  # the alarm has been shown: there is no answer
        answer = answer_study(aggregate(table), results.certificate, results.base_at)
        console.print(answer.sentence, highlight=False)
    console.print(f"report: {path}", soft_wrap=True)
