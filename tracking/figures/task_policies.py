"""Where the task policies come from: performance against violation rate, source by source."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import is_base
from sport_ray.tracking.results.labels import seeds_text, series_and_kind_text
from sport_ray.tracking.results.performance import Performance
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of

TITLE = "Where the task policies come from"


def draw_task_policies(
    table: pd.DataFrame, measure: Performance, folder: Path
) -> style.Drawn | None:
    """A panel per T from a `task_policy_table`; None if it is empty or nothing reached the goal."""
    known = table[np.isfinite(table["value"].astype(float))]
    if known.empty:
        return None
    horizons = sorted(known["horizon"].unique())
    figure, panels = style.new_panels(len(horizons), 4.9)
    # The smallest rate that can be seen; below it the axis is linear, down to 0.
    positive = table["rate"].astype(float)[table["rate"].astype(float) > 0]
    smallest = float(min(positive.min(), 1e-2)) if len(positive) else 1e-3
    for axes, horizon in zip(panels, horizons, strict=True):
        axes.set_xscale("symlog", linthresh=smallest, linscale=0.4)
        _panel(axes, known[known["horizon"] == horizon])
        axes.set_xlim(-0.3 * smallest, 1.3)
        # A power of ten in the linear part would stand on the 0.
        powers = range(math.ceil(math.log10(smallest)), 1)
        axes.set_xticks([0.0, *(10.0**power for power in powers)])
        axes.set_title(f"T = {horizon} steps")
        axes.set_xlabel("observed violation rate (log; linear near 0)")
    panels[0].set_ylabel(f"{measure.short}, {measure.over}")
    style.legend_below(figure, panels[0], 2)
    style.say_few_seeds(figure, known["seeds"])
    caption = (
        f"Each point a setting, mean over {seeds_text(known['seeds'])}. Large and hollow: under "
        "no constraint, with no prior bound; small and filled: under some α or "
        "budget. Strokes: up and down the performance (95% t-interval "
        "over seeds, none from one), to left and right the violation rate (95% t-interval over "
        "seeds, from one seed Clopper–Pearson of its policy), each "
        "pointwise. Observed rates promise nothing."
    )
    return style.save(figure, folder, "task_policies", TITLE, caption)


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    style.base_line(axes, rows.loc[is_base(rows), "value"].astype(float))
    named = pd.Series(list(zip(series_of(rows), rows["constraint"], strict=True)), rows.index)
    for series, kind in dict.fromkeys(named):
        some = rows[(named == (series, kind)) & ~is_base(rows)]
        if some.empty:
            continue
        colour, marker = palette.kind_colour(kind), palette.series_marker(series)
        free = not some["projected"].any()
        for row in plain_rows(some):
            left, right = _ends(row)
            axes.plot([left, right], [row["value"]] * 2, color=colour, linewidth=1.1, alpha=0.6)
            if row["value_low"] is not None:
                axes.plot([row["rate"]] * 2, [row["value_low"], row["value_high"]], color=colour,
                          linewidth=1.1, alpha=0.6)  # fmt: skip
        axes.plot(
            some["rate"],
            some["value"],
            marker=marker,
            color=colour,
            linestyle="none",
            markerfacecolor="none" if free else colour,
            markersize=style.points(10 if free else 6),
            label=series_and_kind_text(series, kind),
        )


def _ends(row: dict[str, Any]) -> tuple[float, float]:
    """Of the rate: over seeds, else of the worst seed's policy."""
    if row["rate_low"] is not None:
        return row["rate_low"], row["rate_high"]
    return row["worst_rate_low"], row["worst_rate_high"]
