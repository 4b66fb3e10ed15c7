"""Mixtures of a study's cells, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.console import add_columns, narrow_table, say
from sport_ray.tracking.results.intervals import estimate
from sport_ray.tracking.results.labels import bound_text, rate_text
from sport_ray.tracking.results.mixtures import BEST, parts_text, saved_by_seed, worst

TITLE = "Random budgets: the best mixture for each certified risk"
NOTE = (
    "Saved: mean task steps against the base, on fresh scenarios; 95% t-interval over seeds. "
    "Expected: the same from the cells that the mixture was picked by, so of the best of many. "
    "Observed: violation rate of the worst seed."
)


def print_mixtures(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Print a row for each level of risk and kind, and what is mixed."""
    if not rows:
        return
    printed = narrow_table(TITLE)
    printed.add_column("ε_max", justify="right", no_wrap=True)
    add_columns(printed, "kind", "promised", "saved", "expected", "observed")
    many = len({row["horizon"] for row in rows}) > 1
    for row in rows:
        name = f"{row['kind']}, T = {row['horizon']}" if many else row["kind"]
        saved = estimate(saved_by_seed(row).to_numpy())
        printed.add_row(
            f"{row['eps_max']:g}",
            name,
            bound_text(row["bound"]),
            interval_text(saved.value, saved.low, saved.high),
            f"{row['expected_saved']:.2f}",
            rate_text(worst(row)[0]),
        )
    console.print(printed)
    for row in rows:
        if row["kind"] == BEST:
            say(console, f"ε_max = {row['eps_max']:g}, T = {row['horizon']}: {parts_text(row)}")
    say(console, NOTE)
