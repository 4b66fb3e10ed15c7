"""Steps saved over several bases, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.analysis.steps_saved import ALL
from sport_ray.tracking.console import add_columns, narrow_table, say
from sport_ray.tracking.results.labels import alpha_text, rate_text
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_text

NOTE = (
    "Brackets: 95% t-interval over the bases' means (of one base, over seeds; of task policies "
    "that bases share, over both). Agrees: what the paper saved, with one base and one seed, is "
    "where one more base and seed are expected. Above 1%: seeds that violate more often."
)
VERDICTS = {True: "yes", False: "no", None: "–"}


def print_steps_saved(console: Console, saved: pd.DataFrame) -> None:
    """Print the rows over all bases, or say that there are none."""
    rows = plain_rows(saved[saved["base"] == ALL])
    if not rows:
        say(console, "Steps saved: no finished cell under a constant ratio α")
        return
    for name in dict.fromkeys(map(name_of, rows)):
        console.print(_table(name, [row for row in rows if name_of(row) == name]))
    say(console, NOTE)


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    bases = max(row["bases"] for row in rows)
    many = f"{bases} base{'' if bases == 1 else 's'}"
    table = narrow_table(f"Steps saved over {many}: {name}")
    add_columns(table, "α", "saved", "paper", "agrees", "violations", "worst", "above 1%")
    for row in rows:
        paper = row["saved_published"]
        table.add_row(
            alpha_text(row["alpha"]),
            interval_text(row["saved"], row["saved_low"], row["saved_high"]),
            "–" if paper is None else f"{paper:.1f}",
            VERDICTS[row["agrees"]],
            rate_text(row["rate"]),
            rate_text(row["rate_worst"]),
            f"{row['seeds_above_1pct']} of {row['seeds']}",
        )
    return table


def name_of(row: Mapping[Any, Any]) -> str:
    """A row's series with what was swept beside α, and its T."""
    varied = f", {row['hyperparameters']}" if row["hyperparameters"] else ""
    return f"{series_text(str(row['series']))}{varied}, T = {row['horizon']}"
