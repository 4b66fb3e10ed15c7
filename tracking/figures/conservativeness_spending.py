"""Shares of the allowed log ratio that were used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sport_ray.tracking.figures.conservativeness_panels import by_step, panels_of
from sport_ray.tracking.figures.style import (
    BLUE,
    GREEN,
    INK,
    Drawn,
    alpha_axis,
    legend_below,
    new_panels,
    save,
    say_few_seeds,
)
from sport_ray.tracking.results.labels import seeds_text


def draw_spending(settings: pd.DataFrame, folder: Path) -> Drawn | None:
    """Shares of the allowed log ratio that were used, against α; a panel per method and T."""
    rows = by_step(settings)
    rows = rows[rows["path_share"].notna()]
    if rows.empty:
        return None
    panels = list(panels_of(rows))
    figure, axes_list = new_panels(len(panels), 3.7)
    lines = {
        "mean_allowed_share": (INK, "-", "x", "of log α, by the likeliest action of a step (mean)"),
        "path_share": (BLUE, "--", "s", "of T·log α, by the likeliest path (largest seen)"),
        "mean_realised_share": (GREEN, "-", "o", "of log α, by the actions drawn (mean)"),
    }
    for axes, (title, _, _, part) in zip(axes_list, panels, strict=True):
        part = part.sort_values("alpha")
        for name, (colour, line, marker, label) in lines.items():
            axes.plot(part["alpha"], part[name], linestyle=line, color=colour, marker=marker,
                      markersize=5, label=label)  # fmt: skip
        axes.set_title(title)
        axes.set_ylim(min(0.0, 1.1 * float(rows["mean_realised_share"].min())), 1.08)
        alpha_axis(axes, rows["alpha"].to_numpy(np.float64), unconstrained=False)
    axes_list[0].set_ylabel("share used")
    legend_below(figure, axes_list[0], 1)
    say_few_seeds(figure, rows["seeds"])
    caption = (
        f"Over {seeds_text(rows['seeds'])} per setting: means, and the largest path of all seeds; "
        "no intervals. The bound assumes that all three are 1 on every path to a violation."
    )
    svg = save(figure, folder, "conservativeness_spending")
    title = "How much of the log budget was used"
    return Drawn("conservativeness_spending", title, caption, svg)
