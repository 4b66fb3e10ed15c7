"""What the base certificate permits, before anything is trained: two pictures over T."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from sport_ray.properties import parse_property
from sport_ray.tracking.figures import style
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
    colours = (style.INK, style.SEQUENCE[1], style.SEQUENCE[4])
    if len(curves) > len(colours):
        colours = tuple(matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(curves))))
    for (level, curve), colour in zip(curves, colours, strict=False):
        if not np.isfinite(curve).any():
            continue
        best = _best(curve, horizon, first)
        label, marked = f"{level:g}", []
        if best is not None:
            label += f": α ≤ {_down(math.exp(curve[best]))} at T = {horizon[best]:.0f}"
            marked = [best]
        axes.plot(horizon, curve, "-o", color=colour, markevery=marked, label=label)
    for used in sorted(settings["horizon"].unique()):
        axes.axvline(used, color=style.MUTED, linewidth=1, linestyle=(0, (1, 2)))
        axes.annotate(f"T = {used}", (used, 1), xycoords=axes.get_xaxis_transform(),
                      xytext=(0, 2), textcoords="offset points", ha="center", fontsize=8.5,
                      color=style.MUTED)  # fmt: skip
    title = "bound" if first is None else "bound: largest α"
    axes.legend(title=title, loc="upper right", alignment="left")
    seen = horizon[curves[0][1] >= 0.01 * np.nanmax(curves[0][1])][0]
    axes.set_xlim(max(seen - 2, 1), horizon[-1])
    axes.set_ylim(0, 1.12 * np.nanmax(curves[0][1]) or 0.01)
    axes.set_xlabel("T, steps")
    axes.set_ylabel("largest permitted log α, nats per step")
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
    for alpha, colour in zip(_alphas(settings), style.SEQUENCE, strict=False):
        log_bound = np.log(eps_base) + horizon * math.log(alpha)
        bound = np.exp(np.minimum(log_bound, math.log(50)))
        axes.plot(horizon, bound, color=colour, label=f"{alpha:g}")
        low = _best(-log_bound, horizon, first)
        if low is not None and log_bound[low] < 0:
            axes.plot(horizon[low], bound[low], "o", color=colour, markersize=5)
    style.shade_vacuous(axes, 6, 2.2)
    axes.set_yscale("log")
    axes.set_ylim(10 ** math.floor(math.log10(eps_base.min())), 6)
    axes.set_xlim(horizon[0], horizon[-1])
    axes.set_xlabel("T, steps")
    axes.set_ylabel("prior bound ε·αᵀ (log)")
    axes.legend(title="α", loc="center left", bbox_to_anchor=(1.0, 0.5))
    dots = "" if first is None else "; dots: the best T for each α"
    caption = (
        "The bound that holds before any rollout of the task policy, from the certificate alone"
        f"{dots}. All T and all α hold together with confidence "
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


def _alphas(settings: pd.DataFrame) -> list[float]:
    run = sorted(settings.loc[is_paper(settings), "alpha"].dropna().unique())
    useful = [alpha for alpha in run if alpha <= 2][: len(style.SEQUENCE)]
    return [float(alpha) for alpha in (useful if len(useful) > 1 else DEFAULT_ALPHAS)]


def _down(alpha: float) -> str:
    # A permitted alpha may be rounded down only.
    return f"{math.floor(alpha * 1e4) / 1e4:g}"
