"""How conservative the promises were: the ladder of every cell, and where its gap comes from.

From what is known longest beforehand to what is known last: prior bounds, which follow from the
certificate and the constraint alone; the off-policy bound, from scenarios of the base; the risk of
a limit chosen from such scenarios, for a list of policies and nothing about training; the posterior
bound, from scenarios of this policy; and the share of them that violated. A prior bound of another
kind stands in the ladder only where its theorem covers the policy.

The gap, in powers of ten, is the sum of four parts. With ε the certificate's bound and p̂ the
base's observed rate, W = α_μ·α_p^T, M the largest log ratio that any prefix of an evaluated path
realised, and r the policy's observed rate:

    log10(prior / r) = log10(ε / p̂)              confidence: a bound is paid for, no estimate
                     + log10 W                    world: how much likelier any path may be elsewhere
                     + log10(prior / (ε·W·e^M))   unreached: no path seen was that much likelier
                     + log10(p̂·e^M / r)           worst case: likelier paths are not the unsafe ones

M is what the scenarios show, not a theorem: 'unreached' is negative where the theorem grants less
than the likeliest path took.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.constraints import CONSTRAINTS, Constraint
from sport_ray.errors import UserError
from sport_ray.tracking.results.intervals import estimate
from sport_ray.tracking.results.kinds import class_of
from sport_ray.tracking.results.labels import bound_text, constraint_text, rate_text
from sport_ray.tracking.results.recomputed_bound import bound_of, world_of
from sport_ray.tracking.results.statistics import SETTING, rate_interval
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import (
    SELECTIONS,
    TITLES,
    series_of_row,
    series_text,
)

PARTS = {
    "confidence": "log10 of the base's bound over its observed rate",
    "world": "log10 of what a world that differs from the certificate's costs",
    "unreached": "log10 of the granted factor over that of the likeliest path",
    "worst_case": "the rest: the likelier paths are not the unsafe ones",
}
COLUMNS = {
    **dict.fromkeys(SETTING, "see docs/results-table.md"),
    "cell_id": "the cell",
    "seed": "its training seed",
    "prior_bound": "what the cell's own constraint promises",
    "off_policy_bound": "from scenarios of the base; empty: refused, or not asked for",
    "limit_level": "the risk of a list of limits that its test promises; empty: none",
    "posterior_bound": "from scenarios of this policy",
    "rate": "the share of them that violated",
    "rate_low": "lower end of its Clopper–Pearson interval (95%, pointwise)",
    "rate_high": "its upper end",
    "gap": "log10(prior_bound / rate): powers of ten, the sum of the four parts",
    "gap_is_limit": "none violated: rate_high stands for the rate, gap and worst_case are at least",
    **PARTS,
}
"""Columns of `ladder_table`; one per other kind whose theorem covers the policy follows."""
BOUNDS = ("off_policy_bound", "limit_level", "posterior_bound")
_OF_SOME = ("off_policy_bound", "posterior_bound")
"""Bounds that a setting has of those seeds that have one; another needs all of its seeds."""
_KEPT = ("project", "within", "start", "limits", "cost", "spend", "log_ratio_limit")


def ladder_table(frame: pd.DataFrame, certificate: Mapping[str, Any] | None) -> pd.DataFrame:
    """One row per finished cell with a prior bound, in the table's order; see ``COLUMNS``.

    frame: the results table. Parts are NaN where certificate or realised ratios are missing.
    """
    done = frame[(frame["status"] == "finished") & frame["prior_bound"].notna()]
    rows = [_rungs(row, certificate) for row in plain_rows(done)]
    others = {name for row in rows for name in row} - set(COLUMNS)
    ordered = sorted(CONSTRAINTS.values(), key=lambda kind: kind.order)
    known = [kind.name for kind in ordered if kind.name in others]
    table = pd.DataFrame(rows, columns=[*COLUMNS, *known])
    floats = [name for name in table.columns if name not in {*SETTING, "cell_id", "seed"}]
    return table.astype(dict.fromkeys(floats, float) | {"gap_is_limit": bool})


def _rungs(row: dict[str, Any], certificate: Mapping[str, Any] | None) -> dict[str, Any]:
    scenarios, violations = row["num_scenarios"], row["num_violations"]
    low, high = rate_interval(scenarios, violations)
    log10_rate = math.log10(violations / scenarios if violations else high)
    log10_prior = _log10(row["prior_bound"])
    reached = row["max_prefix_log_ratio"]
    log10_reached = math.nan if reached is None else reached / math.log(10.0)
    log10_eps, log10_world = _log10(row["eps_base"]), _log10(world_of(row))
    log10_base = _log10_base_rate(certificate, row["horizon"])
    return {
        **{name: row[name] for name in (*SETTING, "cell_id", "seed", "prior_bound", *BOUNDS)},
        "rate": violations / scenarios,
        "rate_low": low,
        "rate_high": high,
        "gap": log10_prior - log10_rate,
        "gap_is_limit": violations == 0,
        "confidence": log10_eps - log10_base,
        "world": log10_world,
        "unreached": log10_prior - log10_eps - log10_world - log10_reached,
        "worst_case": log10_base + log10_reached - log10_rate,
        **other_bounds(row, certificate),
    }


def other_bounds(row: Mapping[str, Any], certificate: Mapping[str, Any] | None) -> dict[str, float]:
    """The prior bounds of other kinds whose theorems cover the policy of this record, by kind.

    Kinds that keep to the same, by what they inherit, and that hold for what the policy draws from
    (a choice among candidates is no Gaussian). One that looks at more of the certificate than
    ε_base(T) is left out where α was derived from a risk, and so from the same scenarios.
    """
    own = class_of(row["constraint"])
    found: dict[str, float] = {}
    if own is None:
        return found
    proofs = {own.prior_bound}
    for kind in sorted(CONSTRAINTS.values(), key=lambda one: one.order):
        covers = kind.promises() and all(getattr(kind, n) is getattr(own, n) for n in _KEPT)
        fixed = kind.simultaneous or row["eps_max"] is None
        if covers and fixed and kind.prior_bound not in proofs and _holds_for(kind, row):
            proofs.add(kind.prior_bound)
            bound = bound_of(kind, row, certificate)
            if bound is not None:
                found[kind.name] = bound
    return found


def _holds_for(kind: type[Constraint], row: Mapping[str, Any]) -> bool:
    """Whether a kind's theorem covers what policies of the record's source draw from.

    Of a source that is not known here, only if it covers Gaussians and choices alike.
    """
    stated = row.get("family")
    stated = stated if isinstance(stated, str) and stated else None  # of a table it may be NaN
    if stated is None and row["source"] in TITLES and row["source"] not in SELECTIONS:
        return True  # Gaussians: no kind leaves them out
    from sport_ray.families import Categorical, Gaussian, family_named  # torch takes seconds

    try:
        for family in (Categorical, Gaussian) if stated is None else (family_named(stated),):
            kind.from_record(row).require_family(family)
    except UserError:
        return False
    return True


def _log10_base_rate(certificate: Mapping[str, Any] | None, horizon: int) -> float:
    """Of the base within T; where none violated, the upper end of the interval."""
    if certificate is None:
        return math.nan
    count, total = certificate["table"]["num_violations"][horizon - 1], certificate["num_scenarios"]
    return math.log10(count / total if count else rate_interval(total, 0)[1])


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def setting_table(ladder: pd.DataFrame) -> pd.DataFrame:
    """One row per setting of a `ladder_table`, in its order.

    seeds; each bound of the worst seed; rate, and the parts, means over seeds; rate_low and
    rate_high, the smallest and largest over seeds; gap with gap_low and gap_high, its 95%
    t-interval over seeds (NaN from one); gap_is_limit, of some seed.
    """
    bounds = ["prior_bound", *other_kinds(ladder), *BOUNDS]
    rows = []
    for setting, cells in ladder.groupby([ladder[n] for n in SETTING], dropna=False, sort=False):
        gap = estimate(cells["gap"])
        rows.append(
            dict(zip(SETTING, setting, strict=True))
            | {"seeds": len(cells), "rate": cells["rate"].mean()}
            | {"rate_low": cells["rate_low"].min(), "rate_high": cells["rate_high"].max()}
            | {name: cells[name].max(skipna=name in _OF_SOME) for name in bounds}
            | gap.columns("gap")
            | {"gap_is_limit": bool(cells["gap_is_limit"].any())}
            | {name: cells[name].mean(skipna=False) for name in PARTS}
        )
    return pd.DataFrame(rows)


def other_kinds(table: pd.DataFrame) -> list[str]:
    """The columns of a ladder or its settings that are other kinds' bounds, in order."""
    return [name for name in table.columns if name in CONSTRAINTS]


def lead(settings: pd.DataFrame) -> str:
    """The gap in a sentence: of the setting with the largest prior bound that says something."""
    useful = settings[settings["prior_bound"] < 1]
    rows = useful if len(useful) else settings
    row = rows.sort_values(["prior_bound", "gap"]).iloc[-1]
    name = f"{series_text(series_of_row(row))}, {constraint_text(row)}, T = {row['horizon']}"
    seen = f"{rate_text(row['rate'])} of its scenarios violated" if row["rate"] else "none violated"
    least = "at least " if row["gap_is_limit"] else ""
    return (
        f"{name}: promised {bound_text(row['prior_bound'])}, {seen}. The promise is {least}"
        f"{_factor_text(row['gap'])} what was seen."
    )


def _factor_text(log10: float) -> str:
    value = 10.0 ** min(log10, 300.0) if np.isfinite(log10) else math.nan
    if not math.isfinite(value):
        return "an unknown number of times"
    return f"10^{log10:.1f} times" if value >= 1e4 else f"{value:.3g} times"
