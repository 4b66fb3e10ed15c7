"""Hypervolume of a study: one number for how good a whole set of policies is.

The mean of what is saved against the base when the allowed risk is drawn evenly from 0 to 1 and
the best policy within it is played. 'The best' must not be picked by the numbers that it is then
credited with: the largest of many noisy means is above the truth, and the more so the more settings
there are. So it is cross-fitted over training seeds: at each allowed risk the other seeds choose
the setting, the seed left out says what was saved, and the mean is over the seeds left out. Where
nothing is gained it is 0 on average, however many settings there are, and may be below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.pareto import RISK_KINDS, candidates
from sport_ray.tracking.results.base_steps import BaseSteps
from sport_ray.tracking.results.kinds import is_base
from sport_ray.tracking.results.performance import STEPS, Performance, performance_of

REFERENCE_RISK = 1.0
ALL = "all"
COLUMNS = [
    "risk_kind",
    "horizon",
    "constraint",
    "source",
    "projected",
    "points",
    "reference_risk",
    "reference_performance",
    "reference_source",
    "hypervolume",
]


def staircase_gain(risks: np.ndarray, choose: np.ndarray, show: np.ndarray) -> float:
    """∫₀¹ of the shown gain of the setting that is chosen at each allowed risk.

    risks, choose, show (n,): a setting's risk, the gain by which it is chosen, the gain that it is
    credited with. Below the smallest risk nothing may be played and nothing is gained; settings at
    a risk of 1 or more count nowhere.

    >>> staircase_gain(np.array([0.5, 0.75]), np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    1.25
    """
    if not len(risks):
        return 0.0
    order = np.argsort(risks, kind="stable")
    risks, choose, show = (
        np.asarray(one, dtype=np.float64)[order] for one in (risks, choose, show)
    )
    best, total = -1, 0.0
    ends = np.minimum(np.append(risks[1:], REFERENCE_RISK), REFERENCE_RISK)
    for here, end in enumerate(ends):
        best = here if best < 0 or choose[here] > choose[best] else best
        total += max(float(end - risks[here]), 0.0) * float(show[best])
    return total


def hypervolume_table(
    settings: pd.DataFrame, base_at: Callable[[int], BaseSteps | None] | None = None
) -> pd.DataFrame:
    """Hypervolumes of a study's settings (`aggregate`), against the base policy; columns `COLUMNS`.

    For each kind of risk a row for all settings together (``all``) and one for each (constraint,
    source, projected).
    The reference risk is 1, so that the number is steps saved, or return gained, on average over
    allowed risks from 0 to 1. The reference performance is the base's own: at the longest T of the
    study, over all T together (``horizon`` missing), or, where performance at different T cannot
    be compared, at each T. It comes from α = 1 (for a seed that is left out, its own base run),
    else from the certificate's scenarios at T (``base_at``), else it is T itself (nobody takes
    longer); a return without α = 1 has no reference and no rows.

    NaN where fewer than two seeds have all of the settings: there is nothing to choose on. A mean
    over seeds left out, without an interval.
    """
    measure = performance_of(settings)
    if not (settings["seeds"] > 0).any():  # an area of 0 would call it bad
        return pd.DataFrame(columns=COLUMNS)
    horizons = [None] if measure.across_horizons else sorted(settings["horizon"].unique())
    rows: list[dict[str, Any]] = []
    for horizon in horizons:
        reference, reference_source = _reference(settings, horizon, base_at)
        if not np.isfinite(reference):
            continue
        own = _base_by_seed(settings, horizon, measure)
        for risk_kind in RISK_KINDS:
            chosen = candidates(settings, risk_kind)
            if horizon is not None:
                chosen = chosen[chosen["horizon"] == horizon]
            groups: dict[Any, pd.DataFrame] = {(ALL, ALL, None): chosen}
            groups |= dict(iter(chosen.groupby(["constraint", "source", "projected"], sort=False)))
            for (kind, source, projected), some in groups.items():
                rows.append(
                    {
                        "risk_kind": risk_kind,
                        "horizon": horizon,
                        "constraint": kind,
                        "source": source,
                        "projected": projected,
                        "points": len(some),
                        "reference_risk": REFERENCE_RISK,
                        "reference_performance": reference,
                        "reference_source": reference_source,
                        "hypervolume": _cross_fitted(some, measure, reference, own),
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def _cross_fitted(
    points: pd.DataFrame, measure: Performance, reference: float, own: dict[int, float]
) -> float:
    """The hypervolume of these settings, each seed in turn left out of the choice."""
    values = [dict(one) for one in points[measure.column("by_seed")]]
    seeds = sorted(set.intersection(*map(set, values))) if values else []
    if len(seeds) < 2:
        return np.nan
    gains = np.array([[own.get(seed, reference) - one[seed] for seed in seeds] for one in values])
    gains = measure.sign * gains
    costs = measure.cost([[one[seed] for seed in seeds] for one in values])
    risks = points["risk"].to_numpy(np.float64)
    found = []
    for i in range(len(seeds)):
        others = np.delete(costs, i, axis=1).mean(axis=1)
        found.append(staircase_gain(risks, -others, gains[:, i]))
    return float(np.mean(found))


def _base_rows(settings: pd.DataFrame, horizon: int | None, measure: Performance) -> pd.DataFrame:
    last = int(settings["horizon"].max() if horizon is None else horizon)
    base = settings[is_base(settings) & (settings["horizon"] == last)]
    found: pd.DataFrame = base[np.isfinite(base[measure.mean])]
    return found


def _base_by_seed(
    settings: pd.DataFrame, horizon: int | None, measure: Performance
) -> dict[int, float]:
    """What the base itself did in each seed's scenarios, at the reference's T."""
    found: dict[int, list[float]] = {}
    for row in _base_rows(settings, horizon, measure)[measure.column("by_seed")]:
        for seed, value in row:
            found.setdefault(seed, []).append(value)
    return {seed: float(np.mean(values)) for seed, values in found.items()}


def _reference(
    settings: pd.DataFrame, horizon: int | None, base_at: Callable[[int], BaseSteps | None] | None
) -> tuple[float, str]:
    """The base's own performance, and where it comes from."""
    measure = performance_of(settings)
    last = int(settings["horizon"].max() if horizon is None else horizon)
    base = _base_rows(settings, horizon, measure)[measure.mean].drop_duplicates()
    if len(base):
        return float(base.mean()), f"the base (α = 1) at T = {last}"
    if measure is not STEPS:
        return np.nan, "unknown"
    found = None if base_at is None else base_at(last)
    if found is not None:
        return found.mean, f"the base in its certification scenarios, cut at T = {last}"
    return float(last), f"T = {last} itself"
