"""Geometry of the report's interactive Pareto charts: from settings to SVG coordinates.

The template draws what is computed here; hover, focus, click and filters belong to a small script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.pareto import candidates, front_groups, front_mask
from sport_ray.tracking.report.chart_axes import (
    LOWEST,
    RIGHT,
    TOP,
    WIDTH,
    RiskAxis,
    Tick,
    ValueAxis,
)
from sport_ray.tracking.report.chart_labels import Label, labels_with_room
from sport_ray.tracking.results.kinds import is_base
from sport_ray.tracking.results.labels import bound_text, point_text, rate_text, setting_text
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.performance import Performance, performance_of
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of, series_of_row

_TITLES = {
    "prior_bound": ("Certified before any rollout", "prior bound"),
    "posterior_bound": ("Bounded after evaluation", "posterior bound, worst seed"),
    "empirical_violation_rate": ("Observed, no promise", "observed violation rate, all seeds"),
}
_RANGES = {
    "posterior_bound": ("min_posterior_bound", "posterior_bound"),
    "empirical_violation_rate": ("min_empirical_violation_rate", "max_empirical_violation_rate"),
}
"""Smallest and largest risk of a setting's seeds; they all share one prior bound."""
_MAX_CELLS_NAMED = 5


@dataclass(frozen=True)
class Point:
    """One setting: its place, its extent over seeds, what it shows, and its row of settings.

    method: its series (`sport_ray.tracking.results.task_policies`).
    low, high: of the interval of its performance; left, right: of its risk over seeds.
    promised: its prior bound, '' without one. label: None where there is no room for it.
    """

    x: float
    y: float
    low: float
    high: float
    left: float
    right: float
    method: str
    kind: str
    horizon: int
    parameters: str
    on_front: bool
    setting: int
    label: Label | None
    lines: tuple[str, ...]
    promised: str


@dataclass(frozen=True)
class Series:
    """Settings that differ in α or ε_max alone, as a thin line; `dash` numbers the study's T."""

    method: str
    kind: str
    horizon: int
    parameters: str
    dash: int
    path: str


@dataclass(frozen=True)
class Chart:
    """One panel; `path` is the SVG path of the front's staircase, empty without points."""

    kind: str
    title: str
    x_label: str
    points: tuple[Point, ...]
    series: tuple[Series, ...]
    path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    base_y: float | None


def build_charts(
    settings: pd.DataFrame, cells: Mapping[int, Sequence[str]] | None = None
) -> list[Chart]:
    """The certified, the posterior and the empirical panel, each on its own scale.

    `settings`: rows of `aggregate`, whose index becomes the points' `setting`; `cells`: the ids
    of each setting's cells, to be named with its point.
    """
    measure = performance_of(settings)
    base = settings.loc[is_base(settings), measure.mean].dropna()
    one_line = measure.across_horizons or settings["horizon"].nunique() == 1
    base_value = float(base.mean()) if len(base) and one_line else None
    horizons = sorted(settings["horizon"].unique())
    chosen = {kind: candidates(settings, kind) for kind in _TITLES}
    return [
        _panel(kind, points, base_value, measure, horizons, cells or {})
        if len(points)
        else Chart(kind, *_TITLES[kind], (), (), "", (), (), None)
        for kind, points in chosen.items()
    ]


