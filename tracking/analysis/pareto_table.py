"""The Pareto fronts as a table for the terminal, within 80 columns."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from sport_ray.tracking.analysis.pareto import pareto_table
from sport_ray.tracking.console import add_columns, narrow_table, say, shown
from sport_ray.tracking.results.completeness import why_none
from sport_ray.tracking.results.labels import bound_text, rate_text, setting_text
from sport_ray.tracking.results.performance import Performance, performance_of
from sport_ray.tracking.results.refutation import is_refuted
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import plain_rows

NUMBERS = 44
"""Columns of the terminal that the numbers of a front need."""
_TITLES = {
    "prior_bound": "Certified before any rollout: prior bound",
    "posterior_bound": "Measured afterwards: posterior bound (worst seed)",
}


def print_pareto(console: Console, results: pd.DataFrame) -> None:
    """Print both fronts of a results table, or say of an empty one why it is empty."""
    settings = aggregate(results)
    rows = plain_rows(pareto_table(settings))
    measure = performance_of(settings)
    for kind, risk in _TITLES.items():
        title = f"{risk} against {measure.name}"
        chosen = [row for row in rows if row["risk_kind"] == kind]
        if not chosen:
            refuted = kind == "prior_bound" and is_refuted(results)
            why = "none: the data refute the promises" if refuted else why_none(settings, kind)
            say(console, f"{title}: {why}")
            continue
        console.print(_table(title, chosen, measure, console.width - NUMBERS))


def _table(title: str, rows: list[dict[str, Any]], measure: Performance, width: int) -> Table:
    table = narrow_table(title)
    add_columns(table, "setting", "T", "prior", "posterior", "observed", measure.stem)
    counts = {row["seeds"] for row in rows}
    table.caption = f"seeds per setting: {', '.join(str(n) for n in sorted(counts))}"
    for row in rows:
        table.add_row(
            shown(in_two_lines(setting_text(row), width)),
            str(row["horizon"]),
            bound_text(row["prior_bound"]),
            bound_text(row["posterior_bound"]),
            rate_text(row["empirical_violation_rate"]),
            measure.text(row[measure.mean]),
        )
    return table


def in_two_lines(name: str, width: int) -> str:
    """The name, broken at its last comma where it is too long; no number is ever cut for it."""
    if len(name) <= width or ", " not in name:
        return name
    return ",\n  ".join(name.rsplit(", ", 1))
