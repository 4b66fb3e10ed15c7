"""Cells of one setting, summarised over training seeds.

A setting is (source of the policy, whether it is projected, constraint, alpha, eps_max, place in a
list of limits, horizon, hyperparameters): a budget has no alpha and is told apart by the risk that
it was derived from, or by its place. Its
seeds are different policies, so their violations are not draws from one binomial: counts are
pooled for the picture only, and never given a Clopper-Pearson bound. The posterior bound of a
setting is that of its worst policy.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sport_ray.bounds import scenario_bound
from sport_ray.tracking.results.intervals import (
    CONFIDENCE,
    estimate,
    interquartile_mean,
    interval_text,
    standard_error,
    within_unit,
)
from sport_ray.tracking.results.refutation import is_refuted

SETTING = [
    "source",
    "projected",
    "constraint",
    "alpha",
    "eps_max",
    "limit_rank",
    "horizon",
    "hyperparameters",
]
MEASURES = {
    "steps_to_goal": "mean_steps_to_goal",
    "task_steps": "mean_task_steps",
    "return": "mean_return",
    "violation_rate": "empirical_violation_rate",
}
"""What is summarised over seeds by mean and interquartile mean, and the cells' column of it."""


def rate_interval(
    num_scenarios: int, num_violations: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Two-sided Clopper–Pearson interval of one policy's violation probability, pointwise.

    Each side fails with at most half of 1 − `confidence`; 0 and 1 where a side says nothing.

    >>> low, high = rate_interval(500, 0)
    >>> low, round(high, 5)
    (0.0, 0.00735)
    """
    tail = (1.0 - confidence) / 2.0
    upper = scenario_bound(num_scenarios, num_violations, tail)
    lower = 1.0 - scenario_bound(num_scenarios, num_scenarios - num_violations, tail)
    return max(lower, 0.0), upper


def aggregate(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per setting of a results table, in its order; seeds that failed only counted.

    Columns beside the setting:
    - seeds, failed_seeds: finished and failed cells;
    - mean_steps_to_goal: over seeds, of the cells' means (NaN if a finished seed never reached the
      goal: leaving it out would flatter the setting);
    - steps_low, steps_high, steps_interval: 95% t-interval of the mean over seeds (NaN from one
      seed), and a text that says which;
    - std_steps_to_goal: over all successful scenarios of all seeds;
    - steps_standard_error: of the mean, from scenarios alone (seeds taken as given);
    - steps_seed_error: of the mean, from the spread over seeds, which has the scenarios' in it;
    - steps_by_seed: (seed, mean) of each finished seed;
    - mean_return, return_low, return_high, return_interval, return_standard_error,
      return_seed_error, return_by_seed: the same of the undiscounted return, over all evaluation
      scenarios;
    - num_scenarios, num_violations, empirical_violation_rate: pooled over seeds, no interval;
      min_/max_empirical_violation_rate: over seeds;
    - prior_bound (the largest; seeds share it), posterior_bound (the worst policy's),
      min_posterior_bound; NaN if one is missing;
    - certified: every finished seed is; refuted: some seed is;
    - for each of `MEASURES`, m: mean_m (over seeds, with mean_m_low, mean_m_high) and iqm_m, the
      interquartile mean (below 4 seeds the mean; it has no interval). The interval is the 95%
      t-interval over seeds, pointwise, NaN from one seed; seeds_interval says which.
    """
    keys = [frame[name] for name in SETTING]
    rows = [
        {**dict(zip(SETTING, setting, strict=True)), **_summarise(group)}
        for setting, group in frame.groupby(keys, dropna=False, sort=False)
    ]
    if rows:
        return pd.DataFrame(rows)
    none = frame.iloc[:0]  # columns and their types are there, also of no setting
    return none[SETTING].join(pd.DataFrame([_summarise(none)]).iloc[:0])


def cells_of(frame: pd.DataFrame, setting: pd.Series) -> pd.DataFrame:
    """The finished cells of a setting (a row of `aggregate`)."""
    mask = frame["status"] == "finished"
    for name in SETTING:
        same = frame[name].isna() if pd.isna(setting[name]) else frame[name] == setting[name]
        mask &= same.fillna(False).astype(bool)
    return frame[mask]


def _summarise(group: pd.DataFrame) -> dict[str, object]:
    done = group[group["status"] == "finished"]
    successes = done["num_scenarios"] - done["num_violations"]
    scenarios, violations = int(done["num_scenarios"].sum()), int(done["num_violations"].sum())
    rates = done["empirical_violation_rate"]
    return {
        "seeds": len(done),
        "failed_seeds": len(group) - len(done),
        **_performance(done, "steps", "steps_to_goal", successes),
        **_performance(done, "return", "return", done["num_scenarios"]),
        "num_scenarios": scenarios,
        "num_violations": violations,
        "empirical_violation_rate": violations / scenarios if scenarios else np.nan,
        "min_empirical_violation_rate": rates.min(),
        "max_empirical_violation_rate": rates.max(),
        "prior_bound": done["prior_bound"].max(skipna=False),
        "posterior_bound": done["posterior_bound"].max(skipna=False),
        "min_posterior_bound": done["posterior_bound"].min(skipna=False),
        "certified": bool(len(done)) and bool(done["certified"].all()),
        "refuted": is_refuted(done),
        **_over_seeds_of(done),
    }


def _over_seeds_of(done: pd.DataFrame) -> dict[str, object]:
    found: dict[str, object] = {"seeds_interval": interval_text(len(done))}
    for measure, column in MEASURES.items():
        seeds = done[column].to_numpy(np.float64)
        one = estimate(seeds)
        one = within_unit(one) if measure == "violation_rate" else one
        found |= one.columns(f"mean_{measure}")
        found[f"iqm_{measure}"] = interquartile_mean(seeds)
    return found


def _performance(
    done: pd.DataFrame, stem: str, measure: str, counts: pd.Series
) -> dict[str, object]:
    """Columns of a measure of performance, each seed's a mean over so many scenarios."""
    values = done[f"mean_{measure}"].to_numpy(np.float64)
    known = bool(values.size and np.isfinite(values).all())
    _, low, high = estimate(values)
    deviation, error = _pooled_deviation(
        values, done[f"std_{measure}"].to_numpy(np.float64), counts.to_numpy(np.float64)
    )
    return {
        f"{stem}_low": low,
        f"{stem}_high": high,
        f"{stem}_interval": interval_text(values.size) if known else "none",
        f"std_{measure}": deviation,
        f"{stem}_standard_error": error,
        f"{stem}_seed_error": standard_error(values),
        f"{stem}_by_seed": tuple(zip(done["seed"].astype(int), values.tolist(), strict=True)),
    }


def _pooled_deviation(
    means: np.ndarray, deviations: np.ndarray, counts: np.ndarray
) -> tuple[float, float]:
    """Standard deviation over the scenarios of all seeds, and the error of the mean of means."""
    if not means.size or not np.isfinite(means).all() or not np.isfinite(deviations).all():
        return np.nan, np.nan
    if not (counts > 0).all():
        return np.nan, np.nan
    centre = np.average(means, weights=counts)
    spread = np.average(deviations**2 + (means - centre) ** 2, weights=counts)
    error = np.sqrt(np.sum(deviations**2 / counts)) / means.size
    return float(np.sqrt(spread)), float(error)
