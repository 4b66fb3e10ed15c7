"""Hypervolume of a Pareto front: one number for how good a whole set of policies is.

In two dimensions it is an area: of all (risk, cost) that some point of the set dominates, up to a
reference point. With the reference (1, c) it is the mean of what is saved against c when the
allowed risk is drawn evenly from 0 to 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tracking.csv_text import csv_text
from tracking.files import write_atomically
from tracking.kinds import is_base, kind_of
from tracking.pareto import RISK_KINDS, candidates
from tracking.performance import STEPS, performance_of
from tracking.task_policies import sources_of

REFERENCE_RISK = 1.0
ALL = "all"
COLUMNS = [
    "risk_kind",
    "horizon",
    "constraint",
    "method",
    "task_policy",
    "points",
    "reference_risk",
    "reference_performance",
    "reference_source",
    "hypervolume",
]


def hypervolume(points: np.ndarray, reference: tuple[float, float]) -> float:
    """Area that `points` (n, 2) dominate up to `reference`, both coordinates minimised.

    The measure of {z : z <= reference and some point <= z in both coordinates}; exact but for
    rounding, O(n log n). Points not below the reference in both coordinates add nothing; no points
    have area 0, a point at -inf an infinite one. Dominated and repeated points change nothing.

    Raises ValueError if `points` has another shape, or if anything is NaN.

    Source: Zitzler and Thiele, PPSN 1998.

    >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), (3.0, 3.0))
    3.0
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    if np.isnan(points).any():
        raise ValueError("points: expected numbers, got NaN")
    if np.isnan(reference).any():
        raise ValueError(f"reference: expected numbers, got {reference}")
    inside = points[(points < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    inside = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    # From each point's first coordinate to the next one's the best so far counts.
    width = np.diff(np.append(inside[:, 0], reference[0]))
    height = reference[1] - np.minimum.accumulate(inside[:, 1])
    # Of equal first coordinates only the last has a width, and 0 * inf is not nothing here.
    wide = width > 0
    return float(np.sum(width[wide] * height[wide]))


def hypervolume_table(
    settings: pd.DataFrame, certificate: dict[str, Any] | None = None
) -> pd.DataFrame:
    """Hypervolumes of a study's settings (`aggregate`), against the base policy; columns `COLUMNS`.

    For each kind of risk a row for all settings together and one for each (constraint, method,
    source of task policies).
    The reference risk is 1, so that the number is steps saved, or return gained, on average over
    allowed risks from 0 to 1. The reference performance is the base's own: at the longest T of the
    study, over all T together (``horizon`` missing), or, where performance at different T cannot
    be compared, at each T. It comes from α = 1, else from the certificate, else it is T itself
    (nobody takes longer); a return without α = 1 has no reference and no rows.

    Computed from means over seeds: no intervals.
    """
    measure = performance_of(settings)
    if not (settings["seeds"] > 0).any():  # an area of 0 would call it bad
        return pd.DataFrame(columns=COLUMNS)
    horizons = [None] if measure.across_horizons else sorted(settings["horizon"].unique())
    rows: list[dict[str, Any]] = []
    for horizon in horizons:
        reference, source = _reference(settings, horizon, certificate)
        if not np.isfinite(reference):
            continue
        for risk_kind in RISK_KINDS:
            chosen = candidates(settings, risk_kind)
            if horizon is not None:
                chosen = chosen[chosen["horizon"] == horizon]
            kinds = kind_of(chosen)
            groups: list[tuple[str, str, str, pd.DataFrame]] = [(ALL, ALL, ALL, chosen)]
            keys = list(zip(kinds, chosen["method"], sources_of(chosen), strict=True))
            for key in dict.fromkeys(keys):
                mask = np.array([one == key for one in keys], dtype=bool)
                kind, method, made_by = map(str, key)
                groups.append((kind, method, made_by, chosen[mask]))
            for kind, method, made_by, some in groups:
                both = np.column_stack(
                    [some["risk"].to_numpy(np.float64), measure.cost(some[measure.mean])]
                )
                worst = (REFERENCE_RISK, float(measure.cost(reference)))
                rows.append(
                    {
                        "risk_kind": risk_kind,
                        "horizon": horizon,
                        "constraint": kind,
                        "method": method,
                        "task_policy": made_by,
                        "points": len(some),
                        "reference_risk": REFERENCE_RISK,
                        "reference_performance": reference,
                        "reference_source": source,
                        "hypervolume": hypervolume(both, worst),
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def _reference(
    settings: pd.DataFrame, horizon: int | None, certificate: dict[str, Any] | None
) -> tuple[float, str]:
    """The base's own performance, and where it comes from."""
    measure = performance_of(settings)
    last = int(settings["horizon"].max() if horizon is None else horizon)
    base = settings[is_base(settings) & (settings["horizon"] == last)][measure.mean]
    base = base[np.isfinite(base)].drop_duplicates()
    if len(base):
        return float(base.mean()), f"the base (α = 1) at T = {last}"
    if measure is not STEPS:
        return np.nan, "unknown"
    steps = None if certificate is None else certificate.get("mean_steps_to_goal")
    if steps is not None:
        return float(steps), "the base in its certification scenarios"
    return float(last), f"T = {last} itself"


def write_hypervolume_csv(table: pd.DataFrame, path: Path) -> Path:
    """Write the table to `path` atomically."""
    return write_atomically(path, csv_text(table))
