"""A study side by side with published numbers: what was read off a paper, and what was measured.

Published numbers are tables in ``tracking/analysis/published/``, named by a study as
``tracking: {published: NAME}``: method, alpha, horizon, mean steps to the goal of the episodes
that satisfied the property, and violation rate, as read off the figures ('<0.01': below). Steps and
T are compared in actions, whatever the authors count from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.bounds import scenario_bound
from sport_ray.tracking.analysis.published import read_published
from sport_ray.tracking.analysis.steps_saved import ALL, steps_saved
from sport_ray.tracking.results.intervals import estimate, within_unit
from sport_ray.tracking.results.kinds import is_paper
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.task_policies import experiment_of, series_of

PAPER_SCENARIOS = 1_000
COLUMNS = {
    "method": "projected_ppo, or projected_at_deployment: a policy trained without a bound",
    "series": "ours that stands beside it: the method, or METHOD:SOURCE",
    "hyperparameters": "training parameters that are an axis of the sweep",
    "alpha": "largest density ratio to the base policy",
    "horizon": "T, actions",
    "horizon_published": "T as printed",
    "seeds": "training seeds of ours; the paper has one",
    "steps_published": "mean steps to the goal where the property was satisfied, as read",
    "steps_published_actions": "the same in actions",
    "steps": "the same of ours: mean over seeds of the policies' means",
    "steps_low": "95% t-interval over seeds, pointwise; none from one seed",
    "steps_high": "its upper end",
    "steps_difference": "ours minus published, in actions",
    "saved_published": "steps that the paper saved against its base (α = 1)",
    "saved": "ours against our base: mean over seeds",
    "saved_low": "95% t-interval over seeds, pointwise",
    "saved_high": "its upper end",
    "saved_agrees": "whether the paper's, to what can be read, is in the 95% prediction interval "
    "for one more seed of this base",
    "rate_published": "violation rate as read; '<0.01': below what the figure shows",
    "rate": "ours: mean over seeds",
    "rate_low": "95% t-interval over seeds, pointwise",
    "rate_high": "its upper end",
    "rate_worst": "of the worst seed",
    "rate_agrees": "whether our interval holds the published rate, or lies below a '<'",
    "posterior_worst": "posterior bound of the worst seed, all its scenarios",
    "posterior_worst_1000": "the same from its first 1,000 scenarios, as many as in the paper",
}
"""Columns of the comparison, with their meaning."""


def side_by_side(frame: pd.DataFrame, published: pd.DataFrame | None) -> pd.DataFrame:
    """One row per published setting and series with finished cells of the same.

    frame: the cells of one base. published: `read_published`, or None: then there is no row.
    Columns ``COLUMNS``.
    """
    if published is None or frame.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    saved = steps_saved({ALL: frame}, published)
    rows = [row for _, one in published.iterrows() for row in _rows(one, frame, saved)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def published_of(study: Mapping[str, Any]) -> pd.DataFrame | None:
    """The published table that a study names (``tracking.published``), or None."""
    name = (study.get("tracking") or {}).get("published")
    return None if name is None else read_published(name)


def _rows(published: pd.Series, frame: pd.DataFrame, saved: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each series that repeats the published setting."""
    ours = frame[
        (frame["status"] == "finished")
        & (experiment_of(frame) == published["method"])
        & is_paper(frame)
        & (frame["alpha"] == published["alpha"])
        & (frame["horizon"] == published["horizon_actions"])
    ]
    found = []
    for (series, varied), cells in ours.groupby([series_of(ours), texts_of(ours)], sort=True):
        line = saved[
            (saved["series"] == series)
            & (saved["hyperparameters"] == varied)
            & (saved["base"] == ALL)
            & (saved["alpha"] == published["alpha"])
            & (saved["horizon"] == published["horizon_actions"])
        ]
        about = {"series": series, "hyperparameters": varied}
        found.append({**about, **_row(published, cells, line.iloc[0])})
    return found


def _row(published: pd.Series, ours: pd.DataFrame, saved: Mapping[str, Any]) -> dict[str, Any]:
    # A seed that never reached the goal has no time to it: leaving it out would flatter.
    steps = estimate(ours["mean_steps_to_goal"])
    rate = within_unit(estimate(ours["empirical_violation_rate"]))
    return {
        "method": published["method"],
        "alpha": float(published["alpha"]),
        "horizon": int(published["horizon_actions"]),
        "horizon_published": int(published["horizon"]),
        "seeds": int(ours["seed"].nunique()),
        "steps_published": float(published["mean_steps_to_goal"]),
        "steps_published_actions": float(published["steps_actions"]),
        **steps.columns("steps"),
        "steps_difference": steps.value - float(published["steps_actions"]),
        **{name: saved[name] for name in ("saved_published", "saved", "saved_low", "saved_high")},
        "saved_agrees": saved["agrees"],
        "rate_published": str(published["violation_rate"]),
        **rate.columns("rate"),
        "rate_worst": float(ours["empirical_violation_rate"].max()),
        "rate_agrees": _agrees(str(published["violation_rate"]), rate.low, rate.high, rate.value),
        "posterior_worst": float(ours["posterior_bound"].max()),
        "posterior_worst_1000": _posterior_of_first(ours),
    }


def _agrees(published: str, low: float, high: float, value: float) -> bool:
    """Whether our mean rate may be what was published, to half of the last digit that was read."""
    if published.startswith("<"):
        return (value if np.isnan(high) else high) < float(published[1:])
    digits = len(published.partition(".")[2])
    reading = 0.5 * 10.0**-digits
    low, high = (value, value) if np.isnan(low) else (low, high)
    return low - reading <= float(published) <= high + reading


def _posterior_of_first(ours: pd.DataFrame) -> float:
    """The worst seed's posterior bound from its first 1,000 scenarios; NaN where unknown."""
    counts = ours["num_violations_1000"]
    if counts.isna().any():
        return float("nan")
    beta = float(ours["posterior_beta"].iloc[0])
    return scenario_bound(PAPER_SCENARIOS, int(counts.max()), beta)
