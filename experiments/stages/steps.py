"""The stages of a study in order, each skipped when its result is already there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.markup import escape

from sport_ray.canonical import digest
from sport_ray.certificates import AnytimeSampling, Certificate
from sport_ray.digits import rounded_up
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.config.redact import public_study
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.config.task_policies import require_sources
from sport_ray.experiments.config.training import BaseTrainingSection
from sport_ray.experiments.results.disk import DiskFull, is_disk_full, no_room, require_space
from sport_ray.experiments.results.ledger import Ledger, sweep_ledger
from sport_ray.experiments.stages.accept_base import Checkpoint
from sport_ray.experiments.stages.base import (
    find_base,
    install_base,
    load_base,
    require_choosable,
    save_base,
    train_base,
)
from sport_ray.experiments.stages.base_statistics import described
from sport_ray.experiments.stages.certify import base_plan, certify, load_matching
from sport_ray.experiments.stages.choose import choose, load_choice
from sport_ray.experiments.stages.context import Context, interrupted
from sport_ray.experiments.stages.finish_log import (
    FAILED_SECONDS,
    STOP_SECONDS,
    finish_log,
    say_lacking,
)
from sport_ray.experiments.stages.preflight import preflight_lines
from sport_ray.experiments.stages.progress import Counter, SweepHistory, SweepProgress, counting
from sport_ray.experiments.stages.training_lines import training_lines
from sport_ray.experiments.stages.transitions import keep_transitions, missing_transitions
from sport_ray.experiments.stages.world import other_versions, require_world
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.driver import SweepSummary, run_sweep
from sport_ray.experiments.sweep.here import may_begin_here
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import family_of
from sport_ray.rollouts import OutcomeTotals
from sport_ray.samplers import BaseFile
from sport_ray.text import plain
from sport_ray.tracking.mlflow.live import SweepLogger
from sport_ray.tracking.results.labels import bound_text


def ray_when_needed(context: Context) -> RayWhenNeeded:
    """What starts Ray for a stage, or joins the cluster, or refuses to."""
    return RayWhenNeeded(context.address, never=context.alone)


def make_base(context: Context, out: Path, command: str) -> str:
    """Train a base policy and write it to ``out``; its digest."""
    settings = context.study.base_training or BaseTrainingSection()
    held = context.folder.root if out == context.folder.base else None
    what = "train base: env steps"
    with (
        ray_when_needed(context) as ray,
        counting(context.console, what, settings.env_steps, folder=held) as advance,
    ):
        ray.need()
        seen = 0

        def progress(sampled: int, _: dict[str, Any]) -> None:
            nonlocal seen
            advance(sampled - seen)
            seen = sampled

        def tell(found: Checkpoint) -> None:
            context.console.print(str(found), soft_wrap=True, highlight=False)

        made = train_base(context.study, progress, tell)
    digest = save_base(out, context.study, made, command)
    context.console.print(f"base policy {digest[:12]} written to {out}")
    for line in described(made.statistics):
        context.console.print(escape(line), soft_wrap=True, highlight=False)
    return digest


def ensure_base(context: Context) -> BaseFile:
    """The study's base in the result folder.

    Trained first if it is not there and the study says how; chosen first among several.
    """
    study, folder = context.study, context.folder
    name = study.base
    if study.certificate.choose is not None:
        name = ensure_choice(context)
    missing = find_base(name, context.source) is None
    if missing and study.base_training and not folder.base.exists():
        folder.claim(context.source)
        make_base(context, folder.base, f"sport-ray run {context.file.name}")
    return install_base(folder, context.source, name)


def ensure_choice(context: Context) -> str:
    """The name of the base that is chosen, with a horizon; chosen now if it was not before."""
    study, folder = context.study, context.folder
    asked = study.certificate.choose
    assert asked is not None
    if not folder.choice.exists():
        candidates = {
            name: load_base(study, name, context.source) for name in study.base_candidates
        }
        folder.claim(context.source)
        total = asked.num_scenarios * len(candidates)
        with (
            ray_when_needed(context) as ray,
            counting(context.console, "choose: scenarios", total, folder=folder.root) as advance,
        ):
            choose(folder, base_plan(folder, "choose"), candidates, advance, ray)
    choice = load_choice(folder, base_plan(folder, "choose"))
    assert choice is not None
    for candidate in choice.candidates:
        chosen = candidate.base_digest == choice.base_digest
        log_alpha = "out of reach" if candidate.log_alpha is None else f"{candidate.log_alpha:.4f}"
        context.console.print(
            f"{candidate.base}: T = {candidate.horizon}, largest log α for ε_max = "
            f"{choice.eps_max:g}: {log_alpha}{' (chosen)' if chosen else ''}",
            soft_wrap=True,
        )
    return next(c.base for c in choice.candidates if c.base_digest == choice.base_digest)


def make_certificate(context: Context, base: BaseFile) -> Certificate:
    """Certify the base, with progress; prints ε_base at the study's horizons."""
    study = context.study
    sampling = study.certificate.sampling
    context.folder.write_study(context.source)
    held, what = context.folder.root, "certify: scenarios"
    with (
        ray_when_needed(context) as ray,
        counting(context.console, what, sampling.planned, folder=held) as advance,
    ):
        look = _valid_now(study, advance)
        repeated = advance.beside("repeat, to find memory: episodes")
        certificate = certify(context.folder, base, advance, look, ray, repeated)
    if isinstance(sampling, AnytimeSampling):
        context.console.print(_stopped(certificate, sampling), soft_wrap=True)
    for horizon in study.horizons(certificate):
        context.console.print(
            f"certified with confidence 1 − {certificate.beta:g}: P(violation within {horizon} "
            f"steps) ≤ {rounded_up(min(certificate.eps_base(horizon), 1.0))} "
            f"({certificate.table.num_violations[horizon - 1]} of {certificate.num_scenarios} "
            "scenarios violated)",
            soft_wrap=True,
        )
    return certificate


