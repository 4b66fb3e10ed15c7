"""Sources of task policies compared, as they are and projected: what each gained, risked and cost.

From the results table alone. A source's policy as it is and its projections share the training that
made it: the cost stands in each of their rows, and is paid once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.results.kinds import promise_of
from sport_ray.tracking.results.performance import performance_of
from sport_ray.tracking.results.statistics import SETTING, cells_of, rate_interval
from sport_ray.tracking.results.task_policies import (
    TRAINED_UNDER,
    has_other_sources,
    series_of,
    series_text,
)

COSTS = ("train_env_steps", "train_episodes", "train_violations", "train_seconds")
MEANINGS = {
    "name": "source and whether its policy is under a constraint, in words",
    "projection": "no, at deployment, or in training and at deployment",
    **dict.fromkeys(SETTING, "see docs/results-table.md"),
    "seeds": "finished seeds; failed_seeds are not in any number",
    "failed_seeds": "seeds whose cell failed",
    "performance": "what is compared: time to goal, or return",
    "value": "its mean over seeds",
    "value_low": "95% t-interval over seeds, pointwise; empty from one seed",
    "value_high": "its upper end",
    "rate": "observed violation rate, mean over seeds",
    "rate_low": "95% t-interval over seeds, pointwise; empty from one seed",
    "rate_high": "its upper end",
    "worst_rate": "observed violation rate of the worst seed's policy",
    "worst_rate_low": "95% Clopper–Pearson interval of that one policy",
    "worst_rate_high": "its upper end",
    "posterior_bound": "of the worst seed's policy",
    "prior_bound": "promised before any rollout; empty where nothing is",
    "promise": "promises that the policies carry: prior, posterior, or none",
    "train_env_steps": "environment steps per policy in all, mean over seeds",
    "train_episodes": "episodes per policy in training and data collection, mean over seeds",
    "train_violations": "of these, those that violated the property, late ones included",
    "train_seconds": "wall time of training per policy, s, mean over seeds",
}
"""Columns of `task_policy_table`."""


def task_policy_table(frame: pd.DataFrame, settings: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, source by source, each as it is and then projected; see ``MEANINGS``.

    frame: the results table; settings: its `aggregate`. Empty if PPO is the only source.
    """
    if not has_other_sources(settings):
        return pd.DataFrame(columns=list(MEANINGS))
    measure = performance_of(settings)
    done = settings[settings["seeds"] > 0]
    done = done.assign(promise=promise_of(done))
    done = done.assign(name=series_of(done).map(series_text))
    rows = []
    for _, one in done.iterrows():
        cells = cells_of(frame, one)
        rows.append(
            {
                **{key: one[key] for key in ("name", *SETTING)},
                "projection": _projection(one),
                "seeds": one["seeds"],
                "failed_seeds": one["failed_seeds"],
                "performance": measure.name,
                "value": one[measure.mean],
                "value_low": one[measure.column("low")],
                "value_high": one[measure.column("high")],
                **{f"rate{end}": one[f"mean_violation_rate{end}"] for end in ("", "_low", "_high")},
                **_worst(cells),
                **{key: one[key] for key in ("posterior_bound", "prior_bound", "promise")},
                **{name: cells[name].astype(float).mean(skipna=False) for name in COSTS},
            }
        )
    table = pd.DataFrame(rows, columns=list(MEANINGS))
    order = {source: rank for rank, source in enumerate(dict.fromkeys(table["source"]))}
    ranks = table.assign(rank=table["source"].map(order))
    ranks = ranks.sort_values(["horizon", "rank", "projected"], kind="stable")
    return table.loc[ranks.index].reset_index(drop=True)


def _projection(setting: pd.Series) -> str:
    if not setting["projected"]:
        return "no"
    in_training = setting["source"] in TRAINED_UNDER
    return "in training and at deployment" if in_training else "at deployment"


def _worst(cells: pd.DataFrame) -> dict[str, float]:
    """The rate of the seed that violated most, with the interval of that one policy."""
    rates = cells["empirical_violation_rate"].to_numpy(np.float64)
    worst = cells.iloc[int(np.argmax(rates))]
    low, high = rate_interval(int(worst["num_scenarios"]), int(worst["num_violations"]))
    return {"worst_rate": float(rates.max()), "worst_rate_low": low, "worst_rate_high": high}


def count_text(value: Any) -> str:
    """A mean count as people read it: '120,000', '3.4'; '–' where nobody counted."""
    if value is None or pd.isna(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.1f}"
