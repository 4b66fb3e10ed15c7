"""Geometry of the report's interactive Pareto chart: from settings to SVG coordinates.

The template draws what is computed here; hover, focus and click belong to a small script.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tracking.kinds import is_base
from tracking.pareto import candidates, front_groups, front_mask
from tracking.performance import Performance, performance_of
from tracking.table import plain_rows
from tracking.wording import bound_text, point_text, rate_text, setting_text

WIDTH, HEIGHT = 520, 380
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 14, 46
LOWEST = HEIGHT - BOTTOM
LABEL_GAP, LETTER = 9, 6.3  # of a label from its point, and the width of a letter
_TITLES = {
    "prior_bound": ("Certified before any rollout", "prior bound"),
    "posterior_bound": ("Bounded after evaluation", "posterior bound, worst seed"),
}


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in SVG units."""

    place: float
    label: str


@dataclass(frozen=True)
class Point:
    """One setting: its place, what it shows, and the row of settings that it is.

    The label is written from `label_x` on or, with `label_end`, up to it.
    """

    x: float
    y: float
    low: float
    high: float
    method: str
    on_front: bool
    setting: int
    label: str
    label_x: float
    label_end: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """One panel; `path` is the SVG path of the front's staircase, empty without points."""

    kind: str
    title: str
    x_label: str
    points: tuple[Point, ...]
    path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    base_y: float | None


def build_charts(settings: pd.DataFrame) -> list[Chart]:
    """The certified and the posterior panel, each on its own scale.

    `settings`: rows of `aggregate`, whose index becomes the points' `setting`.
    """
    measure = performance_of(settings)
    chosen = {kind: candidates(settings, kind) for kind in _TITLES}
    base = settings.loc[is_base(settings), measure.mean].dropna()
    one_line = measure.across_horizons or settings["horizon"].nunique() == 1
    base_value = float(base.mean()) if len(base) and one_line else None
    return [
        _panel(kind, points, base_value, measure) if len(points) else _empty(kind)
        for kind, points in chosen.items()
    ]


def _empty(kind: str) -> Chart:
    return Chart(kind, *_TITLES[kind], (), "", (), (), None)


def _panel(
    kind: str, points: pd.DataFrame, base_value: float | None, measure: Performance
) -> Chart:
    log_risk = np.log10(points["risk"].to_numpy(np.float64))
    low, high = log_risk.min(), log_risk.max()
    pad = max(0.07 * (high - low), 0.06)
    low, high = low - pad, max(min(high + 1.6 * pad, 0.0), high + 0.4 * pad)
    values = points[measure.mean].to_numpy(np.float64)
    mask = front_mask(points, measure)
    every = values if base_value is None else np.append(values, base_value)
    margin = 0.09 * (np.ptp(every) or 1.0)
    y_range = float(every.min() - margin), float(every.max() + margin)

    def x(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (y_range[1] - value) / (y_range[1] - y_range[0])
        clipped = min(max(share, 0.0), 1.0)  # an interval may leave the axis, a mean does not
        return round(TOP + clipped * (HEIGHT - TOP - BOTTOM), 1)

    order = np.lexsort((measure.cost(values), log_risk))
    front = [i for i in order if mask[i]]
    places = {i: (x(log_risk[i]), y(values[i])) for i in front}
    many = points["horizon"].nunique() > 1
    rows_of = plain_rows(points)
    labels = [point_text(rows_of[i], many) for i in front]
    tagged = _tagged(list(places.values()), labels)
    tags = {i: label for i, label, tag in zip(front, labels, tagged, strict=True) if tag}
    drawn = tuple(
        Point(
            x(log_risk[i]),
            y(values[i]),
            y(row[measure.low]),
            y(row[measure.high]),
            str(row["method"]),
            bool(mask[i]),
            int(points.index[i]),
            tags.get(i, ""),
            *_label_place(x(log_risk[i]), tags.get(i, "")),
            _lines(row, measure),
        )
        for i, (_, row) in enumerate(points.iterrows())
    )
    # Front points last: drawn on top, and later in the order of the Tab key within a panel.
    drawn = tuple(sorted(drawn, key=lambda point: (point.on_front, point.x)))
    title, label = _TITLES[kind]
    return Chart(
        kind,
        title,
        label,
        drawn,
        "".join(
            _staircase([places[i] for i in front if rows[i]], TOP if measure.sign > 0 else LOWEST)
            for rows in front_groups(points, measure)
        ),
        tuple(Tick(x(math.log10(v)), f"{v:g}") for v in _log_ticks(low, high)),
        tuple(Tick(y(v), f"{v:g}") for v in _linear_ticks(*y_range)),
        None if base_value is None else y(base_value),
    )


def _lines(row: pd.Series, measure: Performance) -> tuple[str, ...]:
    return (
        f"{setting_text(row)}, T = {row['horizon']}",
        f"{_with_name(row, measure)} "
        f"({measure.text(row[measure.low])} to {measure.text(row[measure.high])}: "
        f"{row[measure.interval]})",
        f"prior bound {bound_text(row['prior_bound'])}",
        f"posterior bound {bound_text(row['posterior_bound'])}, "
        f"observed {rate_text(row['empirical_violation_rate'])}",
    )


def _with_name(row: pd.Series, measure: Performance) -> str:
    value = measure.text(row[measure.mean])
    return f"{value} {measure.short}" if measure.sign > 0 else f"{measure.short} {value}"


def _label_place(px: float, label: str) -> tuple[float, bool]:
    """Where a point's label starts; or, if it would leave the frame on the right, where it ends."""
    end = px + LABEL_GAP + LETTER * len(label) > WIDTH
    return round(px - LABEL_GAP if end else px + LABEL_GAP, 1), end


def label_span(px: float, label: str) -> tuple[float, float]:
    """Left and right end of a label, about."""
    place, end = _label_place(px, label)
    width = LETTER * len(label)
    return (place - width, place) if end else (place, place + width)


def _tagged(places: list[tuple[float, float]], labels: list[str]) -> list[bool]:
    """Which points of a front, in its order, get a label: those with room for it."""
    kept: list[tuple[float, float, float]] = []
    chosen = []
    for (px, py), label in zip(places, labels, strict=True):
        left, right = label_span(px, label)
        room = left >= 0 and all(
            right < other_left or left > other_right or abs(py - qy) > 17
            for other_left, other_right, qy in kept
        )
        chosen.append(room)
        if room:
            kept.append((left, right, py))
    return chosen


def _staircase(corners: list[tuple[float, float]], worst: float) -> str:
    """What the front attains: level until the next point's risk is allowed, then better.

    It comes from the frame's edge ``worst``; there is always a corner.
    """
    start, *rest = corners
    path = f"M{start[0]},{worst}V{start[1]}"
    for px, py in rest:
        path += f"H{px}V{py}"
    return f"{path}H{WIDTH - RIGHT}"


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two decimal logarithms; with 2 and 5 if there are few."""
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    for leading in ((1,), (1, 3), (1, 2, 5)):
        ticks = [d * 10.0**p for p in powers for d in leading if low <= math.log10(d) + p <= high]
        if len(ticks) >= 3:
            break
    return [float(f"{tick:.6g}") for tick in ticks]


def _linear_ticks(low: float, high: float) -> list[float]:
    """Round values between low and high, about five of them."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * d for d in (1, 2, 5, 10) if power * d >= raw)
    first = math.ceil(low / step)
    return [float(f"{i * step:.6g}") for i in range(first, math.floor(high / step) + 1)]
