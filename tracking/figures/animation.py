"""A short animation: base, best under a constant ratio and best of all, side by side, by step."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from PIL import Image

from sport_ray.tracking.analysis.answer import Answer
from sport_ray.tracking.analysis.pareto import candidates
from sport_ray.tracking.analysis.speakers import HEADLINE_LEVEL
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.figures.trajectories import (
    SCENE,
    Samples,
    draw_scene,
    enters_hazard,
    positions,
    scene_limits,
)
from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.kinds import is_base, is_paper
from sport_ray.tracking.results.labels import bound_text, setting_text
from sport_ray.tracking.results.performance import performance_of
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.statistics import cells_of

NAME = "animation"
TITLE = "The policies at work"
MAX_BYTES = 1_500_000
"""Of the GIF; a longer animation is drawn smaller until it fits."""
FRAMES_PER_STEP = 2
PANEL_CHARACTERS = 36
"""Of the small text above a panel, what fits its width."""
MILLISECONDS, LAST_MILLISECONDS = 90, 1500
_DPI = (120, 90, 66)
_COLOURS = 64


@dataclass(frozen=True)
class Animation:
    """A GIF and its last picture, a PNG for whoever prefers no motion."""

    title: str
    caption: str
    gif: bytes
    still: bytes


@dataclass(frozen=True)
class _Panel:
    heading: str
    detail: str
    colour: str
    poses: np.ndarray
    samples: Samples

    @property
    def hit(self) -> np.ndarray:
        """Step at which each path enters the hazard, NaN if never: (n,)."""
        first = np.full(len(self.poses), np.nan)
        for step in range(self.poses.shape[1]):
            inside = enters_hazard(
                self.poses[:, step : step + 1], self.samples["hazard"],
                float(self.samples["hazard_radius"]),
            )  # fmt: skip
            first = np.where(np.isnan(first) & inside, step, first)
        return first

    @property
    def last(self) -> np.ndarray:
        """Last step of each path: (n,)."""
        return np.asarray(np.isfinite(self.poses[..., 0]).sum(axis=1) - 1)


def draw_animation(
    folder: Results, frame: pd.DataFrame, settings: pd.DataFrame, answer: Answer, out: Path
) -> Animation | None:
    """Write animation.gif and animation.png; None where there are no trajectories to show.

    The best is the answer's leader at its headline risk (or at the loosest that has one), the
    paper's best is at the same risk and T, the base is α = 1 at that T; all of the same seed. Of
    the same data the bytes are the same.
    """
    found = _panels(folder, frame, settings, answer)
    if found is None:
        return None
    panels, horizon, seed = found
    for dpi in _DPI:
        images = list(_frames(panels, horizon, dpi))
        gif = _gif(images)
        if len(gif) <= MAX_BYTES:
            break
    buffer = io.BytesIO()
    images[-1].save(buffer, format="png")
    write_atomically(out / f"{NAME}.gif", gif)
    write_atomically(out / f"{NAME}.png", buffer.getvalue())
    count = len(panels[0].poses)
    caption = (
        f"The same first {count} evaluation scenarios under each policy, two frames per step "
        f"(T = {horizon}, seed {seed}; one seed, no interval). Dashed circle: hazard; solid: goal; "
        "orange: trajectories that enter the hazard."
    )
    return Animation(TITLE, caption, gif, buffer.getvalue())


def _panels(
    folder: Results, frame: pd.DataFrame, settings: pd.DataFrame, answer: Answer
) -> tuple[list[_Panel], int, int] | None:
    """What to show, at one T and seed; None if there is no certified setting with samples."""
    leaders = {one.level: one for one in answer.leaders}
    if not leaders:
        return None
    best = leaders.get(HEADLINE_LEVEL, leaders[max(leaders)])
    measure = performance_of(settings)
    at = settings[settings["horizon"] == best.horizon]
    allowed = candidates(settings, "prior_bound")
    allowed = allowed[(allowed["horizon"] == best.horizon) & (allowed["prior_bound"] <= best.level)]
    paper = allowed[is_paper(allowed) & ~is_base(allowed)]
    base = at[is_base(at) & (at["seeds"] > 0)]
    rows: list[tuple[str, pd.Series]] = []
    if len(base):
        rows.append(("Base", base.iloc[0]))
    if len(paper):
        name = "Best, constant ratio" if best.paper else "The best constant ratio"
        fastest = int(np.argmin(measure.cost(paper[measure.mean])))
        row = settings.loc[[best.setting]].iloc[0] if best.paper else paper.iloc[fastest]
        rows.append((name, row))
    if not best.paper:
        rows.append(("Best", settings.loc[[best.setting]].iloc[0]))
    if len(rows) < 2:
        return None
    for seed in sorted(frame["seed"].unique()):
        panels = []
        for heading, row in rows:
            samples = _samples(folder, frame, row, int(seed))
            if samples is None or not samples.keys() >= SCENE:
                break
            detail = (
                f"{setting_text(row)}\ncertified risk {bound_text(row['prior_bound'])}, "
                f"{measure.text(row[measure.mean])} {measure.short}"
            )
            colour = palette.kind_colour(row["constraint"])
            panels.append(_Panel(heading, detail, colour, positions(samples), samples))
        if len(panels) == len(rows):
            return panels, best.horizon, int(seed)
    return None


def _samples(folder: Results, frame: pd.DataFrame, row: pd.Series, seed: int) -> Samples | None:
    cells = cells_of(frame, row)
    ids = cells.loc[cells["seed"] == seed, "cell_id"]
    return None if ids.empty else folder.samples(ids.iloc[0])


def _frames(panels: list[_Panel], horizon: int, dpi: int) -> Iterator[Image.Image]:
    """The pictures in order: what stays is drawn once, what moves upon a copy of it."""
    limits = scene_limits([panel.samples for panel in panels])
    shape = (limits[3] - limits[2]) / (limits[1] - limits[0])
    details = [_wrapped(panel.detail) for panel in panels]
    most = max(detail.count("\n") for detail in details) + 1
    figure, grid = style.new_figure(
        2.75 * len(panels), 2.5 * shape + 0.7 + 0.15 * most, 1, len(panels), sharey=True
    )
    figure.set_dpi(dpi)
    for axes, panel, detail in zip(grid[0], panels, details, strict=True):
        draw_scene(axes, panel.samples, limits)
        axes.set_title(panel.heading, pad=22 + 11 * most, fontsize="large")
        axes.annotate(
            detail,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 19),
            textcoords="offset points",
            fontsize="small",
            color=palette.MUTED,
        )
        axes.set_xlabel("x, m", fontsize="small")
    grid[0][0].set_ylabel("y, m", fontsize="small")
    style.say_example(figure)
    canvas: Any = figure.canvas  # that of Agg, whose methods have no types
    figure.set_layout_engine("constrained")
    canvas.draw()
    figure.set_layout_engine("none")
    background = canvas.copy_from_bbox(figure.bbox)
    end = min(max(int(panel.last.max()) for panel in panels), horizon)
    for time in np.linspace(0, end, FRAMES_PER_STEP * end + 1):
        canvas.restore_region(background)
        for axes, panel in zip(grid[0], panels, strict=True):
            for artist in _moving(axes, panel, float(time)):
                axes.draw_artist(artist)
                artist.remove()
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _wrapped(text: str) -> str:
    """In lines that are no wider than a panel: the next one's text begins beside it."""
    return "\n".join(part for line in text.split("\n") for part in wrap(line, PANEL_CHARACTERS))


