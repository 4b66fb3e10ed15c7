"""Heat maps of a sweep over limits and T: promised, observed, performance, setting by setting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.speakers import HEADLINE_LEVEL
from sport_ray.tracking.results.base_bounds import base_bounds
from sport_ray.tracking.results.labels import (
    alpha_text,
    bound_text,
    rate_text,
    series_and_kind_text,
)
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.performance import Performance
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of

STRONGEST = 38
"""Per cent of the accent colour in the fullest cell: text on it keeps its contrast."""


@dataclass(frozen=True)
class Cell:
    """One setting: its row of settings, what is written, how full it is (per cent).

    empty: its bound says nothing.
    """

    setting: int
    text: str
    fill: int
    empty: bool


@dataclass(frozen=True)
class HeatMap:
    """Of one method under one constraint; rows are T, columns are limits.

    panels: title and rows of cells, None where nothing was run. best: the row whose T allows the
    largest α at a risk of a tenth, by the certificate; −1 where none does.
    """

    title: str
    axis: str
    columns: tuple[str, ...]
    horizons: tuple[int, ...]
    panels: tuple[tuple[str, tuple[tuple[Cell | None, ...], ...]], ...]
    best: int


def heat_maps(
    settings: pd.DataFrame, measure: Performance, certificate: dict[str, Any] | None
) -> list[HeatMap]:
    """A map per method, constraint and training parameters with two limits and two T or more.

    settings: rows of `aggregate`, whose index becomes the cells' `setting`.
    """
    done = settings[(settings["seeds"] > 0) & settings["prior_bound"].notna()]
    keys = [series_of(done), done["constraint"], texts_of(done)]
    maps = []
    for (series, kind, parameters), rows in done.groupby(keys, sort=False):
        limit = "eps_max" if rows["eps_max"].notna().all() else "alpha"
        rows = rows[rows[limit].notna()]
        columns, horizons = sorted(rows[limit].unique()), sorted(rows["horizon"].unique())
        if len(columns) < 2 or len(horizons) < 2:
            continue
        title = series_and_kind_text(str(series), str(kind))
        maps.append(
            HeatMap(
                ", ".join(filter(None, [title, str(parameters)])),
                "α" if limit == "alpha" else "ε_max",
                tuple(alpha_text(float(one)) for one in columns),
                tuple(int(one) for one in horizons),
                tuple(_panels(rows, limit, columns, horizons, measure)),
                _best([int(one) for one in horizons], certificate),
            )
        )
    return maps


def _panels(
    rows: pd.DataFrame, limit: str, columns: list[Any], horizons: list[Any], measure: Performance
) -> list[tuple[str, tuple[tuple[Cell | None, ...], ...]]]:
    shown = (
        ("promised", "prior_bound", bound_text, True),
        ("observed", "empirical_violation_rate", rate_text, True),
        (measure.short, measure.mean, measure.text, False),
    )
    places = {
        (row[limit], row["horizon"]): (int(number), row)
        for number, row in zip(rows.index, plain_rows(rows), strict=True)
    }
    panels = []
    for title, column, text, logarithmic in shown:
        share = _scale(rows[column].to_numpy(np.float64), logarithmic)
        panels.append(
            (
                title,
                tuple(
                    tuple(
                        None if found is None else _cell(*found, column, text, share)
                        for found in (places.get((one, horizon)) for one in columns)
                    )
                    for horizon in horizons
                ),
            )
        )
    return panels


def _cell(setting: int, row: dict[str, Any], column: str, text: Any, share: Any) -> Cell:
    return Cell(setting, text(row[column]), share(row[column]), row["prior_bound"] >= 1)


def _scale(values: np.ndarray, logarithmic: bool) -> Any:
    """From a value to per cent of the accent colour, the largest the fullest."""
    known = values[np.isfinite(values)]
    if logarithmic:
        known = np.log10(np.clip(known[known > 0], None, 1.0))
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)

    def share(value: float | None) -> int:
        if value is None or not math.isfinite(value) or high <= low:
            return 0
        place = math.log10(min(value, 1.0)) if logarithmic and value > 0 else value
        if logarithmic and value <= 0:
            return 0
        return round(STRONGEST * min(max((place - low) / (high - low), 0.0), 1.0))

    return share


def _best(horizons: list[int], certificate: dict[str, Any] | None) -> int:
    if certificate is None:
        return -1
    bounds = base_bounds(certificate)
    allowed = [
        (HEADLINE_LEVEL / bounds[one]) ** (1 / one)
        if 0 < bounds.get(one, 0.0) <= HEADLINE_LEVEL
        else 0.0
        for one in horizons
    ]
    return int(np.argmax(allowed)) if max(allowed) > 1 else -1
