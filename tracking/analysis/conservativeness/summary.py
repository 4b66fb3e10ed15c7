"""The study in sentences, every number from its tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.conservativeness.decomposition import PARTS
from sport_ray.tracking.analysis.conservativeness.rungs import RUNGS
from sport_ray.tracking.results.kinds import RATIO
from sport_ray.tracking.results.labels import (
    Row,
    bound_text,
    constraint_text,
    method_text,
    rate_text,
)
from sport_ray.tracking.results.statistics import MIN_SEEDS_FOR_INTERVAL
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of, series_of_row

_IN_WORDS = {
    "confidence": "the certificate's confidence",
    "world": "the other world",
    "unreached": "the ratio that no path reached",
    "worst_case": "likelier paths that were not the unsafe ones",
}


@dataclass(frozen=True)
class Summary:
    """The lead sentence, and a paragraph per question."""

    lead: str
    ladder: tuple[str, ...]
    parts: tuple[str, ...]
    spending: tuple[str, ...]
    growth: tuple[str, ...]


def summarise(settings: pd.DataFrame, growth: pd.DataFrame) -> Summary:
    """Sentences about a `setting_table` and a `growth_table`; the first needs one row at least."""
    example = _example(settings)
    return Summary(
        _lead(example),
        tuple(_ladder(example, settings)),
        tuple(_parts(settings)),
        tuple(_spending(settings)),
        tuple(_growth(growth)),
    )


def power_text(log10: float | None) -> str:
    """A factor given by its decimal logarithm, as people say it.

    >>> [power_text(x) for x in (0.3, 1.2, -0.1, 8.27, float("nan"))]
    ['2 times', '16 times', '0.79 times', '10^8.3 times', 'unknown']
    """
    if log10 is None or math.isnan(log10):
        return "unknown"
    if abs(log10) > 4:
        return f"10^{log10:.1f} times"
    value = 10.0**log10
    return f"{value:.0f} times" if value >= 10 else f"{value:.2g} times"


def number_text(low: float, value: float, high: float, digits: int = 2) -> str:
    """A number with its interval, '1.20 [1.10, 1.31]'; without one, the number alone."""
    if math.isnan(low) or math.isnan(high):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _paper(settings: pd.DataFrame) -> pd.DataFrame:
    rows = settings[settings["constraint"].fillna(RATIO) == RATIO]
    return rows[rows["alpha"].notna()]


def _example(settings: pd.DataFrame) -> pd.Series:
    """The largest α of the paper's constraint that is still promised anything, if there is one."""
    rows = _paper(settings)
    rows = rows if len(rows) else settings
    useful = rows[rows["log10_prior"] < 0]
    rows = useful if len(useful) else rows
    return rows.sort_values(["alpha", "log10_prior"], ascending=[False, True]).iloc[0]


def _name(row: pd.Series) -> str:
    return f"{_made(row)}, {constraint_text(row)}, T = {row['horizon']}"


def _made(row: Row) -> str:
    return method_text(series_of_row(row))


def _promised(row: pd.Series) -> str:
    log10 = float(row["log10_prior"])
    return bound_text(10.0**log10) if log10 < 0 else f"10^{log10:.1f} (1 or more: nothing)"


def _lead(row: pd.Series) -> str:
    seen = (
        f"violated in {rate_text(row['empirical'])} of its scenarios"
        if row["empirical"] > 0
        else "was never seen to violate"
    )
    promised = f"{_name(row)}: promised {_promised(row)}, and the policy {seen}"
    if not row["empirical"] > 0:
        at_least = power_text(float(row["log10_prior"]) - math.log10(row["rate_high"]))
        return f"{promised}: the promise is at least {at_least} what that leaves possible (95%)."
    gap = float(row["log10_prior"]) - math.log10(row["empirical"])
    return f"{promised}: the promise is {power_text(gap)} what was seen."


