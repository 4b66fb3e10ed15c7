"""Which settings share a panel, and which of several kinds stands for all with an α."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from sport_ray.tracking.results.kinds import BY_STEP, RATIO
from sport_ray.tracking.results.labels import method_text
from sport_ray.tracking.results.statistics import SETTING
from sport_ray.tracking.results.task_policies import series_of

_NAMED = ("source", "projected", "constraint", "alpha", "eps_max", "horizon")
OTHER = [name for name in SETTING if name not in _NAMED]
"""What tells settings apart beside series, constraint and T: swept parameters."""


def series_key(table: pd.DataFrame) -> pd.Series:
    """The name of each row's series, never missing: its method, and what else is swept."""
    key = series_of(table).map(method_text)
    for name in OTHER:
        extra = table[name].astype(object).where(table[name].notna(), "").astype(str)
        key = key + extra.map(lambda text: f", {text}" if text else "")
    return key


def kind_key(table: pd.DataFrame) -> pd.Series:
    """The kind of constraint of each row, never missing."""
    return table["constraint"].astype(object).where(table["constraint"].notna(), RATIO)


def panels_of(table: pd.DataFrame) -> Iterator[tuple[str, str, int, pd.DataFrame]]:
    """(title, series, T, rows) for every series and T."""
    several = series_key(table).nunique() > 1
    for name, rows in table.groupby(series_key(table), sort=False):
        for horizon, part in rows.groupby("horizon"):
            title = f"{name}, T = {horizon}" if several else f"T = {horizon} steps"
            yield title, str(name), int(str(horizon)), part


def by_step(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of one kind with an α: the paper's if it is there. Others have the same policies."""
    kinds = kind_key(table)
    found = [kind for kind in BY_STEP if (kinds == kind).any()]
    return table[(kinds == (found[0] if found else RATIO)) & table["alpha"].notna()]
