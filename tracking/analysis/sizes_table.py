"""What N buys, as a table for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console

from sport_ray.tracking.analysis.pareto_table import add_columns, narrow_table
from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.console import say, shown
from sport_ray.tracking.results.labels import alpha_text, bound_text, rate_text
from sport_ray.tracking.results.table import plain_rows

TITLE = "What N buys: steps saved against the base, by certified risk ε_max"
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
    """Print a row per ε_max, kind and N."""
    rows = plain_rows(table)
    if not rows:
        say(console, "What N buys: no finished cell under a constraint")
        return
    printed = narrow_table(TITLE)
    printed.add_column("ε_max", justify="right", no_wrap=True)
    add_columns(printed, "kind", "N", "ε_base", "limit", "saved", "observed")
    for row in rows:
        printed.add_row(
            f"{row['eps_max']:g}",
            shown(row["kind"] or OUT_OF_REACH),
            f"{row['num_scenarios']:,}",
            bound_text(row["eps_base"]),
            limit_text(row),
            interval_text(row["saved"], row["saved_low"], row["saved_high"]),
            rate_text(row["worst_violation_rate"]),
        )
    console.print(printed)
    say(console, NOTE)
