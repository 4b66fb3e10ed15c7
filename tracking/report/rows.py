"""Rows of the report page's tables and choices of its filters, from the tables of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from sport_ray.tracking.analysis.pareto import RISK_KINDS
from sport_ray.tracking.analysis.speakers import Best
from sport_ray.tracking.figures.markers import POLYGONS, path_of
from sport_ray.tracking.figures.palette import KINDS, series_mark
from sport_ray.tracking.results import labels as wording
from sport_ray.tracking.results.base_bounds import base_bounds
from sport_ray.tracking.results.kinds import order_of, promise_of
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.performance import Performance
from sport_ray.tracking.results.statistics import SETTING
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import (
    parts_of_series,
    series_of,
    series_of_row,
    series_text,
)


def cell_rows(frame: pd.DataFrame, settings: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the results table, each with its kind and the number of its setting."""
    number = {_key(row): index for index, row in enumerate(plain_rows(settings))}
    kinds = frame["constraint"]
    return [
        {
            **row,
            "setting": number[_key(row)],
            "kind": kind,
            "parameters": row["hyperparameters"] or "",
            "series": series_of_row(row),
            "promise": promise if row["status"] == "finished" else "none",
        }
        for row, kind, promise in zip(plain_rows(frame), kinds, promise_of(frame), strict=True)
    ]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SETTING)


def ids_by_setting(cells: list[dict[str, Any]]) -> dict[int, list[str]]:
    """The ids of the finished cells of each setting."""
    ids: dict[int, list[str]] = {}
    for cell in cells:
        if cell["status"] == "finished":
            ids.setdefault(cell["setting"], []).append(cell["cell_id"])
    return ids


def kind_class(kind: str) -> str:
    """The CSS class of a kind's colour."""
    order = order_of(kind)
    return f"kind-{order}" if order < len(KINDS) else "kind-other"


_OUTLINES = {
    "^": "m0,-6l5.6,10.4h-11.2z",
    "<": "m-6,0l10.4,-5.6v11.2z",
    "v": "m0,6l5.6,-10.4h-11.2z",
    ">": "m6,0l-10.4,-5.6v11.2z",
    "P": "m-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "X": "m0,-2.8l2.8,-2.8l2.8,2.8l-2.8,2.8l2.8,2.8l-2.8,2.8l-2.8,-2.8l-2.8,2.8l-2.8,-2.8"
    "l2.8,-2.8l-2.8,-2.8l2.8,-2.8z",
    "h": "m0,-6l5.2,3v6l-5.2,3l-5.2,-3v-6z",
}


def outline(series: str) -> str:
    """The marker of a source's series as an SVG path around its point, as figures have it."""
    mark = series_mark(series)
    return path_of(mark) if mark in POLYGONS else _OUTLINES[mark]


def is_of_source(series: str) -> bool:
    """Whether the series names a source beside PPO."""
    return bool(parts_of_series(series)[1])


def filter_choices(frame: pd.DataFrame, best: Sequence[Best] = ()) -> dict[str, Any]:
    """What can be chosen above the charts; `dashes` numbers the line style of each T.

    best: the rows of the answer, whose levels of risk can be chosen.
    """
    horizons = sorted(int(horizon) for horizon in frame["horizon"].unique())
    return {
        "kinds": _choices(frame["constraint"], wording.kind_text),
        "methods": _choices(series_of(frame), series_text),
        "parameters": _choices(texts_of(frame), lambda text: text or "none"),
        "horizons": [{"value": horizon, "label": str(horizon)} for horizon in horizons],
        "statuses": _choices(frame["status"], str),
        "levels": sorted({one.level for one in best} - {1.0}),
        "dashes": {horizon: index % 4 for index, horizon in enumerate(horizons)},
    }


def _choices(values: pd.Series, text_of: Callable[[str], str]) -> list[dict[str, str]]:
    return [{"value": value, "label": text_of(value)} for value in dict.fromkeys(values)]


def without_repeats(best: tuple[Best, ...]) -> list[Best]:
    """The rows of the levels at which others are best than at the level before."""
    rows: list[Best] = []
    before: set[int] = set()
    for level in dict.fromkeys(one.level for one in best):
        here = [one for one in best if one.level == level]
        settings = {one.setting for one in here}
        if settings != before:
            rows += here
        before = settings
    return rows


def hypervolume_rows(table: pd.DataFrame, measure: Performance) -> dict[str, Any]:
    """A row per series, with the hypervolume for each kind of risk."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in plain_rows(table):
        series = "all" if row["source"] == "all" else series_of_row(row)
        key = (row["horizon"], row["constraint"], series)
        name = wording.series_and_kind_text(series, row["constraint"])
        named = {"name": name, "series": series}
        entry = rows.setdefault(key, {**row, **named, **dict.fromkeys(RISK_KINDS)})
        entry[row["risk_kind"]] = row["hypervolume"]
    known = table.drop_duplicates(["horizon"])
    references = "; ".join(
        f"{measure.text(row['reference_performance'])}, {row['reference_source']}"
        for row in plain_rows(known)
    )
    return {
        "rows": list(rows.values()),
        "references": references,
        "by_horizon": not measure.across_horizons,
    }


def used_bounds(frame: pd.DataFrame, certificate: dict[str, Any] | None) -> list[dict[str, Any]]:
    """ε_base, violations and the largest useful α at each T of the study."""
    if certificate is None:
        return []
    table = certificate["table"]
    counts = dict(zip(table["horizon"], table["num_violations"], strict=True))
    rows = [
        (horizon, counts[horizon], bound) for horizon, bound in base_bounds(certificate).items()
    ]
    used = set(frame["horizon"])
    return [
        {
            "horizon": horizon,
            "violations": count,
            "eps_base": eps_base,
            "largest_alpha": eps_base ** (-1 / horizon),
        }
        for horizon, count, eps_base in rows
        if horizon in used
    ]