def _ladder(row: pd.Series, settings: pd.DataFrame) -> list[str]:
    steps = [
        f"{RUNGS[name].label} {bound_text(row[name])}"
        for name in RUNGS
        if name != "empirical" and not pd.isna(row[name])
    ]
    said = [f"{_name(row)}, rung by rung: {', '.join(steps)}, observed rate "
            f"{rate_text(row['empirical'])} (bounds of the worst seed, mean rate)."]  # fmt: skip
    missing, all_seeds = int(settings["without_off_policy"].sum()), int(settings["seeds"].sum())
    if missing:
        said.append(
            f"{missing} of {all_seeds} cells have no off-policy bound: it was not asked for, or "
            "the base's scenarios say too little about a policy so far from the base."
        )
    above = settings[settings["posterior"] > 10.0 ** np.minimum(settings["log10_prior"], 0)]
    if len(above):
        said.append(
            f"In {len(above)} of {len(settings)} settings the posterior bound of the worst seed is "
            "above the promise: so few evaluation scenarios cannot confirm so small a risk, and "
            "the promise is the better bound there."
        )
    return said


def _parts(settings: pd.DataFrame) -> list[str]:
    said = []
    rows = _paper(settings)
    rows = rows[rows[list(PARTS)].notna().all(axis=1) & (rows["alpha"] > 1)]
    for _, group in rows.groupby([series_of(rows), rows["horizon"]], sort=False):
        ordered = group.sort_values("alpha")
        for row in plain_rows(ordered.iloc[[0, -1]] if len(ordered) > 1 else ordered):
            known = {name: row[name] for name in PARTS if abs(row[name]) > 5e-3}
            listed = ", ".join(f"{_IN_WORDS[name]} {value:+.2f}" for name, value in known.items())
            said.append(
                f"{_made(row)}, α = {row['alpha']:g}, T = {row['horizon']}: "
                f"{'at least ' if row['gap_is_limit'] else ''}{row['gap']:.2f} powers of ten = "
                f"{listed}."
            )
    return said


def _spending(settings: pd.DataFrame) -> list[str]:
    rows = _paper(settings)
    rows = rows[rows["path_share"].notna()]
    if rows.empty:
        return []

    def span(name: str) -> str:
        low, high = rows[name].min(), rows[name].max()
        same = f"{low:.0%}" == f"{high:.0%}"
        return f"{low:.0%}" if same else f"{low:.0%} to {high:.0%}"

    most = rows.sort_values("log10_unused").iloc[-1]
    mass = rows.sort_values("log10_prior").iloc[-1]
    return [
        f"Under a constant ratio the likeliest action of a step has {span('mean_allowed_share')} "
        f"of log α on average, the actions that were drawn {span('mean_realised_share')}, and the "
        f"likeliest of all paths {span('path_share')} of T·log α.",
        f"{_name(most)}: of a factor 10^{most['log10_granted']:.1f} that the bound pays for, "
        f"no path used the last 10^{most['log10_unused']:.1f}.",
        f"At α = {mass['alpha']:g} the share {1 - 1 / mass['alpha']:.0%} of α·π_base is no "
        "policy's at any step (the artificial probability mass); over T = "
        f"{mass['horizon']} steps the bound reckons with a mass of 10^"
        f"{mass['horizon'] * math.log10(mass['alpha']):.1f} where a policy has 1.",
    ]


def _growth(growth: pd.DataFrame) -> list[str]:
    if growth.empty:
        return ["Fewer than two α, or than two T: no slope."]
    said = []
    rows = growth[(growth["gap"] == "posterior") & (growth["constraint"].fillna(RATIO) == RATIO)]
    for row in plain_rows(rows):
        method = _made(row)
        slope = number_text(_or_nan(row["low"]), row["slope"], _or_nan(row["high"]))
        promise = f"{row['prior_slope']:.2f}"
        if row["along"] == "both":
            said.append(
                f"{method}: per power of ten of α^T the gap to the posterior bound grows by "
                f"{slope} powers of ten, the promise itself by {promise}."
            )
        elif row["along"] == "α":
            said.append(
                f"{method}, T = {row['at']:g}: per tenfold α by {slope} (the promise by {promise})."
            )
    few = growth["seeds"].max() < MIN_SEEDS_FOR_INTERVAL
    said.append(
        "One seed: slopes have no interval."
        if few
        else "Brackets: 95% t-intervals over seeds, each slope on its own (pointwise)."
    )
    return said


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
