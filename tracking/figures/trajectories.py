"""Where the policy goes: trajectories around the hazard, one small panel per alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle

from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import PAPER, is_paper
from sport_ray.tracking.results.labels import left_out_text
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.records import SAMPLE_ARRAYS, Results
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of_row, series_text

TITLE = "Trajectories around the hazard"
SCENE = frozenset(SAMPLE_ARRAYS)
MAX_PANELS = 6
MAX_TRAJECTORIES = 60
_METHODS = ("projected_ppo", "projected_at_deployment")

Samples = dict[str, np.ndarray]


def draw_trajectories(folder: Results, frame: pd.DataFrame, out: Path) -> style.Drawn | None:
    """A row per method, a column per alpha, one T and seed; None where no samples were kept."""
    found = sampled_cells(folder, frame)
    if found is None:
        return None
    cells, horizon, seed = found
    cells = {key: samples for key, samples in cells.items() if samples.keys() >= SCENE}
    if not cells:
        return None  # an environment without poses, or layouts that differ
    alphas = spread(sorted({alpha for _, alpha in cells}), MAX_PANELS)
    there = dict.fromkeys(series for series, _ in cells)
    methods = sorted(there, key=lambda one: _METHODS.index(one) if one in _METHODS else 9)
    limits = scene_limits(list(cells.values()))
    shape = (limits[3] - limits[2]) / (limits[1] - limits[0])
    width = 1.85 * len(alphas) + 0.7
    figure, grid = style.new_figure(
        max(width, 4.0), (1.58 * shape + 0.3) * len(methods) + 0.5, len(methods), len(alphas),
        sharex=True, sharey=True,
    )  # fmt: skip
    for row, method in zip(grid, methods, strict=True):
        row[0].set_ylabel(f"{series_text(method)}\ny, m", fontsize="small")
        for axes, alpha in zip(row, alphas, strict=True):
            if (method, alpha) in cells:
                draw_scene(axes, cells[method, alpha], limits)
                _paths(axes, cells[method, alpha])
            else:
                frame_scene(axes, limits)
                axes.text(0.5, 0.5, "no samples", transform=axes.transAxes, ha="center",
                          color=palette.MUTED, fontsize="small")  # fmt: skip
    for axes, alpha in zip(grid[0], alphas, strict=True):
        axes.set_title(f"α = {alpha:g}", fontsize="medium")
    for axes in grid[-1]:
        axes.set_xlabel("x, m", fontsize="small")
    style.say_example(figure)
    count = max(len(positions(samples)) for samples in cells.values())
    caption = (
        f"The first {count} evaluation scenarios of one policy per panel (T = {horizon}, seed "
        f"{seed}; one seed, no interval). Dashed circle: hazard; solid circle: goal; orange: "
        "trajectories that enter the hazard, numbered in the corner; dots: where they end."
        + left_out_text(frame)
    )
    return style.save(figure, out, "trajectories", TITLE, caption)


def sampled_cells(
    folder: Results, frame: pd.DataFrame
) -> tuple[dict[tuple[str, float], Samples], int, int] | None:
    """Samples by (series, alpha) under the paper's constraint, then T and seed.

    Of the one (T, training parameters, seed) that has most of them.
    """
    bounded = frame[is_paper(frame) & (frame["status"] == "finished")]
    best: tuple[dict[tuple[str, float], Samples], int, int] | None = None
    groups = [group for part in parts_of(bounded) for _, group in part.of(bounded).groupby("seed")]
    for group in groups:
        files = [folder.files.samples(cell_id) for cell_id in group["cell_id"]]
        if sum(file.exists() for file in files) <= (0 if best is None else len(best[0])):
            continue
        cells = plain_rows(group)
        found: dict[tuple[str, float], Samples] = {}
        for cell in cells:
            samples = folder.samples(cell["cell_id"])
            if samples is not None:
                found[series_of_row(cell), cell["alpha"]] = samples
        best = found, cells[0]["horizon"], cells[0]["seed"]
    return best


def spread(values: list[float], count: int) -> list[float]:
    """At most `count` of sorted values, first and last among them."""
    if len(values) <= count:
        return values
    chosen = np.unique(np.linspace(0, len(values) - 1, count).round().astype(int))
    return [values[i] for i in chosen]


def frame_scene(axes: Axes, limits: tuple[float, float, float, float]) -> None:
    """Axes in metres, the same scale in both directions."""
    axes.set_aspect("equal")
    axes.set_xlim(*limits[:2])
    axes.set_ylim(*limits[2:])
    axes.grid(False)


def draw_scene(axes: Axes, samples: Samples, limits: tuple[float, float, float, float]) -> None:
    """Hazard and goal within `limits` (left, right, bottom, top)."""
    frame_scene(axes, limits)
    hazard, goal = _point(samples["hazard"]), _point(samples["goal"])
    axes.add_patch(Circle(hazard, float(samples["hazard_radius"]), facecolor=palette.VIOLATION,
                          edgecolor=palette.VIOLATION, alpha=0.16, linewidth=0))  # fmt: skip
    axes.add_patch(Circle(hazard, float(samples["hazard_radius"]), fill=False,
                          edgecolor=palette.VIOLATION, linestyle="--", linewidth=1.2))  # fmt: skip
    axes.add_patch(Circle(goal, float(samples["goal_radius"]), fill=False, edgecolor=palette.INK,
                          linewidth=1.6))  # fmt: skip


def _paths(axes: Axes, samples: Samples) -> None:
    poses = positions(samples)
    hit = enters_hazard(poses, samples["hazard"], float(samples["hazard_radius"]))
    for mask, colour in ((~hit, palette.kind_colour(PAPER)), (hit, palette.VIOLATION)):
        paths = [path[np.isfinite(path[:, 0])] for path in poses[mask]]
        paths = [path for path in paths if len(path)]
        axes.add_collection(LineCollection(paths, colors=colour, linewidths=0.7, alpha=0.45))
        if paths:
            ends = np.stack([path[-1] for path in paths])
            axes.plot(
                ends[:, 0], ends[:, 1], ".", color=colour, markersize=style.points(2.5), alpha=0.8
            )
    axes.text(0.96, 0.03, f"{int(hit.sum())}/{len(hit)}", transform=axes.transAxes, ha="right",
              color=palette.ALARM if hit.any() else palette.MUTED, fontsize="small")  # fmt: skip


def enters_hazard(poses: np.ndarray, hazard: np.ndarray, radius: float) -> np.ndarray:
    """Which of the paths (n, T+1, 2), NaN-padded, come within `radius` of `hazard`: bool (n,)."""
    distance = np.hypot(poses[..., 0] - hazard[0], poses[..., 1] - hazard[1])
    found: np.ndarray = (np.nan_to_num(distance, nan=np.inf) <= radius).any(axis=1)
    return found


def _point(xy: np.ndarray) -> tuple[float, float]:
    return float(xy[0]), float(xy[1])


def positions(samples: Samples, most: int = MAX_TRAJECTORIES) -> np.ndarray:
    """Where the first scenarios of a cell went, in metres: (n, T + 1, 2), NaN after their end.

    A cell that evaluated fewer than it has room for has so many.
    """
    poses = samples["poses"][:most, :, :2].astype(np.float64)
    return poses[np.isfinite(poses[:, 0, 0])]


def scene_limits(samples: list[Samples]) -> tuple[float, float, float, float]:
    """Common limits in metres: hazard, goal and nearly all of the paths, with a margin."""
    points = np.concatenate([positions(one).reshape(-1, 2) for one in samples])
    points = points[np.isfinite(points[:, 0])]
    low, high = np.percentile(points, [1, 99], axis=0)
    for one in samples:
        for name in ("hazard", "goal"):
            radius = float(one[f"{name}_radius"])
            low, high = np.minimum(low, one[name] - radius), np.maximum(high, one[name] + radius)
    x, y = 0.06 * (high - low)
    return low[0] - x, high[0] + x, low[1] - y, high[1] + y
