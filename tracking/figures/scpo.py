"""SCPO against the unconstrained run: the objective and the largest constraint, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tracking.figures.style import (
    BLUE,
    INK,
    MUTED,
    PURPLE,
    Drawn,
    legend_below,
    look,
    new_figure,
    save,
)

RUNS = {
    "scpo": ("SCPO", BLUE, "-"),
    "unconstrained": ("unconstrained", PURPLE, "--"),
}
STOOD = ("stood still", "went back")


def draw_scpo(rows: pd.DataFrame, title: str, objective: str, folder: Path, name: str) -> Drawn:
    """Two panels from iterations of both runs.

    rows: columns run ("scpo" or "unconstrained"), iteration, objective, max_constraint and
    outcome, as ``sport-ray scpo`` writes them.
    """
    with look():
        figure, grid = new_figure(9.8, 4.2, 1, 2)
        left, right = grid[0]
        left.set_title(title)
        left.set_ylabel("objective")
        right.set_title("Largest constraint value")
        right.set_ylabel("largest g(θ); above 0 is unsafe")
        for axes, column in ((left, "objective"), (right, "max_constraint")):
            axes.set_xlabel("iteration")
            for run, (label, colour, style) in RUNS.items():
                chosen = rows[rows["run"] == run].sort_values("iteration")
                axes.plot(chosen["iteration"], chosen[column], style, color=colour, label=label)
                still = chosen[chosen["outcome"].isin(STOOD)]
                if len(still):
                    axes.plot(still["iteration"], still[column], ".", color=INK, markersize=4,
                              linestyle="none", label=f"{label} stood still")  # fmt: skip
        _mark_limit(right, rows["max_constraint"].to_numpy())
        legend_below(figure, left, 4)
        svg = save(figure, folder, name)
    caption = (
        f"Left: {objective}. Right: the largest of the constraints at every iterate, from "
        "rollouts; the dashed line of the unconstrained run takes the same gradient steps with "
        "nobody asking."
    )
    return Drawn(name, f"SCPO: {title}", caption, svg)


def _mark_limit(axes: Axes, values: np.ndarray) -> None:
    """The line at 0, shaded above; a scale that shows both sides where one is far longer."""
    finite = values[np.isfinite(values)]
    if finite.max() > 10.0 * abs(min(finite.min(), -1e-3)):
        axes.set_yscale("symlog", linthresh=float(max(abs(finite.min()), 1e-3)))
    low, high = axes.get_ylim()
    axes.axhspan(0.0, max(high, 0.05 * (high - low)), color=MUTED, alpha=0.12, linewidth=0)
    axes.axhline(0.0, color=INK, linewidth=1.0)
    axes.set_ylim(low, max(high, 0.05 * (high - low)))
