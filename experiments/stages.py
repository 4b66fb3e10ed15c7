"""The stages of a study in order, each skipped when its result is already there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from experiments.base import find_base, install_base, save_base, train_base
from experiments.certify import certify, load_matching
from experiments.progress import SweepProgress, counting
from experiments.results import ResultFolder
from experiments.runtime import ray_session
from experiments.study import BaseTrainingSection, Study
from experiments.sweep import SweepSummary, pending_jobs, run_sweep
from sport_ray.certificates import Certificate
from sport_ray.errors import UserError
from sport_ray.policies import PolicyFile
from tracking.mlflow_store import check_reachable
from tracking.sweep_logger import SweepLogger


class Context(NamedTuple):
    """What every stage needs: the study, its file, its folder, where to print, which cluster."""

    study: Study
    source: Path
    folder: ResultFolder
    console: Console
    address: str | None = None


def require_tracking(context: Context) -> None:
    """Fail now, not after hours, if the study's tracking server does not answer."""
    uri = context.study.tracking.uri
    if uri is not None:
        check_reachable(uri, context.folder.root)


def make_base(context: Context, out: Path, command: str) -> str:
    """Train a base policy and write it to ``out``; its digest."""
    settings = context.study.base_training or BaseTrainingSection()
    with (
        ray_session(context.address),
        counting(context.console, "train base: env steps", settings.env_steps) as advance,
    ):
        seen = 0

        def progress(sampled: int, _: dict) -> None:
            nonlocal seen
            advance(sampled - seen)
            seen = sampled

        trained = train_base(context.study, progress)
    digest = save_base(out, context.study, trained, command)
    context.console.print(f"base policy {digest[:12]} written to {out}")
    return digest


def ensure_base(context: Context) -> PolicyFile:
    """The study's base in the result folder; trained first if the study says how and it is not
    there yet."""
    missing = find_base(context.study, context.source) is None
    if missing and context.study.base_training and not context.folder.base.exists():
        context.folder.claim(context.source)
        make_base(context, context.folder.base, f"sport-ray run {context.source.name}")
    return install_base(context.folder, context.source)


def make_certificate(context: Context, base: PolicyFile) -> Certificate:
    """Certify the base, with progress; prints ε_base at the study's horizons."""
    total = context.study.certificate.num_scenarios
    with (
        ray_session(context.address),
        counting(context.console, "certify: scenarios", total) as advance,
    ):
        certificate = certify(context.folder, base, advance)
    for horizon in context.study.sweep.horizons:
        context.console.print(
            f"certified with confidence 1 − {certificate.beta:g}: P(violation within {horizon} "
            f"steps) ≤ {certificate.eps_base(horizon):.5f} "
            f"({certificate.table.num_violations[horizon - 1]} of {total} scenarios violated)",
            soft_wrap=True,
        )
    return certificate


def ensure_certificate(context: Context, base: PolicyFile) -> Certificate:
    """The folder's certificate if there is one for this study, else a new one."""
    if context.folder.certificate.exists():
        return load_matching(context.folder, base)
    return make_certificate(context, base)


def do_sweep(context: Context, base: PolicyFile, certificate: Certificate) -> SweepSummary:
    """Run the missing cells with live progress, logging each to MLflow as it ends.

    Raises:
        UserError: a tracking server that does not answer, before anything runs.
    """
    folder = context.folder
    jobs, missing = pending_jobs(folder, certificate)
    if not missing:
        context.console.print("all cells are finished already")
        return run_sweep(folder, certificate)
    logger = SweepLogger(folder.root, context.study.tracking.uri)
    logger.start()
    with (
        ray_session(context.address),
        SweepProgress(
            context.console, folder, certificate, jobs, missing, logger.log_cell
        ) as progress,
    ):
        try:
            summary = run_sweep(folder, certificate, progress)
        except KeyboardInterrupt:
            logger.finish("KILLED")
            raise UserError(
                "interrupted; what is finished is kept. Resume with: "
                f"sport-ray sweep {context.source} --results {folder.root}"
            ) from None
    logger.finish("FINISHED" if summary.failed == 0 else "FAILED")
    if logger.pending:
        reason = next(iter(logger.pending.values()))
        context.console.print(
            f"MLflow took all but {len(logger.pending)} cells ({reason}); "
            f"send them later with: sport-ray report {folder.root} --track",
            soft_wrap=True,
        )
    return summary


__all__ = [
    "Context",
    "do_sweep",
    "ensure_base",
    "ensure_certificate",
    "make_base",
    "make_certificate",
    "require_tracking",
]
