"""Where task policies came from, as records have it, and what that makes a series.

A *series* is what shares a line, a marker and a name: the source of the policy, and whether it was
projected. Projected PPO trains under its constraint; the policy of any other source is used as it
is, and projected onto constraints that it has never seen. It is written ``METHOD:SOURCE``; for
PPO's policies ``METHOD`` alone, since there the method implies the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `sport-ray status` needs none
    import pandas as pd

    Row = Mapping[str, Any] | pd.Series

AS_IT_IS, PROJECTED = "unprojected", "projected_at_deployment"
PPO = {
    ("projected_ppo", True): "projected_ppo",
    ("unconstrained", True): PROJECTED,
    ("unconstrained", False): "unconstrained",
}
"""Series of PPO's policies, by source and whether they are projected."""
METHODS = {
    "projected_ppo": "Projected PPO",
    PROJECTED: "Projected at deployment",
    "unconstrained": "Unconstrained",
    AS_IT_IS: "As it is",
}
"""Names of methods, in their order."""
TITLES = {
    "projected_ppo": "Projected PPO",
    "unconstrained": "Unconstrained PPO",
    "scpo": "SCPO",
    "presa": "PreSa",
    "imported": "Imported",
}
"""Names of sources; others are called by their own."""
_HOW = {AS_IT_IS: "as it is", PROJECTED: "projected"}


def series_of_row(row: Row) -> str:
    """The series of a record or a row.

    >>> series_of_row({"source": "unconstrained", "projected": True})
    'projected_at_deployment'
    >>> series_of_row({"source": "scpo", "projected": False})
    'unprojected:scpo'
    """
    return _series(str(row["source"]), bool(row["projected"]))


def _series(source: str, projected: bool) -> str:
    other = f"{PROJECTED if projected else AS_IT_IS}:{source}"
    return PPO.get((source, projected), other)


def series_of(table: pd.DataFrame) -> pd.Series:
    """The series of each row of a table of cells or settings."""
    import pandas as pd

    rows = zip(table["source"], table["projected"], strict=True)
    named = [_series(str(source), bool(projected)) for source, projected in rows]
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


def plain_name(row: Row) -> str:
    """The series of a record as logs have it.

    >>> plain_name({"source": "scpo", "projected": True})
    'scpo projected_at_deployment'
    """
    method, source = parts_of_series(series_of_row(row))
    return f"{source} {method}".lstrip()


def has_other_sources(table: pd.DataFrame) -> bool:
    """Whether a study has a source of task policies beside PPO."""
    return not table["source"].isin({source for source, _ in PPO}).all()
