"""Figures of a study over several bases: steps saved, and violation rates, against α.

One panel per series; thin lines are bases, the thick one their mean, and the paper's points are in
actions.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sport_ray.tracking.analysis.bases import Bases
from sport_ray.tracking.analysis.steps_saved import ALL
from sport_ray.tracking.analysis.steps_saved_table import name_of
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.intervals import MIN_SEEDS
from sport_ray.tracking.results.kinds import PAPER, is_paper
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.task_policies import series_of

SAVED, RISK = "steps_saved", "risk_by_base"
_THIN = ("-", "--", ":", "-.")
Line = tuple[tuple[Hashable, ...], pd.DataFrame]
_LINE = ["series", "horizon", "hyperparameters"]


def draw_bases(bases: Bases, folder: Path) -> dict[str, style.Drawn]:
    """Draw both into `folder`, those that have anything to show; by name."""
    with style.look():
        drawn = {SAVED: _draw_saved(bases, folder), RISK: _draw_risk(bases, folder)}
    for name in (name for name, one in drawn.items() if one is None):
        style.remove(folder, name)
    return {name: one for name, one in drawn.items() if one is not None}


def _draw_saved(bases: Bases, folder: Path) -> style.Drawn | None:
    known = bases.saved[bases.saved["saved"].notna()]
    if known.empty:
        return None
    figure, panels, lines = _panels(known)
    compared = bool(known["saved_published"].notna().any())
    read_off = _mark("D", 5) | {"capsize": 3}
    for axes, (_, rows) in zip(panels, lines, strict=True):
        together = rows[rows["base"] == ALL]
        colour = palette.kind_colour(PAPER)
        _base_lines(axes, bases, rows, "saved", colour)
        expected = together.dropna(subset=["prediction_low"])
        ends = expected["prediction_low"], expected["prediction_high"]
        axes.fill_between(expected["alpha"], *ends, color=colour, alpha=0.1, linewidth=0)
        half = [
            together["saved"] - together["saved_low"],
            together["saved_high"] - together["saved"],
        ]
        axes.errorbar(together["alpha"], together["saved"], yerr=half, color=colour, marker="o",
                      capsize=3)  # fmt: skip
        paper = together.dropna(subset=["saved_published"])
        error = paper["saved_published_high"] - paper["saved_published"]
        if len(paper):
            axes.errorbar(paper["alpha"], paper["saved_published"], yerr=error, **read_off)
        style.alpha_axis(axes, rows["alpha"].to_numpy(), unconstrained=False)
    shown = known[["saved", "saved_published_low", "saved_published_high"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    # All intervals; of few bases they are far wider, and what they are of could not be seen.
    ends_of_all = known[known["base"] == ALL][["saved_low", "saved_high"]].to_numpy(dtype=float)
    reach = high - low + 0.1
    if np.isfinite(ends_of_all).any():
        low = max(min(low, np.nanmin(ends_of_all)), low - reach)
        high = min(max(high, np.nanmax(ends_of_all)), high + reach)
    panels[0].set_ylim(low - 0.05 * reach, high + 0.05 * reach)
    panels[0].set_ylabel("steps saved against the base, actions")
    more = "base and seed" if len(bases.folders) >= MIN_SEEDS else "seed"
    axes = panels[0]
    _name_bases(axes, bases)
    axes.plot([], [], color=palette.INK, marker="o", label="mean over bases, 95% interval")
    axes.fill_between([], [], color=palette.INK, alpha=0.1, label=f"one more {more}, 95%")
    if compared:
        axes.errorbar([], [], yerr=[], label="the paper, ± reading", **read_off)
    _finish(figure, panels)
    of_paper = (
        " Diamonds: the paper's difference, in actions as in its own count, with the error of "
        "reading two figures."
    )
    caption = (
        f"{_told(bases)} Thin: each base, mean over seeds. Thick: mean over bases with its "
        f"{_interval(bases)}. Shaded: 95% prediction interval for one further {more}."
        f"{of_paper if compared else ''} What leaves the picture is cut."
    )
    return style.save(figure, folder, SAVED, "Steps saved against α", caption)


def _draw_risk(bases: Bases, folder: Path) -> style.Drawn | None:
    known = bases.saved[bases.saved["rate"].notna()]
    if known.empty:
        return None
    figure, panels, lines = _panels(known)
    cells = pd.concat(bases.frames.values())
    cells = cells[is_paper(cells) & (cells["status"] == "finished")]
    cells = cells.assign(series=series_of(cells), hyperparameters=texts_of(cells))
    smallest = 1 / float(cells["num_scenarios"].max())
    for axes, (key, rows) in zip(panels, lines, strict=True):
        colour = palette.kind_colour(PAPER)
        _base_lines(axes, bases, rows, "rate", colour)
        own = cells[(cells[_LINE] == list(key)).all(axis=1)]
        axes.plot(
            own["alpha"],
            own["empirical_violation_rate"],
            ".",
            color=colour,
            markersize=style.points(4),
            alpha=0.5,
        )
        together = rows[rows["base"] == ALL]
        axes.plot(together["alpha"], together["rate"], color=colour, marker="o")
        _paper_rates(axes, together)
        axes.set_yscale("symlog", linthresh=smallest, linscale=0.4)
        axes.set_ylim(-0.15 * smallest, 1.3)
        style.alpha_axis(axes, rows["alpha"].to_numpy(), unconstrained=False)
    panels[0].set_ylabel("observed violation rate (log; linear near 0)")
    _name_paper_rates(panels[0], known)
    _name_bases(panels[0], bases)
    panels[0].plot([], [], ".", color=palette.INK, markersize=style.points(4), label="each seed")
    panels[0].plot([], [], color=palette.INK, marker="o", label="mean over bases")
    _finish(figure, panels)
    paper = (
        " Diamonds: the paper's rates as read, one base and one seed; an arrow down where it says "
        "'below'."
    )
    caption = (
        f"{_told(bases)} Observed rates, no bounds. Thin: each base, mean over seeds; dots: each "
        f"seed.{paper if known['rate_published'].notna().any() else ''}"
    )
    return style.save(figure, folder, RISK, "Violation rate against α", caption)


def _paper_rates(axes: Axes, rows: pd.DataFrame) -> None:
    for rates, mark in _read_off(rows):
        axes.plot(rows["alpha"][rates.index], rates, **mark)


def _name_paper_rates(axes: Axes, rows: pd.DataFrame) -> None:
    """The marks that some panel has, in the legend, which is made from one of them."""
    for label, (rates, mark) in zip(_READ, _read_off(rows), strict=True):
        if len(rates):
            axes.plot([], [], label=label, **mark)


_READ = ("the paper, as read", "the paper: below this")


def _read_off(rows: pd.DataFrame) -> list[tuple[pd.Series[float], dict[str, Any]]]:
    """The paper's rates and those that it says are below something, each with its mark."""
    texts = rows["rate_published"].dropna().astype(str)
    below = texts.str.startswith("<")
    values = texts.str.lstrip("<").astype(float)
    return [
        (values[~below], _mark("D", 5)),
        (values[below], _mark("v", 7) | {"markerfacecolor": "none"}),
    ]


