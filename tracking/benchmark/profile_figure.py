"""Beside the means: how scores spread over tasks and seeds, and how often they beat fixed α's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.benchmark.figure import (
    draw_mark,
    filled,
    label_of,
    look_of,
    order_of,
)
from sport_ray.tracking.benchmark.manifest import Manifest, Method
from sport_ray.tracking.figures import palette, style

NAME = "leaderboard_profiles"
MOST = 7
"""Methods whose profiles are drawn: more cannot be told apart."""
SHOWN = (
    f"At most {MOST} methods are drawn: the best, one of each promise and constraint that has all "
    "tasks"
)
_STEP = 4
"""Marks stand at every so many τ, at other ones for neighbouring lines."""


def profiled(board: pd.DataFrame, manifest: Manifest) -> list[str]:
    """Methods whose profiles are drawn, by their order on the board.

    The paper's, and the best of each promise and kind of constraint, of those that have all tasks;
    scores of fewer tasks are of other tasks.
    """
    at = board[(board["eps_max"] == manifest.main_level) & board["iqm"].notna()]
    at = at.set_index("method")
    whole = set(at.index[at["tasks"] == at["tasks"].max()])
    methods = {one.name: one for one in manifest.methods}
    best: dict[tuple[str, str], str] = {}
    for name in order_of(board, manifest):
        if name in whole:
            one = methods[name]
            best.setdefault((one.promise, one.constraint or one.kind), name)
    paper = manifest.reference
    first = [paper.name] if paper is not None and paper.name in whole else []
    score = {str(name): float(iqm) for name, iqm in at["iqm"].items()}
    ranked = sorted(best.values(), key=lambda name: -score[name])
    chosen = set(list(dict.fromkeys([*first, *ranked]))[:MOST])
    return [name for name in order_of(board, manifest) if name in chosen]


def draw_profiles(
    board: pd.DataFrame, profiles: pd.DataFrame, manifest: Manifest, folder: Path
) -> style.Drawn | None:
    """Draw ``leaderboard_profiles.png`` and ``.svg``, at the main risk; without scores, nothing.

    An older figure is removed then.
    """
    level = manifest.main_level
    at = board[(board["eps_max"] == level) & board["iqm"].notna()]
    names = [name for name in order_of(board, manifest) if name in set(at["method"])]
    if not names:
        style.remove(folder, NAME)
        return None
    methods = {one.name: one for one in manifest.methods}
    lines = profiled(board, manifest)
    titles = {str(row["method"]): str(row["title"]) for row in at.to_dict("records")}
    paper = titles.get(manifest.reference.name) if manifest.reference else None
    rated = set(at.loc[at["improvement"].notna(), "method"]) if paper else set()
    compared = [name for name in names if name in rated and titles[name] != paper]
    size = (11.5 if compared else 6.4, max(1.4 + 0.24 * len(compared), 4.2))
    with style.look():
        shares = (1.25, 1) if compared else (1,)
        figure, grid = style.new_figure(*size, 1, len(shares), width_ratios=shares)
        left = grid[0][0]
        own = profiles[profiles["eps_max"] == level]
        for rank, name in enumerate(lines):
            _line(left, own[own["method"] == name], methods[name], rank, titles[name])
        left.set_title(f"Performance profiles, ε = {level:g}")
        left.set_xlabel("share of the gain, τ")
        left.set_ylabel("share of seeds and tasks above τ")
        left.set_xlim(*_changing(own[own["method"].isin(lines)]))
        left.set_ylim(-0.03, 1.03)
        if compared:
            right = grid[0][1]
            _improvements(right, at.set_index("method").loc[compared], methods)
            right.set_yticks(range(len(compared)), [label_of(board, name) for name in compared])
            right.set_title(f"A higher score than {paper}?")
            right.set_xlabel("probability; 0.5: neither is better")
        style.legend_below(figure, left, 3)
        told = _caption(int(at["tasks"].max()), paper if compared else None)
        return style.save(figure, folder, NAME, "Profiles", told)


def _changing(rows: pd.DataFrame) -> tuple[float, float]:
    """Where some profile is neither 1 nor 0 any more, and some room."""
    low = rows.loc[rows["above"] < 1].groupby("method")["tau"].min()
    high = rows.loc[rows["above"] > 0].groupby("method")["tau"].max()
    return min([0.0, *low]) - 0.15, max([1.0, *high]) + 0.15


def _line(axes: Axes, rows: pd.DataFrame, method: Method, rank: int, title: str) -> None:
    colour, marker = look_of(method)
    axes.fill_between(rows["tau"], rows["above_low"], rows["above_high"], step="post",
                      color=colour, alpha=0.18, linewidth=0)  # fmt: skip
    axes.plot(rows["tau"], rows["above"], drawstyle="steps-post", color=colour, linewidth=1.6,
              marker=marker, markersize=6, markevery=(rank % _STEP, _STEP), label=title,
              **filled(method.promise, colour))  # fmt: skip


def _improvements(axes: Axes, rows: pd.DataFrame, methods: dict[str, Method]) -> None:
    axes.axvline(0.5, color=palette.MUTED, linewidth=0.9)
    for place, (name, row) in enumerate(rows.iterrows()):
        method = methods[str(name)]
        colour, marker = look_of(method)
        interval = [row["improvement_low"], row["improvement_high"]]
        draw_mark(axes, row["improvement"], place, interval, method.promise, colour, marker)
    axes.set_ylim(len(rows) - 0.3, -0.7)
    axes.set_xlim(0.0, 1.0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", linewidth=0.5)


def _caption(tasks: int, paper: str | None) -> str:
    """paper: the method that the others are compared with, if any is."""
    compared = (
        f"; with {paper}. Right: how often a seed scores higher than one of {paper}, ties half, on "
        "the bases that both have."
    )
    return (
        f"The share of scores above τ, each of {tasks} tasks weighing the same, with pointwise 95% "
        f"stratified bootstrap intervals over training seeds. {SHOWN}{compared if paper else '.'}"
    )