def _moving(axes: Axes, panel: _Panel, time: float) -> list[Artist]:
    """The paths of a panel up to a time, where they are, and a count."""
    paths = [_until(path, time) for path in panel.poses]
    ends = np.stack([path[-1] for path in paths])
    hit = panel.hit <= time  # NaN: never
    near = np.hypot(*(ends - panel.samples["goal"]).T) <= float(panel.samples["goal_radius"])
    arrived = int((near & ~hit & (panel.last <= time)).sum())
    colours = [palette.VIOLATION if one else panel.colour for one in hit]
    lines = LineCollection(paths, colors=colours, linewidths=0.8, alpha=0.5)
    return [
        axes.add_collection(lines, autolim=False),
        *axes.plot(*ends[~hit].T, ".", color=panel.colour, markersize=style.points(5)),
        *axes.plot(*ends[hit].T, ".", color=palette.VIOLATION, markersize=style.points(6)),
        axes.annotate(
            f"step {int(time)}: goal {arrived}, hazard {int(hit.sum())} of {len(paths)}",
            (0, 1), xycoords="axes fraction", xytext=(0, 6), textcoords="offset points",
            fontsize="small",
        ),
    ]  # fmt: skip


def _until(path: np.ndarray, time: float) -> np.ndarray:
    """The positions of a path up to a time in steps, the last one between two of them."""
    known: np.ndarray = path[np.isfinite(path[:, 0])]
    whole = int(time)
    if whole + 1 >= len(known):
        return known
    between = known[whole] + (time - whole) * (known[whole + 1] - known[whole])
    return np.vstack([known[: whole + 1], between])


def _gif(images: list[Image.Image]) -> bytes:
    """One palette for all: by frequency the thin circles of goal and hazard would lose theirs."""
    both = Image.fromarray(
        np.vstack([np.asarray(images[len(images) // 2]), np.asarray(images[-1])])
    )
    palette = both.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    durations = [MILLISECONDS] * (len(frames) - 1) + [LAST_MILLISECONDS]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format="gif", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    return buffer.getvalue()
