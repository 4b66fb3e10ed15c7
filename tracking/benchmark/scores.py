"""Every score of a benchmark: task, base, method, risk and seed, with its bound and its reason."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd

from sport_ray.tracking.benchmark.folder import BenchFolder
from sport_ray.tracking.benchmark.judge import COUNTED, FAILED, UNFINISHED, Judged, judge
from sport_ray.tracking.benchmark.manifest import Manifest, Method
from sport_ray.tracking.benchmark.mixed import COIN_FLIP, MIXTURE, judge_mixed

COLUMNS = {
    "task": "the task",
    "base": "the base policy",
    "smoothness": "how smooth that base is, in a word",
    "method": "the method",
    "promise": "prior, data (limits from base scenarios), expected, or posterior (none)",
    "eps_max": "the risk that its bound must not exceed",
    "seed": "training seed",
    "score": "the share where the bound allows it, else 0; empty: not run, or nothing to share",
    "share": "share of the unconstrained gain, whatever the bound",
    "state": "counted, or why not",
    "judged_by": "which bound: prior, data or posterior",
    "bound": "that bound of its violation probability",
    "violation_rate": "observed in its evaluation; of a mixture the mean of its parts'",
    "num_scenarios": "of that evaluation; empty of mixtures",
    "reason": "why the score is 0 or missing, in words",
    "cell_id": "the cell; empty of mixtures and where there is none",
}
"""Columns of ``scores.csv``."""


def scores_of(folders: list[BenchFolder], manifest: Manifest) -> pd.DataFrame:
    """A row per folder, method, risk and seed, of methods that the folder's study has."""
    rows = [
        _row(folder, method, level, seed, one)
        for folder in folders
        for method in manifest.methods
        for level in manifest.risk_levels
        for seed in manifest.seeds
        if (one := _judged(folder, method, level, seed)) is not None
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["score", "share", "bound", "violation_rate"]
    return table.astype(dict.fromkeys(numbers, "float64") | {"num_scenarios": "Int64"})


def _judged(folder: BenchFolder, method: Method, level: float, seed: int) -> Judged | None:
    if method.kind in (COIN_FLIP, MIXTURE):
        return judge_mixed(folder, method.kind, level, seed)
    return judge(folder, method, level, seed)


def _row(
    folder: BenchFolder, method: Method, level: float, seed: int, one: Judged
) -> dict[str, Any]:
    share = folder.gain.share(one.value, seed)
    why_not, score = folder.gain.why_not, 0.0
    if one.state == COUNTED and not why_not and math.isnan(share):
        one = replace(one, state=FAILED, reason=f"it has no {folder.gain.measure.name}")
    if why_not or one.state == UNFINISHED:
        score = math.nan
    elif one.state == COUNTED:
        score = share
    return {
        "task": folder.about.task,
        "base": folder.about.base,
        "smoothness": folder.about.level,
        "method": method.name,
        "promise": method.promise,
        "eps_max": level,
        "seed": seed,
        "score": score,
        "share": share,
        "state": one.state,
        "judged_by": one.judged_by,
        "bound": one.bound,
        "violation_rate": one.rate,
        "num_scenarios": one.scenarios,
        "reason": why_not or one.reason,
        "cell_id": one.cell_id,
    }
