"""Steps saved against the base at each α, per base policy and over several, beside the paper's.

Saved by a policy: mean steps to the goal at α = 1 less those at α, of one base and training seed;
at α = 1 a policy is the base. Of the paper the same difference, which does not depend on how it
counts (`sport_ray.tracking.analysis.published`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.results.intervals import MIN_SEEDS, Estimate, estimate
from sport_ray.tracking.results.kinds import is_paper
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.task_policies import experiment_of, series_of
from sport_ray.tracking.results.two_levels import (
    pooled,
    pooled_crossed,
    prediction,
    prediction_crossed,
)

ALL = "all"
"""In the place of a base: over all of them."""
RATE = 0.01
"""What the paper's figures do not tell from 0: seeds above it are counted."""
COLUMNS = {
    "series": "who makes the policy, and how it is used: a method, or METHOD:SOURCE",
    "source": "source of the task policy",
    "alpha": "largest density ratio to the base policy",
    "horizon": "T, actions",
    "hyperparameters": "training parameters that are an axis of the sweep",
    "base": f"base policy by its name, or {ALL!r}: over the bases that have this α",
    "bases": "how many bases",
    "seeds": "training seeds, of all these bases",
    "saved": "steps saved: mean over seeds; of all, mean over bases of these means",
    "saved_low": "95% t-interval, pointwise: of one base over its seeds; of all over the bases' "
    "means, with one degree of freedom less than there are bases, or, where bases share their task "
    "policies, over bases and seeds",
    "saved_high": "its upper end",
    "prediction_low": "95% prediction interval for one further seed: of one base, of that base; of "
    "all, of one further base (both variances)",
    "prediction_high": "its upper end",
    "saved_published": "the paper's: of one base and one seed",
    "saved_published_low": "less what reading two figures may be off",
    "saved_published_high": "and more",
    "agrees": "whether these ends reach into the prediction interval",
    "rate": "violation rate: mean over seeds; of all, mean over bases",
    "rate_worst": "of the worst seed",
    "seeds_above_1pct": f"seeds whose rate is above {RATE:g}",
    "rate_published": "the paper's, as read",
}
"""Columns of ``steps_saved.csv``, with their meaning."""
_LINE = ["series", "source", "horizon", "hyperparameters"]


def steps_saved(
    frames: Mapping[str, pd.DataFrame], published: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per series, T, α and base, and one over all bases; columns ``COLUMNS``.

    frames: the table of cells of each base. published: `read_published`'s table, or None. Only
    cells under a constant ratio, the paper's constraint. Where a seed never reached the goal no
    steps are saved that could be told: leaving it out would flatter.
    """
    parts = [_differences(frame).assign(base=base) for base, frame in frames.items()]
    cells = pd.concat(parts) if parts else pd.DataFrame()
    rows: list[dict[str, Any]] = []
    if cells.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    for key, group in cells.groupby([*_LINE, "alpha"], sort=True):
        line = dict(zip([*_LINE, "alpha"], key, strict=True))
        paper = _published(line, published, group)
        by_base = {base: group[group["base"] == base] for base in frames}
        having = {base: one for base, one in by_base.items() if not one.empty}
        for base, one in having.items():
            rows.append({**line, "base": base, **_numbers([one]), **paper})
        rows.append({**line, "base": ALL, **_numbers(list(having.values())), **paper})
    for row in rows:
        row["agrees"] = _agrees(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _differences(frame: pd.DataFrame) -> pd.DataFrame:
    """Finished cells under a constant ratio with the steps that each saved."""
    done = frame[(frame["status"] == "finished") & is_paper(frame) & frame["alpha"].notna()]
    done = done.assign(
        series=series_of(done),
        experiment=experiment_of(done),
        hyperparameters=texts_of(done),
    )
    own = [*_LINE, "seed"]
    base = done.loc[done["alpha"] == 1.0, [*own, "mean_steps_to_goal"]].drop_duplicates(own)
    joined = done.merge(base, on=own, how="left", suffixes=("", "_base"), validate="many_to_one")
    saved = joined["mean_steps_to_goal_base"] - joined["mean_steps_to_goal"]
    return joined.assign(saved=saved.astype(np.float64))


def _numbers(bases: list[pd.DataFrame]) -> dict[str, Any]:
    """What one row says of one base's cells, or of several bases'."""
    shared = _share_policies(bases)
    saved = _by_common_seed(bases) if shared else [one["saved"].to_numpy() for one in bases]
    rates = pd.concat([one["empirical_violation_rate"] for one in bases]).astype(np.float64)
    means = [float(one["empirical_violation_rate"].mean()) for one in bases]
    mean = (pooled_crossed if shared else pooled)(saved)
    expected: Estimate = (prediction_crossed if shared else prediction)(saved)
    return {
        "bases": len(bases),
        "seeds": sum(len(one) for one in bases),
        **mean.columns("saved"),
        "prediction_low": expected.low,
        "prediction_high": expected.high,
        "rate": estimate(means).value,
        "rate_worst": float(rates.max()),
        "seeds_above_1pct": int((rates > RATE).sum()),
    }


def _by_common_seed(bases: list[pd.DataFrame]) -> list[np.ndarray]:
    """Steps saved of the seeds that every base has, in one order."""
    tables = [one.drop_duplicates("seed").set_index("seed")["saved"] for one in bases]
    common = sorted(set.intersection(*(set(one.index) for one in tables)))
    return [one.loc[common].to_numpy() for one in tables]


def _share_policies(bases: list[pd.DataFrame]) -> bool:
    """Whether seeds are the same task policies for several bases, made once for all."""
    if len(bases) < MIN_SEEDS:
        return False
    by_seed = pd.concat(bases).groupby("seed")["policy_digest"]
    several = by_seed.count() > 1
    return bool(several.any() and (by_seed.nunique()[several] == 1).all())


def _published(
    line: Mapping[str, Any], published: pd.DataFrame | None, group: pd.DataFrame
) -> dict[str, Any]:
    """The paper's difference at the same α and T, in actions, with the error of two readings."""
    if published is None:
        return {}
    here = published[
        (published["method"] == group["experiment"].iloc[0])
        & (published["horizon_actions"] == line["horizon"])
    ]
    base, own = here[here["alpha"] == 1.0], here[here["alpha"] == line["alpha"]]
    if base.empty or own.empty:
        return {}
    saved = float(base["steps_actions"].iloc[0] - own["steps_actions"].iloc[0])
    error = float(base["reading_error"].iloc[0] + own["reading_error"].iloc[0])
    error = 0.0 if line["alpha"] == 1.0 else error  # the same figure
    return {
        "saved_published": round(saved, 9),
        "saved_published_low": round(saved - error, 9),
        "saved_published_high": round(saved + error, 9),
        "rate_published": str(own["violation_rate"].iloc[0]),
    }


def _agrees(row: Mapping[str, Any]) -> bool | None:
    """None where there is nothing to compare: the base itself, no interval, no published number."""
    low, high = row["prediction_low"], row["prediction_high"]
    if "saved_published" not in row or row["alpha"] == 1.0 or not np.isfinite([low, high]).all():
        return None
    reaches_up: bool = row["saved_published_high"] >= low
    return bool(reaches_up and row["saved_published_low"] <= high)
