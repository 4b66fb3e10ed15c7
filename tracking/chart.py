"""Geometry of the report's interactive Pareto chart: from settings to SVG coordinates.

The template draws what is computed here; hover, focus and click belong to a small script.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tracking.pareto import candidates, pareto_front
from tracking.wording import alpha_text, bound_text, method_text, rate_text, steps_text

WIDTH, HEIGHT = 520, 380
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 14, 46
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
    """One setting: its place, what it shows, and the row of settings that it is."""

    x: float
    y: float
    low: float
    high: float
    method: str
    on_front: bool
    setting: int
    label: str
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
    chosen = {kind: candidates(settings, kind) for kind in _TITLES}
    base = settings.loc[settings["alpha"] == 1, "mean_steps_to_goal"].dropna()
    base_steps = float(base.mean()) if len(base) else None
    return [
        _panel(kind, points, base_steps) if len(points) else _empty(kind)
        for kind, points in chosen.items()
    ]


def _empty(kind: str) -> Chart:
    return Chart(kind, *_TITLES[kind], (), "", (), (), None)


def _panel(kind: str, points: pd.DataFrame, base_steps: float | None) -> Chart:
    log_risk = np.log10(points["risk"].to_numpy(np.float64))
    low, high = log_risk.min(), log_risk.max()
    pad = max(0.07 * (high - low), 0.06)
    low, high = low - pad, max(min(high + 1.6 * pad, 0.0), high + 0.4 * pad)
    steps = points["mean_steps_to_goal"].to_numpy(np.float64)
    mask = pareto_front(np.column_stack([points["risk"], steps]))
    every = steps if base_steps is None else np.append(steps, base_steps)
    margin = 0.09 * (np.ptp(every) or 1.0)
    y_range = float(every.min() - margin), float(every.max() + margin)

    def x(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (y_range[1] - value) / (y_range[1] - y_range[0])
        clipped = min(max(share, 0.0), 1.0)  # an interval may leave the axis, a mean does not
        return round(TOP + clipped * (HEIGHT - TOP - BOTTOM), 1)

    order = np.lexsort((steps, log_risk))
    front = [i for i in order if mask[i]]
    tagged = _tagged([(x(log_risk[i]), y(steps[i])) for i in front])
    tags = {i: tag for i, tag in zip(front, tagged, strict=True)}
    drawn = tuple(
        Point(
            x(log_risk[i]),
            y(steps[i]),
            y(row["steps_low"]),
            y(row["steps_high"]),
            str(row["method"]),
            bool(mask[i]),
            int(points.index[i]),
            f"α {alpha_text(row['alpha'])}, T {row['horizon']}" if tags.get(i) else "",
            _lines(row),
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
        _staircase([(x(log_risk[i]), y(steps[i])) for i in front]),
        tuple(Tick(x(math.log10(v)), f"{v:g}") for v in _log_ticks(low, high)),
        tuple(Tick(y(v), f"{v:g}") for v in _linear_ticks(*y_range)),
        None if base_steps is None else y(base_steps),
    )


def _lines(row: pd.Series) -> tuple[str, ...]:
    name = method_text(row["method"])
    return (
        f"{name}, α = {alpha_text(row['alpha'])}, T = {row['horizon']}",
        f"{steps_text(row['mean_steps_to_goal'])} steps to goal "
        f"({steps_text(row['steps_low'])} to {steps_text(row['steps_high'])}: "
        f"{row['steps_interval']})",
        f"prior bound {bound_text(row['prior_bound'])}",
        f"posterior bound {bound_text(row['posterior_bound'])}, "
        f"observed {rate_text(row['empirical_violation_rate'])}",
    )


def _tagged(places: list[tuple[float, float]]) -> list[bool]:
    """Which points of a front, in its order, get a label: those with room for it."""
    kept: list[tuple[float, float]] = []
    chosen = []
    for px, py in places:
        room = all(abs(px - qx) > 84 or abs(py - qy) > 17 for qx, qy in kept)
        chosen.append(room)
        if room:
            kept.append((px, py))
    return chosen


def _staircase(corners: list[tuple[float, float]]) -> str:
    """What the front attains: level until the next point's risk is allowed, then down."""
    start, *rest = corners
    path = f"M{start[0]},{TOP}V{start[1]}"
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
