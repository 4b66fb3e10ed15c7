"""Limits from data, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console

from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.console import add_columns, narrow_table, say
from sport_ray.tracking.results.labels import alpha_text, bound_text, kind_text
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_text

NOTE = (
    "Both limits promise the same risk. From data: the largest of a list that scenarios of the "
    "base allow, before the policy acts; of this list of policies, nothing about training. "
    "Brackets: 95%, over seeds. Observed rates: limits.csv."
)


def print_limits(console: Console, limits: pd.DataFrame) -> None:
    """Print what limits from data save beside the prior ones; nothing where there are no lists."""
    rows = plain_rows(limits)
    if not rows:
        return
    table = narrow_table("Limits from data, beside the prior ones")
    add_columns(table, "policy", "ε_max", "prior", "saves", "from data", "saves", "gain")
    for row in rows:
        table.add_row(
            _name(row),
            bound_text(row["eps_max"]),
            alpha_text(row["prior_limit"]),
            interval_text(row["prior_saved"], None, None),
            alpha_text(row["limit"]),
            interval_text(row["saved"], None, None),
            interval_text(row["gain"], row["gain_low"], row["gain_high"]),
        )
    console.print(table)
    say(console, NOTE)


def _name(row: Mapping[str, Any]) -> str:
    parts = series_text(str(row["series"])), kind_text(row["constraint"]), f"T = {row['horizon']}"
    return "\n  ".join(parts)
