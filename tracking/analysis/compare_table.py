"""A comparison of two studies on the terminal."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich.console import Console

from sport_ray.tracking.analysis.compare import Comparison
from sport_ray.tracking.analysis.pareto_table import in_two_lines
from sport_ray.tracking.console import add_columns, narrow_table
from sport_ray.tracking.results.table import plain_rows

NOTE = (
    "Setting by setting: second minus first. Brackets: 95% t-intervals over training seeds, each "
    "on its own (pointwise), so of many some will miss, and no verdict rests on them; without "
    "brackets there is one seed."
)
_LONGEST = 44


def print_comparison(console: Console, comparison: Comparison, first: str, second: str) -> None:
    """Print the verdict and its number, what differs, the matched settings, and the rest."""
    console.print(comparison.verdict, style="bold", highlight=False)
    console.print(_number_with_interval(comparison), highlight=False, soft_wrap=True)
    if comparison.warning:
        console.print(comparison.warning, style="bold yellow", highlight=False)
    else:
        console.print("The same base policy, environment and property.", highlight=False)
    _parameters(console, comparison, first, second)
    if comparison.table.empty:
        console.print("No setting is in both studies.")
    else:
        _settings(console, comparison.table, first)
        console.print(NOTE, style="dim", highlight=False)
    for name, only in ((first, comparison.only_first), (second, comparison.only_second)):
        if only:
            console.print(f"Only in {name}: {'; '.join(only)}", highlight=False)


def _parameters(console: Console, comparison: Comparison, first: str, second: str) -> None:
    if not comparison.parameters:
        console.print("The same parameters in study and certificate.", highlight=False)
        return
    table = narrow_table("Parameters that differ")
    for name in ("parameter", first, second):
        table.add_column(name, overflow="fold")
    for row in comparison.parameters:
        table.add_row(*(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in row))
    console.print(table)


def _settings(console: Console, rows: pd.DataFrame, first: str) -> None:
    measure = rows["performance"].iloc[0]
    table = narrow_table(f"Setting by setting: {measure}, and observed violation rate")
    table.caption = f"seeds: {'; '.join(dict.fromkeys(rows['pairing']))}"
    add_columns(table, "setting", measure, "difference", "rate", "difference")
    for row in plain_rows(rows):
        table.add_row(
            in_two_lines(row["setting"].replace(" = ", "="), 0),
            _number(row["performance_a"], 2),
            _difference(row, "performance", 2),
            _number(row["rate_a"], 4),
            _difference(row, "rate", 4),
        )
    console.print(table)
    console.print(f"{measure} and rate: of {first}.", style="dim", highlight=False)


def _number_with_interval(comparison: Comparison) -> str:
    value, low, high = comparison.difference
    if math.isnan(value):
        return f"Not known: {comparison.estimand}."
    interval = "no interval" if math.isnan(low) else f"95% t-interval {low:+.3g} to {high:+.3g}"
    return f"{value:+.3g} ({interval}): {comparison.estimand}."


def _difference(row: dict[str, Any], label: str, digits: int) -> str:
    value, low, high = (row[f"{label}_{part}"] for part in ("difference", "low", "high"))
    if value is None:
        return "–"
    if low is None or high is None or math.isnan(low):
        return f"{value:+.{digits}f}"
    return f"{value:+.{digits}f}\n[{low:+.{digits}f}, {high:+.{digits}f}]"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
