"""The ladder of bounds against α: promised, bounded and observed, in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.analysis.conservativeness import other_kinds, setting_table
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import is_paper, order_of
from sport_ray.tracking.results.labels import kind_text, seeds_text
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.task_policies import series_of, series_text

TOP = 30.0
"""Bounds are drawn up to here; what is above says no more than 1 does."""


def draw_ladder(ladder: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """All rungs against α, a panel per method and T; None if no cell has an α.

    Of kinds with an α the paper's if it is there, else the first: their policies are the same.
    """
    cells = ladder[ladder["alpha"].notna()]
    if cells.empty:
        return None
    papers = cells[is_paper(cells)]
    first = min(cells["constraint"], key=order_of)
    cells = papers if len(papers) else cells[cells["constraint"] == first]
    settings = setting_table(cells)
    panels = [
        (f"{series_text(name)}, {part.title}", name, part.of(rows), part.of(of_series))
        for name, of_series in cells.groupby(series_of(cells), sort=False)
        for rows in [setting_table(of_series)]
        for part in parts_of(rows)
    ]
    figure, axes_list = style.new_panels(len(panels), 4.4)
    seen = cells["rate"].where(cells["rate"] > 0, cells["rate_high"])
    for axes, (title, series, rows, of_seeds) in zip(axes_list, panels, strict=True):
        _panel(axes, rows.sort_values("alpha"), series)
        _seeds(axes, of_seeds)
        axes.set_title(title)
        axes.set_yscale("log")
        axes.set_ylim(float(seen.min()) / 4, TOP)
        style.shade_vacuous(axes, TOP, 1.25, "baseline")
        style.alpha_axis(axes, settings["alpha"].to_numpy(np.float64), unconstrained=False)
    axes_list[0].set_ylabel("probability of violation (log)")
    style.legend_below(figure, axes_list[0], 3)
    style.say_few_seeds(figure, settings["seeds"])
    caption = (
        f"Over {seeds_text(settings['seeds'])} per setting: bounds of the worst seed, mean "
        "observed rate; small dots: each seed's rate with its Clopper–Pearson interval (95%, "
        "pointwise), an arrow where none violated. The off-policy bound is missing where too few "
        f"scenarios speak for the policy, or where it was not asked for. Drawn up to {TOP:g}."
    )
    return style.save(figure, folder, "conservativeness", "The ladder of bounds over α", caption)


def _panel(axes: Axes, rows: pd.DataFrame, series: str) -> None:
    own = rows["constraint"].iloc[0]
    colour, mark = palette.kind_colour(own), palette.series_marker(series)
    lines: list[tuple[str, str, str, Any, Any]] = [
        ("prior_bound", f"{kind_text(own)} (promised)", palette.INK, "-", "x")
    ]
    lines += [
        (name, kind_text(name), palette.kind_colour(name), ":", "+") for name in other_kinds(rows)
    ]
    lines += [
        ("off_policy_bound", "off-policy", colour, "-.", "1"),
        ("limit_level", "from data", colour, (0, (1, 1)), "2"),
        ("posterior_bound", "posterior", colour, "--", mark),
        ("rate", "observed rate", colour, "-", mark),
    ]
    for name, label, of_line, dashes, marker in lines:
        known = rows[rows[name] > 0]
        if len(known):
            axes.plot(known["alpha"], known[name], linestyle=dashes, color=of_line, marker=marker,
                      markersize=style.points(5), linewidth=1.6, label=label,
                      markerfacecolor=of_line if name == "rate" else "none")  # fmt: skip


def _seeds(axes: Axes, cells: pd.DataFrame) -> None:
    """Each seed's rate, a little apart, with its interval; an arrow where it saw no violation."""
    colour = palette.kind_colour(cells["constraint"].iloc[0])
    seeds = sorted(cells["seed"].unique())
    apart = 0.006 * np.log(cells["alpha"].max())
    index = np.searchsorted(seeds, cells["seed"])
    places = cells["alpha"].to_numpy() * np.exp(apart * (index - (len(seeds) - 1) / 2))
    none, high = cells["gap_is_limit"].to_numpy(bool), cells["rate_high"].to_numpy()
    lows = np.where(none, high / 30, cells["rate_low"])
    axes.vlines(places, lows, high, colors=colour, linewidth=0.9, alpha=0.45)
    heights = np.where(none, high, cells["rate"])
    for mask, marker in ((none, "v"), (~none, ".")):
        axes.plot(
            places[mask], heights[mask], marker, color=colour, markersize=style.points(4), alpha=0.7
        )
