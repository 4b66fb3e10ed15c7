"""Share of the speed-up that each certified risk buys, for each kind of constraint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.speedup import COIN_FLIP
from sport_ray.tracking.figures import style
from sport_ray.tracking.results.intervals import MIN_SEEDS
from sport_ray.tracking.results.kinds import order_of
from sport_ray.tracking.results.labels import seeds_text

TITLE = "What certified risk buys"
_MARKERS = "oDXPs^v<>"
"""Of kinds of constraint by their order."""


def draw_speedup(table: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """One panel per T, from ``speedup_table``; None if there is nothing."""
    if table.empty:
        return None
    table = table.sort_values("share", ascending=False, kind="stable")
    horizons = sorted(table["horizon"].unique())
    figure, panels = style.new_panels(len(horizons), 5.0)
    for axes, horizon in zip(panels, horizons, strict=True):
        at = table[table["horizon"] == horizon]
        for kind in dict.fromkeys(at["kind"]):
            rows = at[at["kind"] == kind].sort_values("eps_max")
            constraint, series = rows["constraint"].iloc[0], rows["series"].iloc[0]
            if pd.isna(constraint):  # coin flip and ceiling
                colour, marker = (style.MUTED, "+") if kind == COIN_FLIP else (style.INK, "_")
                axes.plot(rows["eps_max"], rows["share"], color=colour, linewidth=1.4,
                          linestyle=(0, (1, 2)) if kind == COIN_FLIP else (0, (5, 2)),
                          marker=marker, markersize=9, label=kind)  # fmt: skip
                continue
            colour, learned = style.kind_colour(constraint), series == "projected_ppo"
            # Dashed and hollow: what was not trained under its constraint.
            dashes = "-" if learned else ("--" if series == "projected_at_deployment" else ":")
            axes.plot(rows["eps_max"], rows["share"], color=colour, linestyle=dashes,
                      marker=_MARKERS[order_of(constraint) % len(_MARKERS)],
                      markerfacecolor=colour if learned else "white", label=kind)  # fmt: skip
            if np.isfinite(rows["low"]).any():
                axes.fill_between(rows["eps_max"], rows["low"], rows["high"], color=colour,
                                  alpha=0.15, linewidth=0)  # fmt: skip
        axes.set_xscale("log")
        levels = np.sort(at["eps_max"].unique())
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
        axes.set_xticks([], minor=True)
        axes.margins(x=0.08)
        axes.set_xlabel("certified risk ε_max (log)")
        axes.set_title(f"T = {horizon} steps")
    low = min(0.0, float(np.nanmin(table["share"])))
    panels[0].set_ylim(1.1 * low, 1.12 * float(np.nanmax(table["share"])))
    panels[0].set_ylabel("share of the unconstrained policy's speed-up")
    style.legend_below(figure, panels[0], 2 if len(panels) == 1 else 3)
    seeds = table["seeds"].dropna()
    style.say_few_seeds(figure, seeds)
    caption = (
        "Share of what the unconstrained policy gains over the base in mean steps of the task "
        "(violations ignored, an episode without the goal takes T), at the same certified risk, "
        f"known before any rollout. Mean over {seeds_text(seeds)} per point"
        + ("; bands: 95% t-intervals over seeds. " if (seeds >= MIN_SEEDS).all() else ". ")
        + "Coin flip: the unconstrained policy with the probability that the same certificate "
        "allows. Ceiling: the fastest ε_base/ε_max share of the base's own episodes."
    )
    return style.save(figure, folder, "speedup", TITLE, caption)
