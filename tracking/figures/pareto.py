"""The Pareto fronts as a figure: certified risk and posterior risk against performance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from sport_ray.tracking.analysis.pareto import candidates, front_groups, front_mask
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.labels import point_text, seeds_text, series_and_kind_text
from sport_ray.tracking.results.performance import Performance, performance_of
from sport_ray.tracking.results.refutation import is_refuted
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of

PANELS = {
    "prior_bound": ("Certified before any rollout", "prior bound (log)"),
    "posterior_bound": ("Bounded after evaluation", "posterior bound, worst seed (log)"),
}


def draw_pareto(settings: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """Two panels, certified and posterior; None if neither has a point."""
    chosen = {kind: candidates(settings, kind) for kind in PANELS}
    if all(points.empty for points in chosen.values()):
        return None
    measure = performance_of(settings)
    figure, panels = style.new_panels(len(PANELS), 4.6, sharex=False)
    for axes, (kind, points) in zip(panels, chosen.items(), strict=True):
        title, label = PANELS[kind]
        refuted = kind == "prior_bound" and is_refuted(settings)
        title = "Promised before any rollout" if refuted else title
        axes.set_title(title)
        axes.set_xlabel(label)
        if points.empty:
            why = "refuted by the data" if refuted else "no bound below 1"
            axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center",
                      color=palette.MUTED)  # fmt: skip
        else:
            _panel(axes, points, measure)
    panels[0].set_ylabel(measure.axis)
    fullest = max(zip(chosen.values(), panels, strict=True), key=lambda pair: len(pair[0]))[1]
    style.legend_below(figure, fullest, 4)
    seeds = pd.concat([points["seeds"] for points in chosen.values()])
    many = ", T" if settings["horizon"].nunique() > 1 else ""
    runs = (
        "which runs over methods, constraints and T" if measure.across_horizons else "of its own T"
    )
    style.say_few_seeds(figure, seeds)
    together = "" if is_refuted(settings) else "All certified points hold together. "
    caption = (
        f"Each point a setting, mean over {seeds_text(seeds)}; labels: the constraint{many}. "
        f"Filled: on the front, {runs}; hollow: dominated. {together}"
        "Posterior bounds hold one by one, and the best of many is drawn here."
    )
    title = f"Pareto front: risk against {measure.name}"
    return style.save(figure, folder, "pareto", title, caption)


def _panel(axes: Axes, points: pd.DataFrame, measure: Performance) -> None:
    risk, values = points["risk"].to_numpy(), points[measure.mean].to_numpy()
    mask = front_mask(points, measure)
    order = np.lexsort((measure.cost(values[mask]), risk[mask]))
    axes.set_xscale("log")
    span = np.ptp(np.log10(risk))
    if span < 1.5:  # powers of ten alone would be too few to read from
        few = LogLocator(subs=(1.0, 2.0, 5.0)) if span > 0.5 else MaxNLocator(3)
        axes.xaxis.set_major_locator(few)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    for index, rows in enumerate(front_groups(points, measure)):
        chosen = order[rows[mask][order]]
        axes.step(risk[mask][chosen], values[mask][chosen], where="post", color=palette.INK,
                  linewidth=1.2, zorder=1, label=None if index else "front")  # fmt: skip
    kinds = points["constraint"]
    series = series_of(points)
    for one, kind in dict.fromkeys(zip(series, kinds, strict=True)):
        colour, marker = palette.kind_colour(kind), palette.series_marker(one)
        mine = ((series == one) & (kinds == kind)).to_numpy()
        leads = bool((mine & mask).any())
        name = series_and_kind_text(one, kind)
        for on_front in (True, False):
            some = mine & (mask == on_front)
            axes.plot(risk[some], values[some], marker=marker, color=colour, linestyle="none",
                      markerfacecolor=colour if on_front else "none", markersize=style.points(7),
                      alpha=1 if on_front else 0.55,
                      label=name if on_front == leads else None)  # fmt: skip
    horizons = points["horizon"].nunique() > 1
    labelled = points[mask].iloc[order]
    reach = np.log(risk.max() / risk.min()) or 1.0
    for row in plain_rows(labelled):
        place = (row["risk"], row[measure.mean])
        # On the right a name goes to the left of its point, where no point can be: it would
        # dominate this one.
        right = np.log(place[0] / risk.min()) / reach > 0.5
        left_of = (-6, -13 if measure.sign > 0 else 6)
        axes.annotate(point_text(row, horizons), place, xytext=left_of if right else (6, 6),
                      textcoords="offset points", ha="right" if right else "left", fontsize="small",
                      color=palette.INK, gid=style.OPTIONAL)  # fmt: skip
    axes.margins(x=0.12, y=0.08)
