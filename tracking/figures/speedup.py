"""Steps that each certified risk saves, for each kind of constraint and source of policies."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sport_ray.tracking.analysis.speedup import CEILING, COIN_FLIP
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.figures.apart import apart
from sport_ray.tracking.figures.speedup_lines import shown_kinds
from sport_ray.tracking.results.intervals import MIN_SEEDS
from sport_ray.tracking.results.labels import seeds_text
from sport_ray.tracking.results.mixtures import BEST, KINDS
from sport_ray.tracking.results.task_policies import is_selection

TITLE = "What certified risk buys"
LINE_OF_LABEL = 24
"""Characters of a name beside its line."""


def draw_speedup(table: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """One panel per T, from ``speedup_table``; None if there is nothing."""
    if table.empty:
        return None
    kinds = shown_kinds(table)
    left_out = table["kind"].nunique() - len(kinds)
    table = table[table["kind"].isin(kinds)]
    seeds = table["seeds"].dropna()
    horizons = sorted(table["horizon"].unique())
    alone = len(horizons) == 1
    if alone and table["eps_max"].nunique() == 1:
        figure = _draw_one_level(table)
        style.say_few_seeds(figure, seeds)
        return style.save(figure, folder, "speedup", TITLE, _caption(table, seeds, left_out))
    if alone:
        figure, grid = style.new_figure(8.2, 5.2)
        panels = [grid[0][0]]
    else:
        figure, panels = style.new_panels(len(horizons), 5.0)
    low = min(0.0, float(np.nanmin(table["saved"])))
    panels[0].set_ylim(1.1 * low, 1.08 * float(np.nanmax(table["saved"])))
    for axes, horizon in zip(panels, horizons, strict=True):
        axes.set_xscale("log")
        at = table[table["horizon"] == horizon]
        ends = [_draw(axes, at[at["kind"] == kind]) for kind in kinds if kind in set(at["kind"])]
        axes.set_xscale("log")
        levels = np.sort(at["eps_max"].unique())
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
        axes.set_xticks([], minor=True)
        axes.margins(x=0.08)
        axes.set_xlabel("certified risk ε_max (log)")
        axes.set_title(f"T = {horizon} steps")
        if alone:
            _label_lines(axes, ends)
    panels[0].set_ylabel("steps of the task saved against the base")
    if not alone:
        style.legend_below(figure, panels[0], 3)
    style.say_few_seeds(figure, seeds)
    return style.save(figure, folder, "speedup", TITLE, _caption(table, seeds, left_out))


def _draw_one_level(table: pd.DataFrame) -> Figure:
    """A row per kind, steps to the right, where there is one ε_max alone."""
    table = table.sort_values("saved", kind="stable")
    figure: Figure
    figure, grid = style.new_figure(8.2, 1.1 + 0.42 * len(table))
    axes = grid[0][0]
    for place, (_, row) in enumerate(table.iterrows()):
        known = not pd.isna(row["constraint"])
        look = _look(row["series"], row["constraint"]) if known else _reference(row["kind"])
        if np.isfinite(row["saved_low"]):
            axes.hlines(place, row["saved_low"], row["saved_high"], color=look["color"],
                        alpha=0.6, linewidth=1.4)  # fmt: skip
        look |= {"linestyle": "none", "marker": look["marker"] if known else "|"}
        axes.plot([row["saved"]], [place], **look)
    axes.axvline(0, color=palette.MUTED, linewidth=1)
    axes.set_yticks(range(len(table)), [_in_lines(kind, 60) for kind in table["kind"]])
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_xlabel("steps of the task saved against the base")
    level, horizon = table["eps_max"].iloc[0], table["horizon"].iloc[0]
    axes.set_title(f"Certified risk ε_max = {level:g}, T = {horizon} steps")
    return figure


@dataclass(frozen=True)
class _End:
    """Where a line ends, and what it is called there."""

    name: str
    colour: str
    x: float
    y: float


def _draw(axes: Axes, rows: pd.DataFrame) -> _End:
    rows = rows.sort_values("eps_max")
    kind, constraint, series = rows[["kind", "constraint", "series"]].iloc[0]
    look = _reference(kind) if pd.isna(constraint) else _look(series, constraint)
    axes.plot(rows["eps_max"], rows["saved"], label=kind, **look)
    known = not pd.isna(constraint) and np.isfinite(rows["saved_low"]).any()
    if known and len(rows) == 1:
        axes.vlines(rows["eps_max"], rows["saved_low"], rows["saved_high"], color=look["color"],
                    alpha=0.5, linewidth=1.2)  # fmt: skip
    elif known:
        axes.fill_between(rows["eps_max"], rows["saved_low"], rows["saved_high"],
                          color=look["color"], alpha=0.15, linewidth=0)  # fmt: skip
    last = rows.iloc[-1]
    return _End(kind, look["color"], float(last["eps_max"]), float(last["saved"]))


def _reference(kind: str) -> dict[str, Any]:
    """The look of coin flip, ceiling and the best mixture."""
    if kind == KINDS[BEST]:
        return {
            "color": palette.INK,
            "linestyle": "-",
            "marker": "x",
        }
    if kind.startswith(COIN_FLIP):
        return {"color": palette.MUTED, "linestyle": (0, (1, 2)), "marker": "+"}
    return {"color": palette.INK, "linestyle": (0, (5, 2)), "marker": "_"}


def _look(series: str, constraint: str) -> dict[str, Any]:
    """Solid and filled: what was trained under its constraint, or chooses under it."""
    colour, selects = palette.kind_colour(constraint), is_selection(series)
    filled = selects or series == "projected_ppo"
    return {
        "color": colour,
        "linestyle": "-" if filled else "--",
        "marker": palette.series_marker(series),
        "markerfacecolor": colour if filled else palette.PAPER,
    }


def _label_lines(axes: Axes, ends: list[_End]) -> None:
    """Names to the right of the panel, at the heights of their lines as far as there is room."""
    low, high = axes.get_ylim()
    ends = sorted(ends, key=lambda end: end.y)
    texts = [_in_lines(end.name) for end in ends]
    # In parts of the panel's height, which is about 4.4 inches: 9 points of text a line.
    tall = [0.033 * (text.count("\n") + 1) + 0.014 for text in texts]
    wanted = [(end.y - low) / (high - low) for end in ends]
    for end, text, place in zip(ends, texts, apart(wanted, tall), strict=True):
        axes.annotate("", (end.x, end.y), (1.035, place), textcoords="axes fraction",
                      arrowprops={"arrowstyle": "-", "color": end.colour, "linewidth": 1,
                                  "shrinkA": 0, "shrinkB": 4}, annotation_clip=False)  # fmt: skip
        axes.annotate(text, (1.045, place), xycoords="axes fraction", va="center", fontsize="small",
                      linespacing=1.1, color=palette.INK, annotation_clip=False)  # fmt: skip


def _in_lines(name: str, width: int = LINE_OF_LABEL) -> str:
    name = name.replace(" (fresh scenarios)", "").replace(CEILING, "ceiling (it knows the future)")
    name = name.replace(", learned", ", learned by PPO")
    return "\n".join(textwrap.wrap(name, width))


def _caption(table: pd.DataFrame, seeds: pd.Series, left_out: int) -> str:
    there = set(table["kind"])
    parts = [
        "Mean steps of the task saved against the base (violations ignored, an episode without the "
        "goal takes T) at the same certified risk, known before any rollout. Mean over "
        f"{seeds_text(seeds)} per point"
        + (
            "; bands and strokes: 95% t-intervals over seeds."
            if (seeds >= MIN_SEEDS).all()
            else "."
        )
    ]
    if any(kind.startswith(COIN_FLIP) for kind in there):
        parts.append(
            "Coin flip: the unconstrained policy with the probability that the same certificate "
            "allows."
        )
    if any(kind.startswith(CEILING) for kind in there):
        parts.append("Ceiling: the fastest ε_base/ε_max share of the base's own episodes.")
    if KINDS[BEST] in there:
        parts.append(
            "Random budget: which of two policies acts is drawn at the start of an episode; fresh "
            "scenarios."
        )
    if left_out:
        parts.append(f"{left_out} more are in the table.")
    return " ".join(parts)
