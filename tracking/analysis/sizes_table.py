"""What N buys, as a table for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.console import add_columns, narrow_table, say
from sport_ray.tracking.results.labels import alpha_text, bound_text, rate_text
from sport_ray.tracking.results.table import plain_rows

TITLE = "What N buys"
NOTE = (
    "Each N is a certificate of its own, with its own confidence. Limit: the largest α of a step, "
    "or budget of a path in nats, that ε_max permits. Saved: 95% t-interval over seeds. Observed: "
    "violation rate of the worst seed."
)
OUT_OF_REACH = "out of reach"


def limit_text(row: dict[str, Any]) -> str:
    """The largest α, or the budget: 'α = 1.12', 'B = 2.38'."""
    if row["alpha"] is not None:
        return f"α = {alpha_text(row['alpha'])}"
    return "–" if row["log_budget"] is None else f"B = {row['log_budget']:.3g}"


def print_sizes(console: Console, table: pd.DataFrame) -> None:
    """Print a table for each kind: a row per ε_max and N."""
    rows = plain_rows(table)
    kinds = list(dict.fromkeys(row["kind"] for row in rows if row["kind"]))
    if not kinds:
        say(console, "What N buys: no finished cell under a constraint")
        return
    many = len({row["horizon"] for row in rows}) > 1
    for kind in kinds:
        own = [row for row in rows if row["kind"] in (kind, None)]
        console.print(_table(kind, sorted(own, key=_place), many))
    say(console, NOTE)


def _place(row: dict[str, Any]) -> tuple[int, float, int]:
    return row["horizon"], row["eps_max"], row["num_scenarios"]


def _table(kind: str, rows: list[dict[str, Any]], many: bool) -> Table:
    printed = narrow_table(f"{TITLE}: {kind}")
    printed.add_column("ε_max", justify="right", no_wrap=True)
    add_columns(printed, "N", "ε_base", "limit", "saved", "observed")
    for row in rows:
        level = f"{row['eps_max']:g}"
        printed.add_row(
            f"{level}, T = {row['horizon']}" if many else level,
            f"{row['num_scenarios']:,}",
            bound_text(row["eps_base"]),
            limit_text(row) if row["kind"] else OUT_OF_REACH,
            interval_text(row["saved"], row["saved_low"], row["saved_high"]),
            rate_text(row["worst_violation_rate"]),
        )
    return printed
