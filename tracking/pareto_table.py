"""The Pareto fronts as a table for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from tracking.pareto import pareto_rows
from tracking.wording import alpha_text, bound_text, method_text, rate_text, steps_text

_TITLES = {
    "prior_bound": "Certified before any rollout: prior bound against time to goal",
    "posterior_bound": "Measured afterwards: posterior bound (worst seed) against time to goal",
}


def print_pareto(console: Console, results: pd.DataFrame) -> None:
    """Print both fronts of a results table, or say of an empty one why it is empty."""
    rows = pareto_rows(results)
    for kind, title in _TITLES.items():
        chosen = [row for row in rows if row["risk_kind"] == kind]
        if not chosen:
            console.print(f"{title}: no setting has a bound below 1")
            continue
        console.print(_table(title, chosen))


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    counts = {row["seeds"] for row in rows}
    table.caption = f"seeds per setting: {', '.join(str(n) for n in sorted(counts))}"
    table.add_column("projected", no_wrap=True)
    for name in ("α", "T", "prior", "posterior", "empirical", "steps"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            method_text(row["method"]).removeprefix("Projected "),
            alpha_text(row["alpha"]),
            str(row["horizon"]),
            bound_text(row["prior_bound"]),
            bound_text(row["posterior_bound"]),
            rate_text(row["empirical_violation_rate"]),
            steps_text(row["mean_steps_to_goal"]),
        )
    return table
