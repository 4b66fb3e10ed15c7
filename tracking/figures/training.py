"""Violations in the course of training: promised, bounded and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from sport_ray.bounds import anytime_violations_bound
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.curves import Curves, read_curves
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.labels import confidence_text, setting_text
from sport_ray.tracking.results.table import plain_rows

TITLE = "Violations in training: promised, bounded, counted"
MOST = 4
"""Panels; the table has every setting."""
POINTS = 60
Run = tuple[dict[str, Any], Curves]
"""A cell's row and its curves."""


def draw_training(frame: pd.DataFrame, results: Path, folder: Path) -> style.Drawn | None:
    """A panel per setting that trained under a promise; None where none left its curves.

    results: the result folder, in which each cell has its learning curves.

    Raises:
        UserError: curves that cannot be read.
    """
    layout = ResultFolder(results)
    panels_of: dict[str, list[Run]] = {}
    for row in plain_rows(frame[frame["status"] == "finished"]):
        if row["train_risk"] is None or row["train_risk"] >= 1 or not row["train_episodes_most"]:
            continue  # promises nothing
        curves = read_curves(layout, row["cell_id"])
        if curves is None or not {"episodes_begun", "violations"} <= {*curves}:
            continue
        name = f"{setting_text(row)}, T = {row['horizon']}"
        panels_of.setdefault(name, []).append((row, curves))
    if not panels_of:
        return None
    chosen = dict(sorted(panels_of.items(), key=lambda one: -_begun(one[1]))[:MOST])
    figure, panels = style.new_panels(len(chosen), 4.4)
    for axes, (name, runs) in zip(panels, chosen.items(), strict=True):
        _panel(axes, runs)
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("training episodes begun")
    panels[0].set_xlim(0, max(map(_begun, chosen.values())))  # one axis for all
    panels[0].set_ylabel("violations so far")
    style.legend_below(figure, panels[0], 3)
    left = len(panels_of) - len(chosen)
    beta = max(row["train_violations_beta"] for runs in panels_of.values() for row, _ in runs)
    caption = (
        "Solid: violations counted, of every kind, one line per seed. Expected: at most p times "
        "the episodes, with p the constraint's prior bound. Bound: exceeded with probability at "
        "most β, at any time, or at the end where the number of episodes was set beforehand (a "
        f"level line); confidence {confidence_text(beta)} for each run. Both were known before "
        "training began, given the certificate."
        + (f" {left} more settings are in the table." if left else "")
    )
    return style.save(figure, folder, "training", TITLE, caption)


def _begun(runs: list[Run]) -> int:
    return max(curves.begun or 0 for _, curves in runs)


def _panel(axes: Axes, runs: list[Run]) -> None:
    row = max((one for one, _ in runs), key=lambda one: one["train_risk"])
    end = _begun(runs)
    places = np.unique(np.linspace(0, end, POINTS).astype(int))
    risk, beta = row["train_risk"], row["train_violations_beta"]
    axes.plot(
        places, risk * places, ":", color=palette.INK, linewidth=1.8, label="expected at most"
    )
    curve = [anytime_violations_bound(risk, int(one), beta) for one in places]
    level = row["train_violations_bound"]
    planned = level != anytime_violations_bound(risk, row["train_episodes_begun"], beta)
    heights = [level] * len(places) if planned else curve
    axes.plot(places, heights, "--", color=palette.INK, linewidth=1.6, label="bound")
    colour = palette.kind_colour(row["constraint"])
    for index, (_, curves) in enumerate(runs):
        begun, violated = curves["episodes_begun"], curves["violations"]
        axes.step([0, *begun], [0, *violated], where="post", color=colour, alpha=0.8,
                  linewidth=1.5, label="counted" if index == 0 else None)  # fmt: skip
    axes.set_ylim(0, None)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
