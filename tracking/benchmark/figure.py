"""The one figure: interquartile means with their intervals, a panel per risk, a row per method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from sport_ray.tracking.benchmark.manifest import Manifest, Method
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import PAPER, UNCONSTRAINED
from sport_ray.tracking.results.task_policies import series_of_row

NAME = "leaderboard"
FILLS: dict[str, tuple[Any, str]] = {
    "prior": ("full", "certified before training"),
    "data": ("left", "certified by scenarios of the base"),
    "expected": ("bottom", "expected risk only; counts by its posterior bound"),
    "posterior": ("none", "no promise; counts by its posterior bound"),
}
"""How a mark is filled, and words, by promise. Colour is the constraint, shape the source."""
_GLYPHS = {"mixture": "x", "coin_flip": "+"}
"""Of methods that mix others' policies; theirs is no constraint."""
WIDEST = (-0.6, 1.4)
"""Shares that are drawn at most; what lies beyond is an arrow."""


def order_of(board: pd.DataFrame, manifest: Manifest) -> list[str]:
    """Methods from top to bottom: with a promise, best first at the main risk, then without."""
    at = board[board["eps_max"] == manifest.main_level].set_index("method")["iqm"]
    has = set(board["method"])
    promised = [one.name for one in manifest.methods if one.promised and one.name in has]
    others = [one.name for one in manifest.methods if not one.promised and one.name in has]
    value = {name: at.get(name, np.nan) for name in has}

    def best_first(names: list[str]) -> list[str]:
        return sorted(names, key=lambda name: np.nan_to_num(-value[name], nan=np.inf))

    return [*best_first(promised), *best_first(others)]


