"""How the gap grows with α and T: slopes by least squares, per method and kind of constraint.

A seed's cells at different α are no independent runs: they share their evaluation scenarios, and
some methods the trained policy. So a line is fitted to each seed by itself; the slope is the mean
over seeds, its interval a t-interval of their slopes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.results.intervals import UNKNOWN, estimate
from sport_ray.tracking.results.statistics import SETTING

TARGETS = ("posterior", "empirical")
GROWTH = {
    "gap": "from the stated prior bound down to: posterior, empirical",
    "along": "α: per tenfold α, at one T; T: per step, at one α; both: per power of ten of α^T",
    "at": "the T or α that is held, if any",
    "slope": "powers of ten of the gap per unit of `along`",
    "low": "95% t-interval over seeds, pointwise; empty from one seed",
    "high": "the same, upper end",
    "prior_slope": "slope of the prior bound itself: the gap's would be this if the risk stood "
    "still",
    "seeds": "seeds with a slope of their own",
    "cells": "cells that the slope rests on",
    "left_out": "cells without a number for it (no violation was seen)",
}
"""Columns of `growth_table` beside method, kind of constraint and what else is no axis."""
_AXES = ("alpha", "eps_max", "horizon")


def growth_table(ladder: pd.DataFrame) -> pd.DataFrame:
    """Slopes of the gap of a `ladder_table`, for settings with an α that the study gave.

    An α that was derived from an ε_max depends on T, and is left out.
    """
    stated = ladder[ladder["stated"] & ladder["alpha"].notna() & ladder["eps_max"].isna()]
    groups = [name for name in SETTING if name not in _AXES]
    rows: list[dict[str, Any]] = []
    for target in TARGETS if len(stated) else ():
        values = ladder[ladder["rung"] == target].set_index("cell_id")["log10"]
        cells = stated.assign(
            gap=(stated["log10"] - stated["cell_id"].map(values)).where(np.isfinite),
            log10_alpha=np.log10(stated["alpha"]),
            steps=stated["horizon"].astype(float),
        )
        cells = cells.assign(granted=cells["steps"] * cells["log10_alpha"])
        keys = [cells[name] for name in groups]
        for names, group in cells.groupby(keys, dropna=False, sort=False):
            named = dict(zip(groups, names, strict=True)) | {"gap": target}
            rows += [named | one for one in _slopes(group)]
    return pd.DataFrame(rows, columns=[*groups, *GROWTH])


def _slopes(cells: pd.DataFrame) -> list[dict[str, Any]]:
    found = [_slope(cells, "granted", "both", math.nan)]
    for horizon, rows in cells.groupby("horizon"):
        found.append(_slope(rows, "log10_alpha", "α", float(horizon)))  # type: ignore[arg-type]
    for alpha, rows in cells.groupby("alpha"):
        found.append(_slope(rows, "steps", "T", float(alpha)))  # type: ignore[arg-type]
    return [one for one in found if one["seeds"]]


def _slope(cells: pd.DataFrame, x: str, along: str, at: float) -> dict[str, Any]:
    known = cells[cells["gap"].notna()]
    by_seed, prior, used = [], [], 0
    for _, rows in known.groupby("seed"):
        if rows[x].nunique() < 2:
            continue
        by_seed.append(fitted_slope(rows[x].to_numpy(float), rows["gap"].to_numpy(float)))
        prior.append(fitted_slope(rows[x].to_numpy(float), rows["log10"].to_numpy(float)))
        used += len(rows)
    one = estimate(by_seed) if by_seed else UNKNOWN
    return {
        "along": along,
        "at": at,
        "slope": one.value,
        "low": one.low,
        "high": one.high,
        "prior_slope": float(np.mean(prior)) if prior else math.nan,
        "seeds": len(by_seed),
        "cells": used,
        "left_out": len(cells) - used,
    }


def fitted_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Least-squares slope of y over x.

    >>> fitted_slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    2.0
    """
    centred = x - x.mean()
    return float(centred @ y / (centred @ centred))
