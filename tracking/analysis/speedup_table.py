"""What certified risk buys, as tables: one per T and ε_max, for the report and the terminal."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from rich.console import Console

from sport_ray.tracking.analysis.speedup import CEILING, COIN_FLIP, speedup_table
from sport_ray.tracking.console import add_columns, narrow_table, shown
from sport_ray.tracking.results.labels import rate_text
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.table import plain_rows

TITLE = "Steps saved against the base, by certified risk ε_max"
NUMBERS = {False: 43, True: 56}
"""Columns of the terminal that the numbers of a row need, without intervals and with them."""
NOTE = (
    "Intervals: 95%, over seeds, none from one seed; those of the ratios are in speedup.csv. "
    "{}. Gain: over the "
    "paper's fixed α. Budgets promise the risk of a whole episode only: "
    "they give up the bound on every step."
)
OF = {
    "ceiling": "Ceiling: the share of what no policy under the same pathwise ratio can beat",
    "share": "Share: of what the unconstrained policy saves",
}
"""What saved steps are a share of: of the ceiling where it is known."""


def levels_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """`speedup_table` in parts: {"horizon", "eps_max", "rows": plain rows, most saved first}."""
    return [
        {
            "horizon": int(rows["horizon"].iloc[0]),
            "eps_max": float(rows["eps_max"].iloc[0]),
            "rows": plain_rows(rows.sort_values("saved", ascending=False, kind="stable")),
        }
        for _, rows in table.groupby(["horizon", "eps_max"])
    ]


def interval_text(value: float | None, low: float | None, high: float | None) -> str:
    """A share or a factor with its interval, two digits: '0.31 [0.28, 0.34]'."""
    if value is None or pd.isna(value):
        return "–"
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return f"{value:.2f}"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def percent_text(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval in whole percent: '85% [82%, 88%]'."""
    if value is None or pd.isna(value):
        return "–"
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return f"{value:.0%}"
    return f"{value:.0%} [{low:.0%}, {high:.0%}]"


def print_speedup(console: Console, folder: Results, frame: pd.DataFrame) -> None:
    """Print the comparison of a study (`frame`: its results table), if there is one to make."""
    table = speedup_table(folder, frame)
    if table.empty:
        return
    printed = narrow_table(TITLE)
    printed.add_column("ε_max", justify="right", no_wrap=True)
    of = "ceiling" if table["of_ceiling"].notna().any() else "share"
    add_columns(printed, "kind", "saved", of, "gain", "observed")
    room = console.width - NUMBERS[bool(table["saved_low"].notna().any())]
    many = table["horizon"].nunique() > 1
    for level in levels_of(table):
        for index, row in enumerate(level["rows"]):
            risk = f"{level['eps_max']:g}" if index == 0 else ""
            kind = f"{row['kind']}, T = {level['horizon']}" if many else row["kind"]
            gain = row["gain_over_paper"]
            reference = row["kind"] in (COIN_FLIP, CEILING)
            printed.add_row(
                risk,
                shown("\n  ".join(textwrap.wrap(kind, room))),
                interval_text(row["saved"], row["saved_low"], row["saved_high"]),
                percent_text(row["of_ceiling" if of == "ceiling" else "share"], None, None),
                "–" if gain is None else f"{gain:.2f}×",
                rate_text(row["worst_violation_rate"]),
                style="dim" if reference else None,
            )
        printed.add_section()
    console.print(printed)
    console.print(NOTE.format(OF[of]), style="dim")
