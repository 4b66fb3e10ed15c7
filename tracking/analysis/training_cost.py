"""What training cost in violations, setting by setting: promised, bounded, counted."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sport_ray.tracking.results.labels import setting_text
from sport_ray.tracking.results.table import plain_rows

COLUMNS = {
    "setting": "the setting",
    "horizon": "T, steps",
    "runs": "training runs, one per seed",
    "risk": "each episode of training violates, given the past, at most so; the worst run's",
    "episodes_most": "episodes that a run may begin, the most of any run",
    "episodes": "episodes that began, all runs",
    "expected": "expected violations at most, p times episodes, all runs; empty for p = 1",
    "bound": "violations of one run exceed this with probability at most beta; the largest of any; "
    "empty for p = 1",
    "beta": "the bound of a run fails with at most this",
    "worst": "violations counted in the worst run",
    "counted": "violations counted, all runs",
    "held": "whether every run stayed within its bound; empty where nothing is promised",
}


def training_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per setting that trained, those without a promise last; empty where none did.

    A source whose policy serves every constraint trained once: it is told of as it is. frame: as
    ``results.table.table_of``.
    """
    done = frame[frame["status"] == "finished"]
    ran = done["train_episodes_most"].fillna(0) > 0
    promised, empty = (done["train_risk"] < 1) & ran, (done["train_risk"] >= 1) & ran
    free = empty | (done["train_risk"].isna() & ~done["projected"].astype(bool))
    trained = done["train_episodes"].fillna(0) > 0
    found = []
    for chosen in (promised, free & trained):
        cells = done[chosen]
        names = [setting_text(row) for row in plain_rows(cells)]
        for (name, _), rows in cells.groupby([names, "horizon"], sort=False):
            horizon = int(rows["horizon"].iloc[0])
            found.append({"setting": name, "horizon": horizon, **_cost(rows)})
    return pd.DataFrame(found, columns=list(COLUMNS))


def _cost(rows: pd.DataFrame) -> dict[str, Any]:
    """Of the training runs of one setting, a row each."""
    begun = rows["train_episodes_begun"].fillna(rows["train_episodes"])
    counted, bound = rows["train_violations"], rows["train_violations_bound"]
    known = counted.notna() & bound.notna()
    promised = bool((rows["train_risk"] < 1).all())
    expected = rows["train_violations_expected"].where(rows["train_risk"] < 1)
    return {
        "runs": len(rows),
        "risk": _or_none(rows["train_risk"].max()),
        "episodes_most": _or_none(rows["train_episodes_most"].max()),
        "episodes": _or_none(begun.sum(min_count=1)),
        "expected": _or_none(math.fsum(expected) if expected.notna().all() else math.nan),
        "bound": _or_none(bound.max()) if promised else None,
        "beta": _or_none(rows["train_violations_beta"].max()),
        "worst": _or_none(counted.max()),
        "counted": _or_none(counted.sum(min_count=1)),
        "held": bool((counted <= bound)[known].all()) if promised and known.any() else None,
    }


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value
