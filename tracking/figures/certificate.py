"""What the base certificate permits, before anything is trained: two pictures over T."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.properties import parse_property
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.results.kinds import is_paper
from sport_ray.tracking.results.labels import confidence_text

LEVELS = (1.0, 0.1, 0.025)
DEFAULT_ALPHAS = (1.0, 1.05, 1.1, 1.25, 1.5)


def _table(certificate: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    table = certificate["table"]
    horizon = np.asarray(table["horizon"], dtype=np.float64)
    return horizon, np.asarray(table["eps_base_simultaneous"], dtype=np.float64)


def largest_log_alpha(eps_base: np.ndarray, horizon: np.ndarray, eps_max: float) -> np.ndarray:
    """(ln eps_max − ln eps_base(T)) / T in nats, NaN where even the base exceeds eps_max."""
    log_alpha = (math.log(eps_max) - np.log(eps_base)) / horizon
    return np.where(log_alpha >= 0, log_alpha, np.nan)


def draw_max_log_alpha(
    certificate: dict[str, Any],
    settings: pd.DataFrame,
    folder: Path,
    levels: tuple[float, ...] = LEVELS,
    *,
    alpha_mu: float = 1.0,
    alpha_p: float = 1.0,
) -> style.Drawn | None:
    """Largest permitted log alpha against T for several levels of the prior bound."""
    horizon, eps_base = _table(certificate)
    figure, grid = style.new_figure(6.6, 4.3)
    axes = grid[0][0]
    risk = np.exp(np.log(eps_base) + math.log(alpha_mu) + horizon * math.log(alpha_p))
    curves = [
        (level, largest_log_alpha(risk, horizon, level)) for level in sorted(levels, reverse=True)
    ]
    if not any(np.isfinite(curve).any() for _, curve in curves):
        return None
    first = _may_pick_from(certificate)
    for number, (level, curve) in enumerate(curves):
        if not np.isfinite(curve).any():
            continue
        colour, mark = palette.step_look(number, len(curves))
        best = _best(curve, horizon, first)
        label = f"bound {level:g}"
        if best is not None:
            label += f": α ≤ {_down(math.exp(curve[best]))} at T = {horizon[best]:.0f}"
        axes.plot(horizon, curve, color=colour, marker=mark, label=label,
                  markevery=_apart(curve, best, number))  # fmt: skip
    for used in sorted(settings["horizon"].unique()):
        axes.axvline(used, color=palette.MUTED, linewidth=1, linestyle=(0, (1, 2)))
        axes.annotate(f"T = {used}", (used, 1), xycoords=axes.get_xaxis_transform(),
                      xytext=(0, 2), textcoords="offset points", ha="center", fontsize="small",
                      color=palette.MUTED)  # fmt: skip
    seen = horizon[curves[0][1] >= 0.01 * np.nanmax(curves[0][1])][0]
    axes.set_xlim(max(seen - 2, 1), horizon[-1])
    axes.set_ylim(0, 1.12 * np.nanmax(curves[0][1]) or 0.01)
    axes.set_xlabel("T, steps")
    axes.set_ylabel("largest permitted log α, nats per step")
    style.legend_below(figure, axes, 3)
    trade = (
        "a longer horizon promises more and permits less, so none is the best"
        if first is None
        else "a longer horizon lowers the base's own risk but is paid for at every step"
    )
    caption = (
        f"(ln ε_max − ln ε_base(T)) / T: {trade}. ε_base holds for all T together, confidence "
        f"{confidence_text(certificate['beta'])}. Dotted: the T of this study."
    )
    return style.save(figure, folder, "max_log_alpha", "How large may α be?", caption)


def draw_prior_bound(
    certificate: dict[str, Any], settings: pd.DataFrame, folder: Path
) -> style.Drawn:
    """The prior bound against T for several alpha."""
    horizon, eps_base = _table(certificate)
    first = _may_pick_from(certificate)
    figure, grid = style.new_figure(6.6, 4.3)
    axes = grid[0][0]
    alphas = _alphas(settings)
    for number, alpha in enumerate(alphas):
        colour, mark = palette.step_look(number, len(alphas))
        log_bound = np.log(eps_base) + horizon * math.log(alpha)
        bound = np.exp(np.minimum(log_bound, math.log(50)))
        low = _best(-log_bound, horizon, first)
        promises = low is not None and log_bound[low] < 0
        axes.plot(horizon, bound, color=colour, marker=mark, label=f"α = {alpha:g}",
                  markevery=_apart(bound, low if promises else None, number))  # fmt: skip
    style.shade_vacuous(axes, 6, 2.2)
    axes.set_yscale("log")
    axes.set_ylim(10 ** math.floor(math.log10(eps_base.min())), 6)
    axes.set_xlim(horizon[0], horizon[-1])
    axes.set_xlabel("T, steps")
    axes.set_ylabel("prior bound ε·αᵀ (log)")
    style.legend_below(figure, axes, 4)
    marks = "" if first is None else "; marks: the best T for each α"
    caption = (
        "The bound that holds before any rollout of the task policy, from the certificate alone"
        f"{marks}. All T and all α hold together with confidence "
        f"{confidence_text(certificate['beta'])}."
    )
    return style.save(figure, folder, "prior_bound", "The prior bound over the horizon", caption)


def _may_pick_from(certificate: dict[str, Any]) -> int | None:
    """The shortest T that may be the best one; None of a property of which a short T asks less."""
    asked = parse_property(certificate["property"])
    return asked.kept_from(len(certificate["table"]["horizon"]))


def _best(values: np.ndarray, horizon: np.ndarray, first: int | None) -> int | None:
    """Where the largest value is from the horizon ``first`` on; None where there is none."""
    possible = np.isfinite(values) & (horizon >= (math.inf if first is None else first))
    return int(np.where(possible, values, -math.inf).argmax()) if possible.any() else None


def _apart(curve: np.ndarray, best: int | None, number: int) -> list[int]:
    """Where a curve has marks: at its best; without one at four places, those of each its own."""
    if best is not None:
        return [best]
    known = np.flatnonzero(np.isfinite(curve))
    places = np.linspace(0.05, 0.8, 4) + 0.03 * number
    return [int(known[int(place * (len(known) - 1))]) for place in places]


def _alphas(settings: pd.DataFrame) -> list[float]:
    run = sorted(settings.loc[is_paper(settings), "alpha"].dropna().unique())
    useful = [alpha for alpha in run if alpha <= 2][: len(palette.STEPS)]
    return [float(alpha) for alpha in (useful if len(useful) > 1 else DEFAULT_ALPHAS)]


def _down(alpha: float) -> str:
    # A permitted alpha may be rounded down only.
    return f"{math.floor(alpha * 1e4) / 1e4:g}"