def draw_leaderboard(board: pd.DataFrame, manifest: Manifest, folder: Path) -> style.Drawn | None:
    """Draw ``leaderboard.png`` and ``.svg`` from the table of all tasks; without any row, nothing.

    An older figure is removed then.
    """
    names = order_of(board, manifest)
    if not names:
        style.remove(folder, NAME)
        return None
    free = {one.name for one in manifest.methods if not one.promised}
    gap = any(name in free for name in names) and any(name not in free for name in names)
    places = {name: rank + (0.8 if gap and name in free else 0.0)
              for rank, name in enumerate(names)}  # fmt: skip
    levels = sorted(manifest.risk_levels)
    low, high = _range(board)
    with style.look():
        size = 2.6 + 2.1 * len(levels), 1.7 + 0.27 * len(names)
        figure, grid = style.new_figure(*size, 1, len(levels), sharex=True, sharey=True)
        for axes, level in zip(grid[0], levels, strict=True):
            _panel(axes, board[board["eps_max"] == level], places, manifest, (low, high))
            axes.set_title(f"ε = {level:g}")
            axes.set_xlabel("share of the gain")
            axes.set_xlim(low, high)
            axes.set_ylim(max(places.values()) + 0.7, -0.7)
        first = grid[0][0]
        first.set_yticks(list(places.values()), [label_of(board, name) for name in names])
        used = dict.fromkeys(board["promise"])
        marks = [_mark(one) for one in FILLS if one in used]
        marks.append(Line2D([], [], color=palette.kind_colour(PAPER), linestyle="--", linewidth=1.1,
                            label="fixed α (paper)"))  # fmt: skip
        columns = 2 if size[0] < 9 else 3
        figure.legend(handles=marks, loc="outside lower center", ncols=columns)
        figure.set_figheight(size[1] + style.LEGEND_ROW * -(-len(marks) // columns))
        # One pass of the layout leaves the longest name a few pixels short of room.
        figure.get_layout_engine().set(rect=(0.02, 0.0, 0.98, 1.0))
        return style.save(figure, folder, NAME, "Leaderboard", _caption(board))


def _panel(
    axes: Axes,
    rows: pd.DataFrame,
    places: dict[str, float],
    manifest: Manifest,
    ends: tuple[float, float],
) -> None:
    for at in (0.0, 1.0):
        axes.axvline(at, color=palette.MUTED, linewidth=0.9)
    paper = manifest.reference
    value = rows.loc[rows["method"] == (paper.name if paper else ""), "iqm"].dropna()
    if len(value):
        axes.axvline(
            float(value.iloc[0]), color=palette.kind_colour(PAPER), linestyle="--", linewidth=1.1
        )
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", linewidth=0.5)
    methods = {one.name: one for one in manifest.methods}
    for row in rows.to_dict("records"):
        y = places[row["method"]]
        colour, marker = look_of(methods[row["method"]])
        if not np.isfinite(row["iqm"]):
            axes.annotate("no score", (ends[0], y), xytext=(3, 0), textcoords="offset points",
                          va="center", fontsize="small", color=palette.MUTED)  # fmt: skip
            continue
        x = float(np.clip(row["iqm"], *ends))
        ends_at = np.clip([row["iqm_low"], row["iqm_high"]], *ends)
        beyond = {ends[0]: "<", ends[1]: ">"}.get(x, marker)
        draw_mark(axes, x, y, ends_at, row["promise"], colour, beyond)


def draw_mark(
    axes: Axes,
    x: float,
    y: float,
    interval: ArrayLike,
    promise: str,
    colour: str,
    marker: Any,
) -> None:
    """A method's value in its row, and its interval, if that is known."""
    if np.isfinite(interval).all():
        axes.plot(interval, [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    axes.plot([x], [y], marker=marker, color=colour, markersize=6, linestyle="none",
              **filled(promise, colour), clip_on=False)  # fmt: skip


def _range(board: pd.DataFrame) -> tuple[float, float]:
    known = board[["iqm", "iqm_low", "iqm_high"]].to_numpy(np.float64)
    known = known[np.isfinite(known)]
    low = min(0.0, *known.tolist()) if known.size else 0.0
    high = max(1.0, *known.tolist()) if known.size else 1.0
    return max(low - 0.08, WIDEST[0]), min(high + 0.08, WIDEST[1])


def look_of(method: Method) -> tuple[str, Any]:
    """Colour and marker of a method: its constraint's, and those of whose policies it uses."""
    if method.source is None:
        return palette.INK, _GLYPHS[method.kind]
    held = {"source": method.source, "projected": method.constraint is not None}
    colour = palette.kind_colour(method.constraint or UNCONSTRAINED)
    return colour, palette.series_marker(series_of_row(held))


def _mark(promise: str) -> Line2D:
    words = FILLS[promise][1]
    return Line2D([], [], color=palette.MUTED, marker="o", markersize=6, linewidth=1.8, label=words,
                  **filled(promise, palette.MUTED))  # fmt: skip


def filled(promise: str, colour: str) -> dict[str, Any]:
    """How a mark is filled; hollow by its colour, since shapes of ours know no other way."""
    fill = FILLS[promise][0]
    if fill == "none":
        return {"markerfacecolor": palette.PAPER}
    half = {"fillstyle": fill, "markerfacecoloralt": palette.PAPER}
    return {"markerfacecolor": colour} | (half if fill != "full" else {})


def label_of(board: pd.DataFrame, name: str) -> str:
    """The method's title, with its tasks where it has not all of them."""
    own = board[board["method"] == name]
    here, all_tasks = int(own["tasks"].max()), int(board["tasks"].max())
    title = str(own["title"].iloc[0])
    return title if here == all_tasks else f"{title} ({here} of {all_tasks} tasks)"


def _caption(board: pd.DataFrame) -> str:
    return (
        f"Share of the unconstrained gain at equal risk: interquartile mean over "
        f"{int(board['tasks'].max())} tasks and {int(board['bases'].max())} bases, every task "
        "weighing the same, with 95% stratified bootstrap intervals over training seeds. 0 is the "
        "base, 1 unconstrained PPO. A policy whose bound is above the level scores 0."
    )
