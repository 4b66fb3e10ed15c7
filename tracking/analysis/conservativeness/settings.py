"""The study by setting: ladder, parts of the gap and spending, summarised over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.conservativeness.decomposition import PARTS
from sport_ray.tracking.analysis.conservativeness.rungs import RUNGS
from sport_ray.tracking.results.intervals import estimate, interquartile_mean, interval_text
from sport_ray.tracking.results.statistics import SETTING

SHARES = ("mean_allowed_share", "max_allowed_share", "mean_realised_share", "path_share")


def setting_table(
    ladder: pd.DataFrame, parts: pd.DataFrame, spending: pd.DataFrame
) -> pd.DataFrame:
    """One row per setting with a prior bound, in the ladder's order.

    - seeds, seeds_interval: how many, and what an interval over them is;
    - a column per rung: the bound of the worst seed (NaN if no seed has one), the mean observed
      rate; rate_low, rate_high: smallest and largest over seeds of their Clopper–Pearson ends;
      without_off_policy: seeds whose off-policy bound was refused or not asked for;
    - log10_prior: of the stated bound, finite where that overflows;
    - gap, gap_low, gap_high, gap_iqm: log10(stated bound / observed rate), mean over seeds with
      its interval, and interquartile mean; `gap_is_limit`: a seed without violations counts with
      the upper end of its interval, so all are at least that;
    - confidence, world, unreached, worst_case: means over seeds of the gap's parts;
    - `SHARES` and log10_unused: means over seeds, the max_… and path_… ones their maximum.
    """
    keys = [parts[name] for name in SETTING]
    rows: list[dict[str, Any]] = []
    for setting, group in parts.groupby(keys, dropna=False, sort=False):
        cells = set(group["cell_id"])
        lines = ladder[ladder["cell_id"].isin(cells)]
        used = spending[spending["cell_id"].isin(cells)]
        rows.append(
            dict(zip(SETTING, setting, strict=True)) | _summary(group, lines) | _spent(used)
        )
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(SETTING)
    return pd.DataFrame(rows, columns=names)


def _summary(parts: pd.DataFrame, lines: pd.DataFrame) -> dict[str, Any]:
    totals = parts["total"].to_numpy(np.float64)
    gap = estimate(totals)
    rate = lines[lines["rung"] == "empirical"]
    stated = lines[lines["stated"]]
    off_policy = lines[lines["rung"] == "off_policy"]
    found: dict[str, Any] = {
        "seeds": len(parts),
        "seeds_interval": interval_text(len(parts)),
        "stated": str(stated["rung"].iloc[0]),
    }
    for name in RUNGS:
        bounds = lines.loc[lines["rung"] == name, "bound"]
        found[name] = float(bounds.mean() if name == "empirical" else bounds.max())
    return found | {
        "rate_low": float(rate["low"].min()),
        "rate_high": float(rate["high"].max()),
        "without_off_policy": int(off_policy["bound"].isna().sum()),
        "log10_prior": float(stated["log10"].max()),
        "gap": gap.value,
        "gap_low": gap.low,
        "gap_high": gap.high,
        "gap_iqm": interquartile_mean(totals),
        "gap_is_limit": bool(parts["rate_is_limit"].any()),
        **{name: float(parts[name].mean(skipna=False)) for name in PARTS},
    }


def _spent(used: pd.DataFrame) -> dict[str, float]:
    if used.empty:
        return dict.fromkeys((*SHARES, "log10_granted", "log10_unused"), np.nan)
    shares = {
        name: float(used[name].max() if name.startswith(("max", "path")) else used[name].mean())
        for name in SHARES
    }
    return shares | {
        "log10_granted": float(used["log10_granted"].max()),
        "log10_unused": float(used["log10_unused"].min()),
    }
