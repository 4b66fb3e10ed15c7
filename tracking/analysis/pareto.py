"""The Pareto front of a study: risk, to be small, against performance.

Three kinds of risk, never mixed in one front:
- ``prior_bound``: certified before any rollout of the task policy; only settings below 1 count.
- ``posterior_bound``: from fresh rollouts of the finished policy; of a setting's worst seed.
- ``empirical_violation_rate``: what was observed, pooled over seeds; an estimate, no bound.

The horizon T is a choice of the designer, like alpha: a front of steps to goal runs over both.
Returns over different T are different sums: there each T has a front of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sport_ray.tracking.results.kinds import is_base
from sport_ray.tracking.results.performance import Performance, performance_of
from sport_ray.tracking.results.statistics import SETTING

SAME_RISK = 1e-6
RISK_KINDS = ("prior_bound", "posterior_bound", "empirical_violation_rate")


def pareto_columns(measure: Performance) -> list[str]:
    """The columns of the fronts' table."""
    return [
        "risk_kind",
        *SETTING,
        "seeds",
        "risk",
        measure.mean,
        measure.column("low"),
        measure.column("high"),
        measure.column("interval"),
        "prior_bound",
        "posterior_bound",
        "empirical_violation_rate",
    ]


def pareto_front(points: np.ndarray) -> np.ndarray:
    """Which of the points (n, 2) are not dominated, both coordinates minimised: a bool mask (n,).

    A point is dominated if another is no larger in both coordinates and smaller in one; equal
    points do not dominate each other. Sort and cumulative minimum, O(n log n). Raises ValueError
    if `points` has another shape or holds NaN.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    if np.isnan(points).any():
        raise ValueError("points: expected numbers, got NaN")
    first, group = np.unique(points[:, 0], return_inverse=True)
    best = np.full(first.size, np.inf)
    np.minimum.at(best, group, points[:, 1])
    previous = np.concatenate([[np.inf], np.minimum.accumulate(best)[:-1]])[: first.size]
    # At the smallest risk every cost is below the empty minimum, an infinite one included.
    beats_smaller_risks = (points[:, 1] < previous[group]) | (group == 0)
    found: np.ndarray = beats_smaller_risks & (points[:, 1] == best[group])
    return found


def candidates(settings: pd.DataFrame, risk_kind: str) -> pd.DataFrame:
    """The settings (rows of `aggregate`) that may stand on a front of this kind of risk.

    They finished, have a performance (reached the goal) with every seed, and their risk is below
    1: a bound of 1 says nothing. For the prior bound the constraint held in all that was seen.
    The base policy stands in a study once per kind and method (α = 1): where all numbers are the
    same it is one point, and the paper's constraint keeps it.
    """
    if risk_kind not in RISK_KINDS:
        raise ValueError(f"risk_kind: expected one of {RISK_KINDS}, got {risk_kind!r}")
    usable = (settings["seeds"] > 0) & np.isfinite(settings[performance_of(settings).mean])
    usable &= settings[risk_kind] < 1
    if risk_kind == "prior_bound":
        usable &= settings["certified"]
    chosen = settings[usable].copy()
    chosen.insert(0, "risk_kind", risk_kind)
    chosen["risk"] = chosen[risk_kind].astype(np.float64)
    if risk_kind == "prior_bound":
        # Bounds derived from one ε_max differ in their last digits, and nobody chooses by those.
        target = chosen["eps_max"].astype(np.float64)
        alike = (chosen["risk"] <= target) & (chosen["risk"] >= target * (1 - SAME_RISK))
        chosen["risk"] = chosen["risk"].where(~alike, target)
    # The rows come by method and kind, the paper's first.
    measured = [name for name in settings.columns if name not in SETTING]
    again = chosen.duplicated(subset=["horizon", *measured], keep="first")
    found: pd.DataFrame = chosen[~(again & is_base(chosen))]
    return found


def front_mask(points: pd.DataFrame, measure: Performance) -> np.ndarray:
    """Which `candidates` of one kind of risk are on the front, or on that of their own T: (n,)."""
    both = np.column_stack(
        [points["risk"].to_numpy(np.float64), measure.cost(points[measure.mean])]
    )
    mask = np.zeros(len(points), dtype=bool)
    for rows in front_groups(points, measure):
        mask[rows] = pareto_front(both[rows])
    return mask


def front_groups(points: pd.DataFrame, measure: Performance) -> list[np.ndarray]:
    """Which rows are compared with each other: all, or those of one T (masks, (n,))."""
    if measure.across_horizons:
        return [np.ones(len(points), dtype=bool)]
    horizons = points["horizon"].to_numpy()
    return [horizons == horizon for horizon in np.unique(horizons)]


def pareto_table(settings: pd.DataFrame) -> pd.DataFrame:
    """All fronts, certified first, each by growing risk; columns `pareto_columns`."""
    measure = performance_of(settings)
    fronts = []
    for kind in RISK_KINDS:
        chosen = candidates(settings, kind)
        front = chosen[front_mask(chosen, measure)]
        fronts.append(front.sort_values(["risk", "horizon", "source"], kind="stable"))
    return pd.concat(fronts, ignore_index=True)[pareto_columns(measure)]