def _panel(
    kind: str,
    points: pd.DataFrame,
    base_value: float | None,
    measure: Performance,
    horizons: list[int],
    cells: Mapping[int, Sequence[str]],
) -> Chart:
    risk = points["risk"].to_numpy(np.float64)
    values = points[measure.mean].to_numpy(np.float64)
    left, right = (points[name].to_numpy(np.float64) for name in _RANGES.get(kind, ("risk",) * 2))
    x_axis = RiskAxis.of(np.concatenate([risk, left, right]))
    y_axis = ValueAxis.of(values if base_value is None else np.append(values, base_value))
    xs, ys = [x_axis.place(r) for r in risk], [y_axis.place(v) for v in values]
    mask = front_mask(points, measure)
    order = np.lexsort((measure.cost(values), risk))
    front = [i for i in order if mask[i]]
    many = points["horizon"].nunique() > 1
    rows = plain_rows(points)
    labels = [point_text(rows[i], many) for i in front]
    marks = list(zip(xs, ys, strict=True))
    tags = dict(zip(front, labels_with_room([marks[i] for i in front], labels, marks), strict=True))
    parameters = list(texts_of(points))
    drawn = [
        Point(
            xs[i],
            ys[i],
            *_spread(row, measure, y_axis),
            x_axis.place(left[i]),
            x_axis.place(right[i]),
            series_of_row(row),
            str(row["constraint"]),
            int(row["horizon"]),
            parameters[i],
            bool(mask[i]),
            int(points.index[i]),
            tags.get(i),
            _lines(row, measure, cells.get(int(points.index[i]), ())),
            "" if pd.isna(row["prior_bound"]) else repr(float(row["prior_bound"])),
        )
        for i, (_, row) in enumerate(points.iterrows())
    ]
    # Front points last: drawn on top.
    drawn.sort(key=lambda point: (point.on_front, point.x))
    worst = TOP if measure.sign > 0 else LOWEST
    return Chart(
        kind,
        *_TITLES[kind],
        tuple(drawn),
        _series(points, marks, horizons),
        "".join(
            _staircase([(xs[i], ys[i]) for i in front if group[i]], worst)
            for group in front_groups(points, measure)
        ),
        x_axis.ticks,
        y_axis.ticks,
        None if base_value is None else y_axis.place(base_value),
    )


def _series(
    points: pd.DataFrame, places: list[tuple[float, float]], horizons: list[int]
) -> tuple[Series, ...]:
    """A line per method and source, constraint, T and parameters with two points or more.

    By growing α or ε_max.
    """
    keys = list(
        zip(
            series_of(points),
            points["constraint"],
            points["horizon"],
            texts_of(points),
            strict=True,
        )
    )
    # A budget has no α, and grows with the risk that it was derived from.
    order = np.lexsort((points["prior_bound"].astype(float), points["alpha"].astype(float)))
    found = []
    for key in dict.fromkeys(keys):
        method, kind, horizon, text = key
        rows = [i for i in order if keys[i] == key]
        if len(rows) > 1:
            path = "M" + "L".join(f"{places[i][0]},{places[i][1]}" for i in rows)
            dash = horizons.index(horizon) % 4
            found.append(Series(str(method), str(kind), int(horizon), str(text), dash, path))
    return tuple(found)


def _lines(row: pd.Series, measure: Performance, cells: Sequence[str]) -> tuple[str, ...]:
    named = ", ".join(cell[:8] for cell in cells[:_MAX_CELLS_NAMED])
    more = "" if len(cells) <= _MAX_CELLS_NAMED else f" and {len(cells) - _MAX_CELLS_NAMED} more"
    return (
        f"{setting_text(row)}, T = {row['horizon']}",
        f"{_with_name(row, measure)} ({_interval(row, measure)})",
        f"prior bound {bound_text(row['prior_bound'])}",
        f"posterior bound {bound_text(row['posterior_bound'])}, "
        f"observed {rate_text(row['empirical_violation_rate'])}",
        *([f"cell{'s' if len(cells) > 1 else ''} {named}{more}"] if len(cells) else []),
    )


def _interval(row: pd.Series, measure: Performance) -> str:
    text = str(row[measure.column("interval")])
    low, high = (row[measure.column(end)] for end in ("low", "high"))
    return text if pd.isna(low) else f"{measure.text(low)} to {measure.text(high)}: {text}"


def _spread(row: pd.Series, measure: Performance, axis: ValueAxis) -> tuple[float, float]:
    """The ends of the stroke over seeds; a point of its own where there is no interval."""
    ends = (row[measure.column(end)] for end in ("low", "high"))
    low, high = (row[measure.mean] if pd.isna(end) else end for end in ends)
    return axis.place(low), axis.place(high)


def _with_name(row: pd.Series, measure: Performance) -> str:
    value = measure.text(row[measure.mean])
    return f"{value} {measure.short}" if measure.sign > 0 else f"{measure.short} {value}"


def _staircase(corners: list[tuple[float, float]], worst: float) -> str:
    """What the front attains: level until the next point's risk is allowed, then better.

    It comes from the frame's edge ``worst``; there is always a corner.
    """
    start, *rest = corners
    path = f"M{start[0]},{worst}V{start[1]}"
    for px, py in rest:
        path += f"H{px}V{py}"
    return f"{path}H{WIDTH - RIGHT}"
