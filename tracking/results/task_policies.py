"""Where task policies came from, as results tables have it, and what that makes a series.

A *series* is what shares a line, a marker and a name: a method, and the source of the task policy
where the method does not tell it. Projected PPO trains under its constraint, and
'projected at deployment' is of the unconstrained PPO policy unless a record says otherwise, as do
all records since there were other sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sport_ray.tracking.results.schema import METHODS

BY_METHOD = {
    "projected_ppo": "projected_ppo",
    "projected_at_deployment": "unconstrained",
    "unconstrained": "unconstrained",
}
"""The source that a method has by itself."""
TITLES = {
    "projected_ppo": "Projected PPO",
    "unconstrained": "Unconstrained PPO",
    "scpo": "SCPO",
    "presa": "PreSa",
    "imported": "Imported",
}
"""Names of sources; others are called by their own."""
AS_IT_IS = "unprojected"
_HOW = {AS_IT_IS: "as it is", "projected_at_deployment": "projected"}
Row = Mapping[str, Any] | pd.Series


def source_of(row: Row) -> str:
    """The source of a cell's task policy, from its record or its row in a table.

    >>> source_of({"method": "projected_at_deployment"})
    'unconstrained'
    """
    given, method = row.get("task_policy"), str(row["method"])
    return BY_METHOD.get(method, method) if given is None or pd.isna(given) else str(given)


def sources_of(table: pd.DataFrame) -> pd.Series:
    """The source of each row, never missing."""
    by_method = table["method"].astype(object).map(lambda method: BY_METHOD.get(method, method))
    if "task_policy" not in table:
        return by_method
    given = table["task_policy"].astype(object)
    return given.where(given.notna(), by_method)


def series_of_row(row: Row) -> str:
    """The series of a record or a row.

    >>> series_of_row({"method": "projected_at_deployment", "task_policy": "unconstrained"})
    'projected_at_deployment'
    >>> series_of_row({"method": "projected_at_deployment", "task_policy": "scpo"})
    'projected_at_deployment:scpo'
    """
    method, source = str(row["method"]), source_of(row)
    return method if BY_METHOD.get(method) == source else f"{method}:{source}"


def series_of(table: pd.DataFrame) -> pd.Series:
    """The series of each row of a table of cells or settings."""
    rows = zip(table["method"], sources_of(table), strict=True)
    named = [series_of_row({"method": method, "task_policy": source}) for method, source in rows]
    return pd.Series(named, index=table.index, dtype=object)


def parts_of_series(series: str) -> tuple[str, str]:
    """Method and source; the source is "" where the method tells it."""
    method, _, source = series.partition(":")
    return method, source


def series_text(series: str) -> str:
    """A series in words.

    >>> [series_text(one) for one in ("unprojected:scpo", "projected_at_deployment:presa")]
    ['SCPO, as it is', 'PreSa, projected']
    """
    method, source = parts_of_series(series)
    if not source:
        return METHODS.get(method, method)
    return f"{TITLES.get(source, source)}, {_HOW.get(method, METHODS.get(method, method))}"


def has_other_sources(table: pd.DataFrame) -> bool:
    """Whether a study has a source of task policies beside PPO."""
    return not sources_of(table).isin(set(BY_METHOD.values())).all()
