"""What a user asks for in one word: the same for the command line and for Python."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.imports import no_collection
from sport_ray.experiments.cluster.session import ray_session
from sport_ray.experiments.cluster.signals import held
from sport_ray.experiments.config.tuning import require_search
from sport_ray.experiments.results.alarm import print_alarm
from sport_ray.experiments.stages.context import Context, interrupted, require_tracking
from sport_ray.experiments.stages.propositions import require_propositions
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.tracking.console import say
from sport_ray.tracking.mlflow.client import report_command

if TYPE_CHECKING:  # they import Ray and torch: ``run_study`` starts Ray before
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.config.study import Study
    from sport_ray.experiments.sweep.driver import SweepSummary
    from sport_ray.experiments.tuning.record import Tuning


def train_base(context: Context, out: Path | None = None, seed: int | None = None) -> Path:
    """Train the study's base policy from scratch into ``out`` (default: RESULTS/base); the folder.

    seed: instead of ``base_training.seed``.

    Raises:
        UserError: ``out`` holds a policy already.
        Interrupted: Ctrl-C or SIGTERM: one line with the command that trains again.
    """
    target = out or context.folder.base
    if (target / "policy.json").exists():
        raise UserError(f"{target} already holds a policy: choose another folder with --out")
    require_propositions(context.study)
    if out is None:
        context.folder.claim(context.source)
    study = context.source or context.file.name
    command = f"sport-ray train-base {study} --out {target.name}"
    asked: tuple[str, ...] = () if out is None else ("--out", str(out))
    if seed is not None:
        command += f" --seed {seed}"
        context = context._replace(study=_with_seed(context.study, seed))
        asked += ("--seed", str(seed))
    if context.again is not None:
        context = context._replace(again=context.again + asked)
    try:
        with held():
            from sport_ray.experiments.stages.steps import make_base

        make_base(context, target, command)
    except (KeyboardInterrupt, SystemExit) as error:  # Ray, too, turns SIGTERM into SystemExit
        raise interrupted(
            context, "train-base", "training that has not ended is not kept", error
        ) from None
    return target


def _with_seed(study: Study, seed: int) -> Study:
    from sport_ray.experiments.config.training import BaseTrainingSection

    settings = (study.base_training or BaseTrainingSection()).model_copy(update={"seed": seed})
    return study.model_copy(update={"base_training": settings})


def certify_base(context: Context) -> Certificate:
    """Certify the base policy, whether or not that was done before."""
    with held():
        from sport_ray.experiments.stages.steps import (
            ensure_base,
            ensure_transitions,
            make_certificate,
        )

    require_propositions(context.study)
    base = ensure_base(context)
    certificate = make_certificate(context, base)
    ensure_transitions(context, base, certificate)
    context.console.print(f"certificate written to {context.folder.certificate}")
    return certificate


def tune_study(context: Context) -> Tuning:
    """Search training parameters; needs a certificate.

    Raises:
        UserError: a study that does not ask for it.
    """
    with held():
        from sport_ray.experiments.stages.certify import load_matching
        from sport_ray.experiments.stages.steps import ensure_base
        from sport_ray.experiments.stages.tune import do_tuning, with_winner

    if context.study.tuning is None:
        where = context.source or f"study {context.study.name!r}"
        raise UserError(f"{where} has no section tuning: add one (docs/studies.md)")
    require_propositions(context.study)
    certificate = load_matching(context.folder, ensure_base(context))
    found = do_tuning(context, certificate)
    with_winner(context, found)
    return found


def sweep_study(context: Context) -> SweepSummary:
    """Train and evaluate the cells that are missing; needs a certificate, and says how it went."""
    require_propositions(context.study)
    require_able_alone(context)
    require_tracking(context)
    with held():
        from sport_ray.experiments.stages.certify import load_matching
        from sport_ray.experiments.stages.steps import do_sweep, ensure_base
        from sport_ray.experiments.stages.tune import tuned

    base = ensure_base(context)
    certificate = load_matching(context.folder, base)
    context = tuned(context, certificate, run=False)
    return mix_study(context, _reported(context, do_sweep(context, base, certificate)))


def run_study(context: Context) -> SweepSummary:
    """Every stage that is missing, up to the sweep, with one Ray for all."""
    require_search(context.study.tuning)
    require_propositions(context.study)
    require_tracking(context)
    require_able_alone(context)
    with ray_for_cells(context):
        with no_collection(), held():
            from sport_ray.experiments.stages.steps import (
                do_sweep,
                ensure_base,
                ensure_certificate,
            )
            from sport_ray.experiments.stages.tune import tuned

        base = ensure_base(context)
        certificate = ensure_certificate(context, base)
        context = tuned(context, certificate, run=True)
        return mix_study(context, _reported(context, do_sweep(context, base, certificate)))


def mix_study(context: Context, summary: SweepSummary) -> SweepSummary:
    """The study's mixtures, where it asks for them and all its cells are there."""
    from sport_ray.experiments.stages.mix import mix

    if context.study.mixtures is not None and summary.finished == summary.planned:
        mix(context.folder, context.console)
    return summary


def ray_for_cells(context: Context) -> AbstractContextManager[None]:
    """Ray for every stage of a study, with workers that prepare for cells.

    Nothing without Ray, nor where nothing is trained: stages start it then where it is worth it.
    """
    trains = any(SOURCES[name].trains for name in context.study.sources)
    if context.alone or not (trains or context.address):
        return nullcontext()
    return ray_session(context.address, for_cells=True)


def require_able_alone(context: Context) -> None:
    """Refuse without Ray what is Ray's: training by RLlib, Tune's trials, processes for experience.

    Raises:
        UserError: naming the source, section or key, and --no-ray.
    """
    if not context.alone:
        return
    if context.study.tuning is not None:
        raise UserError("the study's section tuning runs trials on Ray: leave out --no-ray")
    if runners := context.study.resources.env_runners_per_cell:
        raise UserError(
            f"resources.env_runners_per_cell = {runners} needs Ray: leave out --no-ray, or set it "
            "to 0"
        )
    for name in context.study.sources:
        if SOURCES[name].needs_ray:
            raise UserError(
                f"task policies of {name} are trained by RLlib, which needs Ray: leave out --no-ray"
            )


def write_pages(context: Context) -> Path:
    """Write the report of what is there and send what is new to MLflow; its page.

    A store that does not answer costs the copy and nothing else: one line says how to send it
    later.
    """
    from sport_ray.tracking import log_sweep, write_report  # matplotlib takes seconds

    folder = context.folder.root
    page = write_report(folder)
    try:
        log_sweep(folder, context.study.tracking.uri)
    except UserError as error:
        later = f"send it later with: {report_command(folder)}"
        say(context.console, f"the report was not sent to MLflow ({error}); {later}")
    return page


def _reported(context: Context, summary: SweepSummary) -> SweepSummary:
    print_alarm(context.console, summary.refuted)
    line = f"{summary.finished} of {summary.planned} cells finished"
    if summary.failed:
        line += f", {summary.failed} failed (reasons in the report and in cells/*/error.txt)"
    context.console.print(line)
    return summary
