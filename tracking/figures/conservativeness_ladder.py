"""All rungs of the ladder against α."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.analysis.conservativeness.rungs import RUNGS
from sport_ray.tracking.figures.conservativeness_panels import by_step, panels_of, series_key
from sport_ray.tracking.figures.style import (
    BLUE,
    GOLD,
    GREEN,
    GRID,
    INK,
    MUTED,
    SKY,
    VERMILLION,
    Drawn,
    alpha_axis,
    legend_below,
    new_panels,
    save,
    say_few_seeds,
)
from sport_ray.tracking.results.kinds import RATIO
from sport_ray.tracking.results.labels import seeds_text
from sport_ray.tracking.results.table import plain_rows

TOP = 30.0
"""Bounds are drawn up to here; what is above says no more than 1 does."""
_LINES = {
    RATIO: (INK, "-", "x", 2.2),
    "gauss_renyi": (BLUE, "-", "+", 1.8),
    "violation_time": (SKY, (0, (1, 1.2)), "", 1.8),
    "off_policy": (GOLD, "-.", "D", 1.4),
    "posterior": (VERMILLION, "--", "s", 1.4),
}


def draw_ladder(settings: pd.DataFrame, ladder: pd.DataFrame, folder: Path) -> Drawn | None:
    """All rungs against α, a panel per method and T; None if no cell has an α."""
    rows = by_step(settings)
    if rows.empty:
        return None
    panels = list(panels_of(rows))
    figure, axes_list = new_panels(len(panels), 4.4)
    cells = by_step(ladder)
    lowest = float(rows.loc[rows["empirical"] > 0, "empirical"].min())
    lowest = min(rows["rate_high"].min(), lowest if math.isfinite(lowest) else math.inf)
    for axes, (title, name, horizon, part) in zip(axes_list, panels, strict=True):
        _ladder_panel(axes, part.sort_values("alpha"))
        here = (cells["horizon"] == horizon) & (series_key(cells) == name)
        _seeds(axes, cells[here & (cells["rung"] == "empirical")])
        axes.set_title(title)
        axes.set_yscale("log")
        axes.set_ylim(lowest / 4, TOP)
        axes.axhspan(1, TOP, color=GRID, alpha=0.55, linewidth=0)
        axes.annotate("1 or more: says nothing", (0.985, 1.25), xycoords=axes.get_yaxis_transform(),
                      ha="right", fontsize=8.5, color=MUTED)  # fmt: skip
        alpha_axis(axes, rows["alpha"].to_numpy(np.float64), unconstrained=False)
    axes_list[0].set_ylabel("probability of violation (log)")
    legend_below(figure, axes_list[0], 3)
    say_few_seeds(figure, rows["seeds"])
    top = rows.sort_values("log10_prior").iloc[-1]
    beyond = (
        f" The highest of them, at α = {top['alpha']:g} and T = {top['horizon']}, is "
        f"10^{top['log10_prior']:.1f}; drawn up to {TOP:g}."
        if top["log10_prior"] > math.log10(TOP)
        else ""
    )
    caption = (
        f"Over {seeds_text(rows['seeds'])} per setting: bounds of the worst seed, mean observed "
        "rate; small dots: each seed's rate with its Clopper–Pearson interval (95%, pointwise), an "
        "arrow where none violated. The bounds ε·αᵀ and Gauss–Rényi hold together for all α, T and "
        "seeds; violation time, off-policy and posterior bounds each on their own (pointwise); "
        f"the off-policy bound is missing where too few scenarios speak for the policy.{beyond}"
    )
    svg = save(figure, folder, "conservativeness_ladder")
    return Drawn("conservativeness_ladder", "The ladder of bounds over α", caption, svg)


def _ladder_panel(axes: Axes, rows: pd.DataFrame) -> None:
    for name, (colour, line, marker, width) in _LINES.items():
        known = rows[rows[name].notna()]
        if known.empty:
            continue
        log10 = np.log10(known[name].to_numpy(np.float64))
        if name == known["stated"].iloc[0]:
            log10 = known["log10_prior"].to_numpy(np.float64)
        axes.plot(known["alpha"], 10.0 ** np.minimum(log10, 300), linestyle=line, color=colour,
                  marker=marker, markersize=5, markerfacecolor="none", linewidth=width,
                  label=RUNGS[name].label)  # fmt: skip
    known = rows[rows["empirical"] > 0]
    axes.plot(known["alpha"], known["empirical"], color=GREEN, marker="o", markersize=5,
              label=RUNGS["empirical"].label)  # fmt: skip


def _seeds(axes: Axes, cells: pd.DataFrame) -> None:
    """Each seed's rate, a little apart, with its interval; an arrow where it saw no violation."""
    seeds = sorted(cells["seed"].unique())
    for row in plain_rows(cells):
        shift = 1 + 0.006 * (seeds.index(row["seed"]) - (len(seeds) - 1) / 2)
        place = row["alpha"] * shift
        none = row["bound"] == 0
        axes.plot([place, place], [row["high"] / 30 if none else row["low"], row["high"]],
                  color=GREEN, linewidth=0.9, alpha=0.45)  # fmt: skip
        axes.plot([place], [row["high"] if none else row["bound"]], "v" if none else ".",
                  color=GREEN, markersize=4, alpha=0.7)  # fmt: skip
