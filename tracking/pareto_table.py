"""The Pareto fronts as a table for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from tracking.pareto import pareto_rows
from tracking.performance import Performance, performance_of
from tracking.wording import alpha_text, bound_text, method_text, rate_text

_TITLES = {
    "prior_bound": "Certified before any rollout: prior bound",
    "posterior_bound": "Measured afterwards: posterior bound (worst seed)",
}


def print_pareto(console: Console, results: pd.DataFrame) -> None:
    """Print both fronts of a results table, or say of an empty one why it is empty."""
    rows = pareto_rows(results)
    measure = performance_of(results)
    for kind, risk in _TITLES.items():
        title = f"{risk} against {measure.name}"
        chosen = [row for row in rows if row["risk_kind"] == kind]
        if not chosen:
            console.print(f"{title}: no setting has a bound below 1")
            continue
        console.print(_table(title, chosen, measure))


def _table(title: str, rows: list[dict[str, Any]], measure: Performance) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    counts = {row["seeds"] for row in rows}
    table.caption = f"seeds per setting: {', '.join(str(n) for n in sorted(counts))}"
    table.add_column("projected", no_wrap=True)
    for name in (
        "α",
        "T",
        "prior",
        "posterior",
        "empirical",
        measure.column,
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            method_text(row["method"]).removeprefix("Projected "),
            alpha_text(row["alpha"]),
            str(row["horizon"]),
            bound_text(row["prior_bound"]),
            bound_text(row["posterior_bound"]),
            rate_text(row["empirical_violation_rate"]),
            measure.text(row[measure.mean]),
        )
    return table
