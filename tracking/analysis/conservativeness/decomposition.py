"""Where the gap comes from: log10(prior bound / observed rate) of a cell in four parts.

With ε the certificate's bound and p̂ the base's observed rate, W = α_μ·α_p^T, G = prior / (ε·W) the
factor that the theorem grants to the task policy (α^T under the paper's constraint), M the largest
log ratio that any prefix of an evaluated path realised, and r the policy's observed rate:

    log10(prior / r) = log10(ε / p̂)          confidence: a bound is paid for, not an estimate
                     + log10 W                world: how much likelier any path may be elsewhere
                     + log10(G / e^M)         unreached: no path seen was that much likelier
                     + log10(p̂ · e^M / r)     worst case: likelier paths are not the unsafe ones

The sum is exact. M is the largest of the scenarios that were run, so 'unreached' is what they
show, and not a theorem; it is negative where the theorem grants less than the likeliest path took.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sport_ray.tracking.analysis.conservativeness.rungs import (
    LN10,
    Value,
    log10_world,
    prior_values,
    stated_rung,
)
from sport_ray.tracking.results.statistics import SETTING, rate_interval
from sport_ray.tracking.results.table import plain_rows

PARTS = {
    "confidence": "the base's bound over its observed rate",
    "world": "a world that differs from the certificate's",
    "unreached": "the granted factor over that of the likeliest path",
    "worst_case": "the likelier paths are not the unsafe ones",
}
COLUMNS = [
    *SETTING,
    "cell_id",
    "seed",
    "total",
    *PARTS,
    "log10_prior",
    "log10_rate",
    "log10_base_rate",
    "rate_is_limit",
    "base_rate_is_limit",
]


def decompose(frame: pd.DataFrame, certificate: Mapping[str, Any] | None) -> pd.DataFrame:
    """One row per finished cell with a prior bound; columns `COLUMNS`, parts in powers of ten.

    Where no scenario violated, the rate is the upper end of its Clopper–Pearson interval (97.5%
    one-sided) and `rate_is_limit` is true: `total` and `worst_case` are then at least that. The
    base's likewise (`base_rate_is_limit`: `confidence` is at least that, and `worst_case` at most).
    Parts are NaN where the certificate or the realised ratios are missing.
    """
    done = plain_rows(frame[frame["status"] == "finished"])
    rows = [one for row in done if (one := _parts(row, certificate)) is not None]
    return pd.DataFrame(rows, columns=COLUMNS)


def _parts(row: dict[str, Any], certificate: Mapping[str, Any] | None) -> dict[str, Any] | None:
    stated = stated_rung(row)
    value: Value | None = prior_values(row, certificate).get(stated or "")
    if value is None or not row.get("eps_base"):
        return None
    log10_rate, rate_is_limit = _rate(row["num_scenarios"], row["num_violations"])
    base = _base_counts(certificate, int(row["horizon"]))
    log10_base, base_is_limit = (math.nan, False) if base is None else _rate(*base)
    log10_eps, log_world = math.log10(row["eps_base"]), log10_world(row)
    reached = row.get("max_prefix_log_ratio")
    log10_reached = math.nan if reached is None else reached / LN10
    return {
        **{key: row.get(key) for key in SETTING},
        "cell_id": row["cell_id"],
        "seed": row["seed"],
        "total": value.log10 - log10_rate,
        "confidence": log10_eps - log10_base,
        "world": log_world,
        "unreached": value.log10 - log10_eps - log_world - log10_reached,
        "worst_case": log10_base + log10_reached - log10_rate,
        "log10_prior": value.log10,
        "log10_rate": log10_rate,
        "log10_base_rate": log10_base,
        "rate_is_limit": rate_is_limit,
        "base_rate_is_limit": base_is_limit,
    }


def _rate(scenarios: int, violations: int) -> tuple[float, bool]:
    if violations:
        return math.log10(violations / scenarios), False
    return math.log10(rate_interval(scenarios, 0)[1]), True


def _base_counts(certificate: Mapping[str, Any] | None, horizon: int) -> tuple[int, int] | None:
    if certificate is None:
        return None
    table = certificate["table"]
    counts = dict(zip(table["horizon"], table.get("num_violations", ()), strict=False))
    count = counts.get(horizon)
    return None if count is None else (certificate["num_scenarios"], count)
