"""The headline picture: prior bound, posterior bound and empirical rate against alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import PAPER, UNCONSTRAINED, is_paper, is_unconstrained
from sport_ray.tracking.results.labels import kind_text, left_out_text, seeds_text
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import (
    parts_of_series,
    series_of,
    series_of_row,
    series_text,
)

TITLE = "Risk against α: promised, bounded, observed"


def draw_risk(settings: pd.DataFrame, frame: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """One panel per T and choice of training parameters; None if no setting finished."""
    done = settings[settings["seeds"] > 0]
    done = done[is_paper(done) | is_unconstrained(done)]
    with_alpha = done[is_paper(done)]
    if with_alpha.empty:
        return None
    parts = parts_of(done)
    more = max(series_of(done).nunique() - 3, 0)  # sources beside PPO: room for a longer legend
    figure, panels = style.new_panels(len(parts), 4.7 + 0.35 * more)
    free = bool(is_unconstrained(done).any())
    cells = frame[is_paper(frame)]
    smallest = 1 / float(frame["num_scenarios"].max())
    for axes, part in zip(panels, parts, strict=True):
        _panel(axes, part.of(done), part.of(cells))
        axes.set_title(part.title)
        axes.set_yscale("symlog", linthresh=smallest, linscale=0.4)
        axes.set_ylim(-0.15 * smallest, 3)
        style.shade_vacuous(axes, 3, 1.7, right=0.88 if free else 0.985)
        place = style.alpha_axis(axes, with_alpha["alpha"].to_numpy(), free)
        at = part.of(done)
        _unconstrained(axes, at[is_unconstrained(at)], place)
    panels[0].set_ylabel("probability of violation (log; linear near 0)")
    style.legend_below(figure, panels[0], 3 if len(panels) > 1 else 2)  # a single one is narrow
    style.say_few_seeds(figure, done["seeds"])
    caption = (
        f"Mean over {seeds_text(with_alpha['seeds'])} per setting; small dots: each seed's rate. "
        "The prior bound is known before training, the same for every method, and holds for all "
        "α and T at once. "
        "Posterior bounds are Clopper–Pearson, one per policy and pointwise; drawn is the worst "
        "seed's. 'none': policies under no constraint." + left_out_text(settings)
    )
    return style.save(figure, folder, "risk", TITLE, caption)


def _panel(axes: Axes, settings: pd.DataFrame, cells: pd.DataFrame) -> None:
    bounded = settings[is_paper(settings)].sort_values("alpha")
    prior = bounded.dropna(subset="prior_bound").drop_duplicates("alpha")
    alphas = prior["alpha"].to_numpy(np.float64)
    axes.plot(*_dense_prior(alphas, prior["prior_bound"].to_numpy(np.float64)), color=palette.INK,
              linewidth=2.2, label="prior bound ε·αᵀ")  # fmt: skip
    axes.plot(alphas, prior["prior_bound"], "x", color=palette.INK, markersize=style.points(6))
    colour = palette.kind_colour(PAPER)
    for series in series_of(bounded).unique():
        rows = bounded[series_of(bounded) == series]
        marker, name = palette.series_marker(series), series_text(series)
        axes.plot(rows["alpha"], rows["posterior_bound"], "--", color=colour, marker=marker,
                  markerfacecolor="none", linewidth=1.4,
                  label=f"posterior bound, {name}")  # fmt: skip
        axes.plot(rows["alpha"], rows["empirical_violation_rate"], "-", color=colour,
                  marker=marker, label=f"empirical rate, {name}")  # fmt: skip
        seeds = cells[(series_of(cells) == series) & (cells["status"] == "finished")]
        axes.plot(seeds["alpha"], seeds["empirical_violation_rate"], ".", color=colour,
                  markersize=style.points(4), alpha=0.55)  # fmt: skip


def _dense_prior(alphas: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bound between the alphas that were run: a power law, so straight in log-log."""
    if alphas.size < 2:
        return alphas, bounds
    log_alphas = np.linspace(np.log(alphas[0]), np.log(alphas[-1]), 600)
    log_bounds = np.interp(log_alphas, np.log(alphas), np.log(bounds))
    shown = log_bounds < np.log(1e3)
    return np.exp(log_alphas[shown]), np.exp(log_bounds[shown])


def _unconstrained(axes: Axes, rows: pd.DataFrame, place: float) -> None:
    colour = palette.UNBOUND
    for row in plain_rows(rows):
        series = series_of_row(row)
        marker = palette.series_marker(series)
        name = series_text(series) if parts_of_series(series)[1] else kind_text(UNCONSTRAINED)
        axes.plot([place], [row["posterior_bound"]], marker=marker, color=colour, linestyle="none",
                  markerfacecolor="none", markersize=style.points(9))  # fmt: skip
        axes.plot(
            [place],
            [row["empirical_violation_rate"]],
            marker=marker,
            color=colour,
            markersize=style.points(5),
            linestyle="none",
            label=f"{name} (open: bound)",
        )
