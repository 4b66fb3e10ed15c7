"""Parallel coordinates of a sweep: a line a setting, through its axes, risk and performance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sport_ray.tracking.results.kinds import is_unconstrained
from sport_ray.tracking.results.labels import (
    alpha_text,
    bound_text,
    rate_text,
    setting_text,
)
from sport_ray.tracking.results.parameters import parameters_of
from sport_ray.tracking.results.performance import Performance

WIDTH, HEIGHT, TOP, BOTTOM, SIDE = 1080, 330, 44, 26, 70
_LOGARITHMIC = ("promised", "observed", "α", "ε_max")
_LIMITS = {"alpha": "α", "eps_max": "ε_max", "horizon": "T", "limit_rank": "place in its list"}


@dataclass(frozen=True)
class Axis:
    """One axis: where it stands, its name, and the texts at its ends (top, bottom)."""

    x: float
    name: str
    top: str
    bottom: str


@dataclass(frozen=True)
class Line:
    """One setting, as a path through its values."""

    setting: int
    kind: str
    name: str
    path: str


@dataclass(frozen=True)
class Parallel:
    """The chart; `left_out` settings lack a value on some axis."""

    axes: tuple[Axis, ...]
    lines: tuple[Line, ...]
    left_out: int


def parallel_of(settings: pd.DataFrame, measure: Performance) -> Parallel | None:
    """The chart of a study in which two numeric axes vary beside the seed; None of others.

    settings: rows of `aggregate`, whose index becomes the lines' `setting`.
    """
    done = settings[(settings["seeds"] > 0) & ~is_unconstrained(settings)]
    swept = _swept(done)
    if len(swept) < 2:
        return None
    values = pd.DataFrame(swept)
    results = {
        "promised": ("prior_bound", bound_text),
        "observed": ("empirical_violation_rate", rate_text),
        measure.short: (measure.mean, measure.text),
    }
    for name, (column, _) in results.items():
        values[name] = done[column].astype(float)
    whole = values[values.notna().all(axis=1)]
    if len(whole) < 2:
        return None
    places = np.linspace(SIDE, WIDTH - SIDE, len(values.columns))
    axes, heights = [], []
    for x, name in zip(places, values.columns, strict=True):
        along = whole[name].to_numpy(np.float64)
        text = results[name][1] if name in results else alpha_text
        axes.append(Axis(round(float(x), 1), str(name), text(along.max()), text(along.min())))
        heights.append(_heights(along, name in _LOGARITHMIC))
    lines = tuple(
        Line(
            int(number),
            str(done.loc[number, "constraint"]),
            f"{setting_text(done.loc[number])}, T = {done.loc[number, 'horizon']}",
            _path(places, [column[i] for column in heights]),
        )
        for i, number in enumerate(whole.index)
    )
    return Parallel(tuple(axes), lines, len(settings) - len(lines))


def _swept(done: pd.DataFrame) -> dict[str, pd.Series]:
    """The numeric axes that vary, by name; α is left out where it was derived from ε_max."""
    found = {_LIMITS[name]: _floats(done[name]) for name in _LIMITS}
    parameters = done["hyperparameters"].map(parameters_of)
    for name in dict.fromkeys(key for one in parameters for key in one):
        found[name] = pd.to_numeric(
            parameters.map(lambda one, key=name: one.get(key)), errors="coerce"
        )
    varied = {name: one for name, one in found.items() if one.nunique() > 1}
    if "ε_max" in varied and done["eps_max"].notna().sum() >= done["alpha"].notna().sum():
        varied.pop("α", None)
    elif "α" in varied:
        varied.pop("ε_max", None)
    return varied


def _floats(column: pd.Series) -> pd.Series:
    return pd.Series(column.to_numpy(np.float64, na_value=np.nan), index=column.index)


def _path(places: np.ndarray, heights: list[float]) -> str:
    corners = (f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))
    return "M" + "L".join(corners)


def _heights(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    if logarithmic:
        smallest = values[values > 0].min() if (values > 0).any() else 1.0
        values = np.log10(np.maximum(values, smallest / 2))
    span = np.ptp(values) or 1.0
    found: np.ndarray = TOP + (values.max() - values) / span * (HEIGHT - TOP - BOTTOM)
    return found
