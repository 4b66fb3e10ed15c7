"""What is not the same in all cells of a study: what tells one cell's name from another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sport_ray.tracking.results.task_policies import series_of_row

LEVEL = ("constraint", "alpha", "eps_max", "limit_rank")
"""What of a cell says how large a risk it may take."""
SETTING, HORIZON, METHOD = "setting", "horizon", "method"


def varying(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Which of `SETTING`, `HORIZON` and `METHOD` differ between cells, as far as names need them.

    rows: records, or what a plan knows of its cells: source, projected, horizon, and `LEVEL`. A
    method varies where two of them act under a constraint: one that acts under none is named
    anyhow.

    >>> cell = {"source": "projected_ppo", "projected": True, "constraint": "ratio", "horizon": 22}
    >>> varying([cell | {"alpha": 1.1}, cell | {"alpha": 1.5}])
    ('setting',)
    """
    found: dict[str, set[Any]] = {SETTING: set(), HORIZON: set(), METHOD: set()}
    for row in rows:
        series = series_of_row(row)
        found[SETTING].add(tuple(row.get(name) for name in LEVEL) if row["projected"] else series)
        found[HORIZON].add(row["horizon"])
        if row["projected"]:
            found[METHOD].add(series)
    return tuple(name for name, values in found.items() if len(values) > 1)
