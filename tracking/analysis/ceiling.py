"""What no policy under a pathwise ratio A can beat: the fastest 1/A share of the base's episodes.

A policy whose path ratio is at most A = ε_max / ε_base can at best be the base's law on that share.
With one start state only; unknown for random layouts, and where no steps were kept.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sport_ray.tracking.results.records import Results

Counts = dict[object, np.ndarray]


def step_counts(folder: Results, base: pd.DataFrame) -> Counts:
    """Episodes of the base by their steps of the task, for each row of `base`; {} if unknown."""
    if folder.study.get("environment", {}).get("kwargs", {}).get("layout", "fixed") != "fixed":
        return {}
    found: Counts = {}
    for key, cell_id in zip(base.index, base["cell_id"], strict=True):
        samples = folder.samples(cell_id)
        if samples is None or "task_steps" not in samples:
            return {}
        found[key] = samples["task_steps"].astype(np.float64)
    return found


def fastest(counts: Counts, part: float) -> float:
    """Mean steps of the fastest `part` of all episodes, pooled; NaN without any."""
    length = max((len(one) for one in counts.values()), default=0)
    pooled = sum((np.pad(one, (0, length - len(one))) for one in counts.values()), np.zeros(length))
    wanted = part * pooled.sum()
    if not wanted > 0:
        return math.nan
    taken = np.minimum(pooled, np.maximum(wanted - (pooled.cumsum() - pooled), 0.0))
    return float((taken * np.arange(length)).sum() / wanted)


def ceiling_saved(counts: Counts, slow: pd.Series, part: float) -> pd.Series:
    """Steps that the fastest `part` saves against the base's mean steps `slow`, by seed.

    Each seed's own share, moved so that their mean is that of the pooled episodes; empty if that
    is unknown.
    """
    best = fastest(counts, part)
    if not math.isfinite(best):
        return pd.Series(dtype=np.float64)
    own = slow - pd.Series({seed: fastest({0: one}, part) for seed, one in counts.items()})
    return own + (float(slow.mean()) - best - float(own.mean()))
