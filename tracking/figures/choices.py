"""What selection does: how much likelier than by chance each candidate is chosen, best first."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.figures.trajectories import Samples
from sport_ray.tracking.results.kinds import PAPER

TITLE = "The choice under the scaled base probability"


def draw_choices(chosen: dict[float, Samples], steps: list[int]) -> tuple[Figure, list[list[Axes]]]:
    """A row per α, a column per step: M · p of each candidate, sorted by the task's weights."""
    figure, grid = style.new_figure(
        max(2.45 * len(steps) + 0.4, 4.0), 1.95 * len(chosen) + 0.8, len(chosen), len(steps)
    )
    for row, (alpha, samples) in zip(grid, chosen.items(), strict=True):
        for axes, step in zip(row, steps, strict=True):
            _panel(axes, samples, alpha, step)
        row[0].set_ylabel(f"α = {alpha:g}\nM · probability")
    for axes in grid[-1]:
        axes.set_xlabel("candidate, best first", fontsize="small")
    return figure, [list(row) for row in grid]


def _panel(axes: Axes, samples: Samples, alpha: float, step: int) -> None:
    task, held = samples["task_probabilities"][step], samples["probabilities"][step]
    count = len(task)
    order = np.lexsort((-held, -task))
    place = np.arange(1, count + 1)
    axes.axhspan(0, alpha, color=palette.INK, alpha=0.09, linewidth=0)
    axes.axhline(alpha, color=palette.INK, linestyle=":", linewidth=1.3, label="α · base")
    axes.step(place, count * task[order], where="mid", color=palette.UNBOUND, linestyle="--",
              label="task, unlimited")  # fmt: skip
    axes.step(
        place,
        count * held[order],
        where="mid",
        color=palette.kind_colour(PAPER),
        label="selection under α",
    )
    # Up to α = 4 all that the constraint allows is in the panel.
    axes.set_ylim(0, 1.25 * min(max(alpha, 1.6), 4.0))
    axes.set_xlim(0.5, count + 0.5)
