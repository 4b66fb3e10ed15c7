"""The ladder of every cell as a tidy table: a row per cell and rung, gaps in powers of ten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.conservativeness.rungs import (
    RUNGS,
    Value,
    measured_values,
    prior_values,
    stated_rung,
)
from sport_ray.tracking.results.labels import confidence_text
from sport_ray.tracking.results.statistics import INTERVAL_CONFIDENCE, SETTING, rate_interval
from sport_ray.tracking.results.table import plain_rows

LADDER = {
    "cell_id": "the cell",
    "seed": "its training seed",
    "rung": "ratio, gauss_renyi, violation_time, pathwise, mean_shift, off_policy, posterior, "
    "empirical",
    "stage": "prior, off-policy, posterior or empirical",
    "stated": "whether this is the bound that the cell's constraint promises (its prior_bound)",
    "bound": "probability, not clipped at 1; empty: there is none",
    "log10": "decimal logarithm of it, also where it overflows; −inf: no violation was seen",
    "vacuous": "the bound is 1 or more and says nothing",
    "next_rung": "the next rung down that has a number",
    "gap_to_next": "log10 of this over the next: powers of ten; negative where the next is higher",
    "gap_to_rate": "log10 of this over the observed rate; empty where none violated",
    "gap_to_rate_at_least": "the same to the upper end of the rate's interval",
    "low": "of the observed rate: lower end of its interval",
    "high": "of the observed rate: upper end of its interval (Clopper–Pearson, 95%, pointwise)",
    "beta": "what the bound fails with at most",
    "confidence": "the same in words, and what holds together with it",
    "assumes": "what must be true for it to hold",
    "note": "why there is no number",
}
"""Columns of `ladder_table` beside those of a setting, and what they mean."""


def ladder_table(frame: pd.DataFrame, certificate: Mapping[str, Any] | None) -> pd.DataFrame:
    """One row per finished cell of a results table and rung, in the table's order.

    Columns: those of a setting (`sport_ray.tracking.results.statistics.SETTING`) and `LADDER`. The
    certificate is needed for the violation-time bound alone.
    """
    done = frame[frame["status"] == "finished"]
    rows = [line for row in plain_rows(done) for line in _ladder(row, certificate)]
    table = pd.DataFrame(rows, columns=[*SETTING, *LADDER])
    for name in ("bound", "log10", "gap_to_next", "gap_to_rate", "gap_to_rate_at_least", "low",
                 "high", "beta", "alpha", "eps_max"):  # fmt: skip
        table[name] = table[name].astype(np.float64)
    return table


def _ladder(row: dict[str, Any], certificate: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    values: dict[str, Value] = {**prior_values(row, certificate), **measured_values(row)}
    stated = stated_rung(row)
    low, high = rate_interval(row["num_scenarios"], row["num_violations"])
    rate = values["empirical"].log10
    known = [name for name, value in values.items() if not math.isnan(value.log10)]
    lines = []
    for name, value in values.items():
        is_rate = name == "empirical"
        below = known[known.index(name) + 1 :] if name in known else []
        next_rung = below[0] if below else None
        bound_here = not is_rate and not math.isnan(value.log10)
        lines.append(
            {
                **{key: row.get(key) for key in SETTING},
                "cell_id": row["cell_id"],
                "seed": row["seed"],
                "rung": name,
                "stage": RUNGS[name].stage,
                "stated": name == stated,
                "bound": value.bound,
                "log10": value.log10,
                "vacuous": bound_here and value.log10 >= 0.0,
                "next_rung": next_rung,
                "gap_to_next": _gap(value.log10, values[next_rung].log10) if next_rung else None,
                "gap_to_rate": _gap(value.log10, rate) if bound_here else None,
                "gap_to_rate_at_least": value.log10 - math.log10(high) if bound_here else None,
                "low": low if is_rate else None,
                "high": high if is_rate else None,
                "beta": value.beta,
                "confidence": _confidence(value, is_rate),
                "assumes": RUNGS[name].assumes,
                "note": value.note,
            }
        )
    return lines


def _gap(upper: float, lower: float) -> float:
    """Upper − lower; NaN where there is no number to compare with (no violation was seen)."""
    return upper - lower if math.isfinite(lower) else math.nan


def _confidence(value: Value, is_rate: bool) -> str:
    if is_rate:
        return f"interval: {INTERVAL_CONFIDENCE:.0%}, pointwise"
    if value.beta is None:
        return "unknown"
    return f"{confidence_text(value.beta)}, {value.together}"
