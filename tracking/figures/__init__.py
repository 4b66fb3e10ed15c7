"""The figures of a study, each saved as PNG and SVG: `draw_figures` draws them all.

risk, steps: the paper's constraint over α. pareto, speedup: every kind of constraint, budgets too.
certificate: bounds of the base. conservativeness: bounds against what was seen. trajectories,
policies, animation: one policy as an example. task_policies: where policies came from.

A figure whose data is missing is not drawn, an older file of it is removed, and the reason is
returned, so that no picture outlives the results that it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from sport_ray.errors import UserError
from sport_ray.tracking import drawing as drawing  # before matplotlib
from sport_ray.tracking.analysis.answer import Answer
from sport_ray.tracking.analysis.tables import Tables
from sport_ray.tracking.figures.animation import NAME, Animation, draw_animation
from sport_ray.tracking.figures.certificate import draw_max_log_alpha, draw_prior_bound
from sport_ray.tracking.figures.conservativeness import draw_ladder
from sport_ray.tracking.figures.pareto import draw_pareto
from sport_ray.tracking.figures.policies import draw_policies
from sport_ray.tracking.figures.risk import draw_risk
from sport_ray.tracking.figures.sheet import SCREEN, Sheet
from sport_ray.tracking.figures.speedup import draw_speedup
from sport_ray.tracking.figures.steps import draw_steps
from sport_ray.tracking.figures.style import Drawn, look, remove
from sport_ray.tracking.figures.task_policies import draw_task_policies
from sport_ray.tracking.figures.training import draw_training
from sport_ray.tracking.figures.trajectories import draw_trajectories
from sport_ray.tracking.results.completeness import why_none
from sport_ray.tracking.results.performance import RETURN, STEPS, performance_of
from sport_ray.tracking.results.records import Results

__all__ = ["Animation", "Drawn", "animate", "draw_figures"]


def draw_figures(
    folder: Results, tables: Tables, target: Path | None = None, sheet: Sheet = SCREEN
) -> tuple[dict[str, Drawn], dict[str, str]]:
    """Draw all figures into ``figures/`` of `target`, by default the result folder.

    sheet: where they will stand, on the screen or in print. Returns the figures by name, and for
    each that could not be drawn the reason.
    """
    out = (target or folder.path) / "figures"
    frame, settings, certificate = tables.frame, tables.settings, folder.certificate
    measure = performance_of(settings)
    for other in {STEPS.figure, RETURN.figure} - {measure.figure}:
        remove(out, other)
    plans: dict[str, tuple[Callable[[], Drawn | None], str]] = {
        "risk": (
            lambda: draw_risk(settings, frame, out),
            "no setting under a constant ratio α finished",
        ),
        measure.figure: (
            lambda: draw_steps(settings, out),
            "no setting under a constant ratio α reached the goal",
        ),
        "speedup": (
            lambda: draw_speedup(tables.speedup, out),
            "it needs the base (α = 1) and an ε_max, at one T",
        ),
        "task_policies": (
            lambda: draw_task_policies(tables.sources, measure, out),
            "the study has no source of task policies beside PPO",
        ),
        "training": (
            lambda: draw_training(frame, folder.path, out),
            "no cell was trained under a promise",
        ),
        "conservativeness": (lambda: draw_ladder(tables.ladder, out), "no finished cell has an α"),
        "pareto": (lambda: draw_pareto(settings, out), why_none(settings, "posterior_bound")),
        "max_log_alpha": (
            lambda: draw_max_log_alpha(certificate, settings, out) if certificate else None,
            "the folder has no certificate" if not certificate else "the base's own bound is 1",
        ),
        "prior_bound": (
            lambda: draw_prior_bound(certificate, settings, out) if certificate else None,
            "the folder has no certificate",
        ),
        "trajectories": (
            lambda: draw_trajectories(folder, frame, out),
            "no cell under a constant ratio α kept its trajectories (samples.npz)",
        ),
        "policies": (
            lambda: draw_policies(folder, frame, out),
            "no cell under a constant ratio α > 1 kept its policies (samples.npz)",
        ),
    }
    drawn: dict[str, Drawn] = {}
    skipped: dict[str, str] = {}
    with look(sheet):
        for name, (draw, reason) in plans.items():
            try:
                figure = draw()
            except UserError as error:  # samples of one cell that cannot be read
                figure, reason = None, str(error)
            if figure is not None:
                drawn[name] = figure
                continue
            skipped[name] = reason
            remove(out, name)
    return drawn, skipped


def animate(
    folder: Results,
    frame: pd.DataFrame,
    settings: pd.DataFrame,
    answer: Answer,
    target: Path | None = None,
) -> Animation | None:
    """Draw the animation into ``figures/``, or remove an older one and return None."""
    out = (target or folder.path) / "figures"
    with look():
        try:
            animation = draw_animation(folder, frame, settings, answer, out)
        except UserError:  # samples that cannot be read, which `draw_figures` has named
            animation = None
    if animation is None:
        remove(out, NAME, "gif")
    return animation
