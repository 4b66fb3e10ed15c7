"""The gap of every cell against the factor that was granted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.figures.conservativeness_panels import kind_key, series_key
from sport_ray.tracking.figures.style import (
    BLUE,
    INK,
    VERMILLION,
    WINE,
    Drawn,
    legend_below,
    new_figure,
    save,
    say_few_seeds,
    series_marker,
)
from sport_ray.tracking.results.kinds import RATIO
from sport_ray.tracking.results.labels import kind_text
from sport_ray.tracking.results.task_policies import series_of_row

_COLOURS = {RATIO: INK, "gauss_renyi": BLUE, "violation_time": VERMILLION}


def draw_growth(ladder: pd.DataFrame, growth: pd.DataFrame, folder: Path) -> Drawn | None:
    """The gap of every cell against T·log10 α, with its slope; a panel per gap."""
    both = growth[growth["along"] == "both"]
    if both.empty:
        return None
    figure, grid = new_figure(10.2, 4.4, 1, 2, sharey=True)
    stated = ladder[ladder["stated"] & ladder["alpha"].notna() & ladder["eps_max"].isna()]
    for axes, target in zip(grid[0], ("posterior", "empirical"), strict=True):
        below = ladder[ladder["rung"] == target].set_index("cell_id")["log10"]
        cells = stated.assign(
            x=stated["horizon"].astype(float) * np.log10(stated["alpha"]),
            gap=stated["log10"] - stated["cell_id"].map(below),
        )
        cells = cells[np.isfinite(cells["gap"])]
        for (name, kind), rows in cells.groupby([series_key(cells), kind_key(cells)], sort=False):
            fits = both[(both["gap"] == target) & (series_key(both) == name)]
            _cloud(axes, rows, str(name), str(kind), fits[kind_key(fits) == kind])
        axes.set_title("down to the posterior bound" if target == "posterior"
                       else "down to the observed rate")  # fmt: skip
        axes.set_xlabel("T · log10 α: the factor granted, in powers of ten")
    grid[0][0].set_ylabel("gap below the promised bound,\nin powers of ten")
    legend_below(figure, grid[0][0], 2)
    say_few_seeds(figure, both["seeds"])
    caption = (
        f"Each point a cell, over {both['seeds'].max():.0f} seeds; lines: least squares, their "
        "slopes and intervals in the table. A slope of 1 is a bound that grows while the risk "
        "stands still. Cells in which none violated have no point on the right."
    )
    svg = save(figure, folder, "conservativeness_growth")
    return Drawn("conservativeness_growth", "How the gap grows with α and T", caption, svg)


def _cloud(axes: Axes, cells: pd.DataFrame, name: str, kind: str, fit: pd.DataFrame) -> None:
    colour = _COLOURS.get(kind, WINE)
    marker = series_marker(series_of_row(cells.iloc[0]))
    axes.plot(cells["x"], cells["gap"], marker, color=colour, markersize=4.5, alpha=0.5,
              markerfacecolor="none", label=f"{name}, {kind_text(kind)}")  # fmt: skip
    if len(fit) != 1:
        return
    ends = np.array([cells["x"].min(), cells["x"].max()])
    slope = float(fit["slope"].iloc[0])
    axes.plot(ends, cells["gap"].mean() + slope * (ends - cells["x"].mean()), color=colour,
              linewidth=1.3)  # fmt: skip
