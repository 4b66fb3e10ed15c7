"""Whether a study of the benchmark has nothing left to do: then Ray is not started for it."""

from __future__ import annotations

from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.stages.certify import load_matching
from sport_ray.experiments.stages.context import Context
from sport_ray.experiments.stages.steps import do_sweep, ensure_base
from sport_ray.experiments.sweep.driver import SweepSummary
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import family_of
from sport_ray.samplers import read_base
from sport_ray.tracking.results.mixtures import FILE


def is_finished(context: Context) -> bool:
    """Whether every cell that its study asks for is there, and mixtures of them where it asks.

    Nothing is checked by this: see ``looked_at``.
    """
    folder = context.folder
    try:
        certificate, base = load_certificate(folder.certificate), read_base(folder.base)
        plan = Plan.of(context.study, certificate, family_of(base))
    except UserError:
        return False
    if plan.missing_jobs(folder):
        return False
    if context.study.mixtures is None:
        return True
    mixtures = folder.root / FILE
    if not mixtures.is_file():
        return False
    made = mixtures.stat().st_mtime
    return all(folder.record(cell).stat().st_mtime <= made for cell in plan.cells)


def looked_at(context: Context) -> SweepSummary:
    """What ``run_study`` gives of a study that is finished, after the same checks.

    Raises:
        UserError: a base, certificate or source that is another one now.
    """
    base = ensure_base(context)
    return do_sweep(context, base, load_matching(context.folder, base))
