"""What projection does: task, projected and alpha-scaled base densities along one action.

Of a study whose cells all choose among candidates, the probabilities of the choice instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sport_ray.tracking.figures import choices, palette, style
from sport_ray.tracking.figures.trajectories import Samples, sampled_cells, spread
from sport_ray.tracking.results.kinds import PAPER
from sport_ray.tracking.results.labels import left_out_text
from sport_ray.tracking.results.records import POLICY_ARRAYS, Results
from sport_ray.tracking.results.task_policies import series_text

TITLE = "The policies under the scaled base density"
MAX_ALPHAS = 3
MAX_STEPS = 4


def draw_policies(folder: Results, frame: pd.DataFrame, out: Path) -> style.Drawn | None:
    """A row per alpha, a column per time step, along scenario 0; None without samples."""
    found = sampled_cells(folder, frame)
    if found is None:
        return None
    cells, horizon, seed = found
    gaussian = {key: one for key, one in cells.items() if one.keys() >= set(POLICY_ARRAYS)}
    cells = gaussian or cells
    method = (
        "projected_ppo" if any(m == "projected_ppo" for m, _ in cells) else next(iter(cells))[0]
    )
    alphas = sorted(alpha for m, alpha in cells if m == method and alpha > 1)
    if not alphas:
        return None
    alphas = spread(alphas, MAX_ALPHAS)
    chosen = [cells[method, alpha] for alpha in alphas]
    example = f"Along one scenario of {series_text(method)} (T = {horizon}, seed {seed}; one seed, "
    example += "an example and no interval). "
    if not gaussian:
        steps = _steps(len(samples["probabilities"]) for samples in chosen)
        figure, grid = choices.draw_choices(dict(zip(alphas, chosen, strict=True)), steps)
        _finish(figure, grid, steps)
        caption = example + (
            "M · probability of each candidate, the task's favourite first; 1: as likely as under "
            "the base. The choice lies under α everywhere; what it may not give to the favourites "
            "goes to others, by weight. The task's own line leaves the panel."
        )
        return style.save(figure, out, "policies", choices.TITLE, caption + left_out_text(frame))
    # The action that the projection changes most, the same in all panels.
    action = int(np.argmax(sum(_shift(samples) for samples in chosen)))
    steps = _steps(len(samples["mean"]) for samples in chosen)
    figure, grid = style.new_figure(
        max(2.45 * len(steps) + 0.4, 4.0), 1.95 * len(alphas) + 0.8, len(alphas), len(steps)
    )
    for row, alpha, samples in zip(grid, alphas, chosen, strict=True):
        for axes, step in zip(row, steps, strict=True):
            _panel(axes, samples, alpha, step, action)
        row[0].set_ylabel(f"α = {alpha:g}\ndensity")
    for axes in grid[-1]:
        axes.set_xlabel(f"action {action}", fontsize="small")
    _finish(figure, grid, steps)
    caption = example + (
        "Actions are as sampled, before they are mapped. The projected density lies under α "
        "times the base density everywhere; what is left between the two is the bound's slack. "
        "Tall curves leave the panel." + left_out_text(frame)
    )
    return style.save(figure, out, "policies", TITLE, caption)


def _steps(lengths: Iterable[int]) -> list[int]:
    """At most `MAX_STEPS` of those that all have, first and last among them."""
    return sorted({round(step) for step in np.linspace(0, min(lengths) - 1, MAX_STEPS)})


def _finish(figure: Figure, grid: Sequence[Sequence[Axes]], steps: list[int]) -> None:
    for axes, step in zip(grid[0], steps, strict=True):
        axes.set_title(f"step {step}", fontsize="medium")
    style.legend_below(figure, grid[0][0], 3)
    style.say_example(figure)


def _shift(samples: Samples) -> np.ndarray:
    """Mean distance task to projected per action, in base standard deviations: (D,)."""
    found: np.ndarray = np.mean(
        np.abs(samples["task_mean"] - samples["mean"]) / samples["base_std"], axis=0
    )
    return found


def gaussian(x: np.ndarray, mean: float, std: float) -> np.ndarray:
    """The normal density at x."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def gaussian_peak(std: float) -> float:
    """The normal density at its mean."""
    return 1 / (std * math.sqrt(2 * math.pi))


def _panel(axes: Axes, samples: Samples, alpha: float, step: int, action: int) -> None:
    def law(prefix: str) -> tuple[float, float]:
        mean, std = samples[f"{prefix}mean"], samples[f"{prefix}std"]
        return float(mean[step, action]), float(std[step, action])

    base, task, projected = law("base_"), law("task_"), law("")
    low = min(mean - 3.2 * std for mean, std in (base, task, projected))
    high = max(mean + 3.2 * std for mean, std in (base, task, projected))
    x = np.linspace(low, high, 161)
    scaled = alpha * gaussian(x, *base)
    axes.fill_between(x, 0, scaled, color=palette.INK, alpha=0.09, linewidth=0)
    axes.plot(x, scaled, ":", color=palette.INK, linewidth=1.3, label="α · base")
    axes.plot(
        x, gaussian(x, *task), color=palette.UNBOUND, linestyle="--", label="task, unprojected"
    )
    axes.plot(x, gaussian(x, *projected), color=palette.kind_colour(PAPER), label="projected")
    peak = max(gaussian_peak(base[1]), gaussian_peak(projected[1]))
    # Up to α = 4 all of the scaled density is in the panel, beyond that its flanks.
    axes.set_ylim(0, max(1.7 * peak, 1.1 * min(alpha, 4.0) * gaussian_peak(base[1])))
    axes.set_xlim(low, high)