def _mark(marker: str, size: float) -> dict[str, Any]:
    """How a number that was read off the paper is drawn."""
    return {
        "color": palette.INK,
        "linestyle": "none",
        "marker": marker,
        "markersize": style.points(size),
    }


def _panels(table: pd.DataFrame) -> tuple[Figure, list[Axes], list[Line]]:
    lines = list(table.groupby(_LINE, sort=True))
    figure, panels = style.new_panels(len(lines), 4.6)
    for axes, (_, rows) in zip(panels, lines, strict=True):
        axes.set_title(name_of(rows.iloc[0].to_dict()), fontsize="medium")
    return figure, panels, lines


def _base_lines(axes: Axes, bases: Bases, rows: pd.DataFrame, column: str, colour: str) -> None:
    for number, base in enumerate(bases.folders):
        line = rows[rows["base"] == base]
        axes.plot(line["alpha"], line[column], color=colour, linewidth=1, alpha=0.75,
                  linestyle=_THIN[number % len(_THIN)])  # fmt: skip


def _name_bases(axes: Axes, bases: Bases) -> None:
    """Entries of the legend, in no panel's own colour."""
    for number, base in enumerate(bases.folders):
        axes.plot([], [], color=palette.INK, linewidth=1, linestyle=_THIN[number % len(_THIN)],
                  label=f"base {base}")  # fmt: skip


def _finish(figure: Figure, panels: list[Axes]) -> None:
    """One legend below all panels, from the first."""
    style.legend_below(figure, panels[0], 3 if len(panels) > 1 else 2)


def _told(bases: Bases) -> str:
    counts = bases.saved.loc[bases.saved["base"] != ALL, "seeds"]
    low, high = int(np.min(counts)), int(np.max(counts))
    many = len(bases.folders)
    seeds = f"{low}" if low == high else f"{low} to {high}"
    return f"{many} base{'' if many == 1 else 's'}, {seeds} training seeds each."


def _interval(bases: Bases) -> str:
    if len(bases.folders) < MIN_SEEDS:
        return "95% t-interval over seeds"
    free = len(bases.folders) - 1
    return (
        f"95% t-interval over the bases' means ({free} degree{'s' if free > 1 else ''} of freedom; "
        "of task policies that bases share, over bases and seeds)"
    )
