"""Whether a study of the benchmark has nothing left to do: then Ray is not started for it."""

from __future__ import annotations

from typing import Any

from sport_ray.bounds.perturbation import level_within
from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import world_factor
from sport_ray.experiments.stages.certify import load_matching
from sport_ray.experiments.stages.context import Context
from sport_ray.experiments.stages.steps import do_sweep, ensure_base
from sport_ray.experiments.sweep.driver import SweepSummary
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import family_of
from sport_ray.samplers import read_base
from sport_ray.tracking.results.mixtures import FILE, read_mixtures


def is_finished(context: Context) -> bool:
    """Whether every cell that its study asks for is there, and mixtures of them where it asks.

    Nothing is checked by this: see ``looked_at``.
    """
    folder = context.folder
    try:
        certificate, base = load_certificate(folder.certificate), read_base(folder.base)
        plan = Plan.of(context.study, certificate, family_of(base))
        rows = read_mixtures(folder.root, certificate.digest)
    except UserError:
        return False
    if plan.missing_jobs(folder):
        return False
    if context.study.mixtures is None:
        return True
    mixtures = folder.root / FILE
    if not mixtures.is_file() or not as_asked(plan, rows):
        return False
    made = mixtures.stat().st_mtime
    return all(folder.record(cell).stat().st_mtime <= made for cell in plan.cells)


def as_asked(plan: Plan, rows: list[dict[str, Any]]) -> bool:
    """Whether mixtures are of the study's levels of risk, T, seeds and number of scenarios."""
    study, section = plan.study, plan.study.mixtures
    assert section is not None
    reached = {
        (horizon, level)
        for horizon in plan.horizons
        for level in section.eps_max or study.sweep.eps_max or ()
        if level_within(level, world_factor(study, horizon)) >= plan.certificate.eps_base(horizon)
    }
    runs = [(seed, section.num_scenarios) for seed in sorted(study.sweep.seeds)]
    return reached == {(row["horizon"], row["eps_max"]) for row in rows} and all(
        sorted((one["seed"], one["num_scenarios"]) for one in row["seeds"]) == runs for row in rows
    )


def looked_at(context: Context) -> SweepSummary:
    """What ``run_study`` gives of a study that is finished, after the same checks.

    Raises:
        UserError: a base, certificate or source that is another one now.
    """
    base = ensure_base(context)
    return do_sweep(context, base, load_matching(context.folder, base))
