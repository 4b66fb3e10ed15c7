"""What the ratio buys: steps to the goal, or return, against alpha, for both experiments."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import PAPER, UNCONSTRAINED, is_paper, is_unconstrained
from sport_ray.tracking.results.labels import kind_text, left_out_text, seeds_text
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.performance import Performance, performance_of
from sport_ray.tracking.results.task_policies import series_of, series_text

LEVELS = (1.0, 0.1, 0.025)


def draw_steps(settings: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """One panel per T and choice of training parameters; None if no setting reached the goal."""
    measure = performance_of(settings)
    done = settings[np.isfinite(settings[measure.mean])]
    done = done[is_paper(done) | is_unconstrained(done)]
    bounded = done[is_paper(done)]
    if bounded.empty:
        return None
    parts = parts_of(done)
    more = max(series_of(bounded).nunique() - 2, 0)  # sources beside PPO: a longer legend
    figure, panels = style.new_panels(len(parts), 4.5 + 0.15 * more)
    for axes, part in zip(panels, parts, strict=True):
        rows = part.of(done)
        _panel(axes, rows, measure)
        style.alpha_axis(axes, bounded["alpha"].to_numpy(), unconstrained=False)
        tiers = _levels(axes, rows)
        axes.set_title(part.title, pad=(4 if tiers else 6) + style.line_height() * tiers)
    panels[0].set_ylabel(f"{measure.short}, {measure.over}")
    style.legend_below(figure, panels[0], 2)
    style.say_few_seeds(figure, done.loc[done["seeds"] > 0, "seeds"])
    caption = (
        f"Lines: mean over {seeds_text(bounded['seeds'])} per setting; bands: "
        f"{measure.band}. Vertical lines: where the prior bound reaches 0.025, 0.1 and 1."
        f"{measure.left_out}{left_out_text(settings)}"
    )
    title = f"{measure.name[0].upper()}{measure.name[1:]} against α"
    return style.save(figure, folder, measure.figure, title, caption)


def _panel(axes: Axes, rows: pd.DataFrame, measure: Performance) -> None:
    bounded = rows[is_paper(rows)].sort_values("alpha")
    colour = palette.kind_colour(PAPER)
    for series in series_of(bounded).unique():
        line = bounded[series_of(bounded) == series]
        mean, spread = line[measure.mean], measure.band_factor * line[measure.spread].fillna(0)
        axes.fill_between(line["alpha"], mean - spread, mean + spread, color=colour, alpha=0.1,
                          linewidth=0)  # fmt: skip
        axes.plot(line["alpha"], mean, color=colour, marker=palette.series_marker(series),
                  label=series_text(series))  # fmt: skip
    style.base_line(axes, bounded.loc[bounded["alpha"] == 1, measure.mean])
    free = measure.unconstrained(rows)
    if math.isfinite(free):
        axes.axhline(free, color=palette.UNBOUND, linestyle="-.",
                     linewidth=1.4, label=kind_text(UNCONSTRAINED))  # fmt: skip


def _levels(axes: Axes, rows: pd.DataFrame) -> int:
    """Where eps_base * alpha^T = level, from any setting's own bound and alpha; rows of labels."""
    known = rows.dropna(subset=["prior_bound", "alpha"])
    if known.empty:
        return 0
    anchor = known.sort_values("alpha").iloc[0]
    log_eps = math.log(anchor["prior_bound"]) - anchor["horizon"] * math.log(anchor["alpha"])
    previous, tier, tiers = -math.inf, 0, 0
    left, right = np.log(axes.get_xlim())
    for level in sorted(LEVELS):
        log_alpha = (math.log(level) - log_eps) / anchor["horizon"]
        if not 0 <= log_alpha < right:
            continue
        axes.axvline(math.exp(log_alpha), color=palette.MUTED, linewidth=1, linestyle=(0, (4, 2)))
        # Neighbouring levels are labelled one above the other.
        tier = tier + 1 if (log_alpha - previous) / (right - left) < 0.12 else 0
        up = 2 + style.line_height() * tier
        axes.annotate(f"{level:g}", (math.exp(log_alpha), 1), xycoords=axes.get_xaxis_transform(),
                      xytext=(0, up), textcoords="offset points", ha="center",
                      fontsize="small", color=palette.MUTED)  # fmt: skip
        previous, tiers = log_alpha, max(tiers, tier + 1)
    return tiers