def _valid_now(study: Study, advance: Counter) -> Callable[[OutcomeTotals], None] | None:
    """Shows, under a stopping rule, the bound that holds at this very moment."""
    sampling, settings = study.certificate.sampling, study.certificate
    if not isinstance(sampling, AnytimeSampling):
        return None

    def look(totals: OutcomeTotals) -> None:
        violations = totals.num_violations[sampling.horizon - 1]
        bound = sampling.bound(
            totals.num_scenarios, violations, settings.beta / settings.max_horizon
        )
        advance.describe(f"certify: ε_base({sampling.horizon}) ≤ {bound_text(bound)} now")

    return look


def _stopped(certificate: Certificate, sampling: AnytimeSampling) -> str:
    """Why certifying stopped when it did."""
    violations = certificate.table.num_violations[sampling.horizon - 1]
    reason = {
        "good enough": f"the bound at T = {sampling.horizon} is at most {sampling.target:g}",
        "hopeless": (
            f"the violation probability at T = {sampling.horizon} is above {sampling.target:g}"
        ),
        "go on": f"the target {sampling.target:g} at T = {sampling.horizon} was not decided",
    }[
        sampling.verdict(
            certificate.num_scenarios, violations, certificate.beta / certificate.max_horizon
        )
    ]
    return (
        f"stopped after {certificate.num_scenarios} of at most {sampling.planned} scenarios: "
        f"{reason}"
    )


def ensure_certificate(context: Context, base: BaseFile) -> Certificate:
    """The folder's certificate if there is one for this study, else a new one."""
    if context.folder.certificate.exists():
        certificate = load_matching(context.folder, base)
    else:
        certificate = make_certificate(context, base)
    ensure_transitions(context, base, certificate)
    return certificate


def ensure_transitions(context: Context, base: BaseFile, certificate: Certificate) -> None:
    """Keep the certificate's transitions, where the study asks for them and they are not there."""
    if missing := missing_transitions(context.folder, certificate):
        with (
            ray_when_needed(context) as ray,
            counting(context.console, "keep transitions: scenarios", missing) as advance,
        ):
            keep_transitions(context.folder, base, certificate, advance, ray)
        context.console.print(f"kept the transitions of {missing} of the certificate's scenarios")


