"""The cells as they are printed where they are too many: a row per setting, over its seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from sport_ray.tracking.results.kinds import promise_of
from sport_ray.tracking.results.table import plain_rows

MOST = 120
"""Cells that are printed one by one: four pages."""
_OVER_SEEDS: dict[str, Callable[[list[float]], float]] = {
    "max_log_ratio": max,
    "log_alpha": max,
    "max_prefix_log_ratio": max,
    "log_budget": max,
    "projected_share": fmean,
}
_INFINITE = ("max_log_ratio", "max_prefix_log_ratio")
"""A cell has none where it has no end, and then its setting has none either."""


def printed_rows(cells: Sequence[dict[str, Any]], settings: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of `aggregate` with what the table of cells has beside; none where cells are few.

    cells: `sport_ray.tracking.report.rows.cell_rows`. Of a log ratio the largest over seeds, of the
    projected share the mean; None where no seed has one.
    """
    if len(cells) <= MOST or len(settings) == len(cells):
        return []
    done: dict[int, list[dict[str, Any]]] = {number: [] for number in settings.index}
    for cell in cells:
        if cell["status"] == "finished":
            done[cell["setting"]].append(cell)
    rows = plain_rows(settings.assign(promise=promise_of(settings)))
    return [
        {**row, "setting": number, **{name: _over(seeds, name) for name in _OVER_SEEDS}}
        for row, (number, seeds) in zip(rows, done.items(), strict=True)
    ]


def _over(cells: Sequence[dict[str, Any]], name: str) -> float | None:
    known = [cell[name] for cell in cells if cell[name] is not None]
    if name in _INFINITE and len(known) < len(cells):
        return None
    return _OVER_SEEDS[name](known) if known else None