def do_sweep(context: Context, base: BaseFile, certificate: Certificate) -> SweepSummary:
    """Run the missing cells with live progress, logging each to MLflow as it ends.

    Raises:
        UserError: a tracking server that does not answer, a task policy that does not fit the
            base, or certified scenarios that come out otherwise here, before anything runs; a
            sweep of the same folder that is running already.
        Interrupted: Ctrl-C or SIGTERM; what is finished is kept.
    """
    folder = context.folder
    plan = Plan.of(folder.study, certificate, family_of(base))
    for one in plan.out_of_reach:
        context.console.print(
            f"eps_max = {one.eps_max:g} is out of reach at T = {one.horizon} (the base itself is "
            f"certified to {bound_text(one.certified)} there): no cells of it",
            soft_wrap=True,
        )
    for line in training_lines(plan):
        context.console.print(line, soft_wrap=True, highlight=False)
    missing = plan.missing_jobs(folder)
    if not missing:
        folder.write_study(context.source)
        context.console.print("all cells are finished already")
        return run_sweep(folder, plan)
    task = folder.study.task(plan.horizons[0], folder.study.sweep.seeds[0])
    sources = folder.study.task_policies or {}
    require_sources(folder.study.sources, sources, task, base)
    require_choosable(folder.study, base)
    study = digest(public_study(folder.study))
    logger: SweepLogger | None = None  # once it is open
    try:
        folder.hold()
        plugins = {
            name: code for cell in plan.cells.values() for name, code in cell.plugins.items()
        }
        with sweep_ledger(folder.ledger, len(plan.cells), study, plugins) as ledger:
            require_space(*folder.places)
            folder.write_study(context.source)
            _set_aside(context, missing, ledger)  # before anything reads records
            plan.write(folder)
            for line in preflight_lines(plan, missing, folder):
                context.console.print(line, soft_wrap=True, highlight=False)
            with ray_when_needed(context) as ray:
                here = context.alone or may_begin_here(folder.study, missing, ray)
                if not here:
                    ray.need()
                _require_world(context, base, plan, ray)
                opened = SweepLogger(folder.root, context.study.tracking.uri)
                opened.start(put_off=True)
                logger = opened
                with SweepProgress(
                    context.console, folder, plan, missing, logger.log_cell
                ) as progress:
                    history = SweepHistory(ledger, folder)

                    def tell(line: str) -> None:
                        context.console.print(line, soft_wrap=True, highlight=False)

                    summary = run_sweep(
                        folder,
                        plan,
                        history,
                        progress,
                        tell=tell,
                        alone=context.alone,
                        need=ray if here and not context.alone else None,
                    )
    except (KeyboardInterrupt, SystemExit) as error:  # Ray, too, turns SIGTERM into SystemExit
        finish_log(context, logger, "KILLED", STOP_SECONDS)
        raise interrupted(context, "sweep", "what is finished is kept", error) from None
    except Exception as error:
        full = isinstance(error, DiskFull) or is_disk_full(error)
        finish_log(context, logger, "FAILED", STOP_SECONDS if full else FAILED_SECONDS)
        if full and not isinstance(error, DiskFull):
            raise no_room(folder.root) from None
        raise
    finish_log(context, opened, "FINISHED" if summary.failed == 0 else "FAILED")
    if ledger.lost:
        context.console.print(f"{ledger.lost} lines of {ledger.path} could not be written")
    say_lacking(context, opened)
    return summary


def _require_world(context: Context, base: BaseFile, plan: Plan, ray: RayWhenNeeded) -> None:
    """Certified scenarios come out again here, at each T; says so.

    On other machines in a worker; on this one in this process, while the workers still import.

    Raises:
        UserError: one that does not.
    """
    certificate, table = plan.certificate, context.folder.outcomes
    if changed := other_versions(certificate):
        context.console.print(escape(plain(changed)), soft_wrap=True)
    horizons = set(plan.horizons)
    what = "repeat certified scenarios"
    with counting(context.console, what, 0, folder=context.folder.root) as advance:
        told = require_world(
            context.study,
            certificate,
            table,
            base,
            horizons,
            on_ray=ray.elsewhere,
            progress=advance.whole,
        )
    context.console.print(told, soft_wrap=True, highlight=False)


def _set_aside(context: Context, missing: list[Job], ledger: Ledger) -> None:
    """Make room where a crash or a full disk left half a record: the cell is run again."""
    for job in missing:
        for cell in job.cells:
            if context.folder.set_aside(cell.id):
                ledger.append("record set aside", cell.id)
                context.console.print(
                    f"the record of cell {cell.id} is damaged: set aside, to be run again",
                    soft_wrap=True,
                )
