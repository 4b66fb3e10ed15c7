"""Writes a cell's record: what it is of, what was measured, or why it failed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sport_ray.canonical import canonical_json, write_atomic, write_json
from sport_ray.certificates import Certificate
from sport_ray.experiments.results.failures import reason_of, traceback_text
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.training_promise import TrainingPromise
from sport_ray.tracking.results.curves import Curves
from sport_ray.tracking.results.record import (
    FINISHED,
    Evaluation,
    Header,
    Outcome,
    Record,
    Training,
)


def finished_record(
    folder: StudyFolder,
    certificate: Certificate,
    cell: Cell,
    training: Training,
    evaluation: Evaluation,
    measured: dict[str, Any],
    family: str | None = None,
) -> Record:
    """The record of a finished cell; measured: what else its source found in training.

    family: of what is drawn, None for a Gaussian or a choice among candidates.
    """
    about = _header(folder, certificate, cell, family)
    return Record(about, FINISHED, training, evaluation, {**_own_numbers(about, cell), **measured})


def promised_of(promise: TrainingPromise | None, begun: int | None) -> dict[str, Any]:
    """The fields of a record on what training was promised to cost, and is bounded by."""
    if promise is None:
        return {"train_episodes_begun": begun}
    number = 0 if begun is None and promise.episodes == 0 else begun
    expected, bound = (None, None) if number is None else promise.after(number)
    return {
        "train_risk": promise.risk,
        "train_episodes_most": promise.episodes,
        "train_episodes_begun": number,
        "train_violations_expected": expected,
        "train_violations_bound": bound,
        "train_violations_beta": promise.beta,
    }


def write_curves(folder: StudyFolder, cell: Cell, curves: Curves | None) -> None:
    """Write how training went, if its source tells; in one line, as they are many numbers."""
    if curves is not None:
        write_atomic(folder.training(cell.id), canonical_json(curves.to_json()))


def write_record(folder: StudyFolder, cell: Cell, record: Record) -> None:
    """Write it, unless the cell has one: a node that was taken for lost may have gone on."""
    if not folder.is_finished(cell.id):
        write_json(folder.record(cell.id), record.to_json())


def write_failure(
    folder: StudyFolder, certificate: Certificate, cell: Cell, error: Exception
) -> None:
    """Record that a cell failed and why; the traceback goes to a file beside the record."""
    if folder.is_finished(cell.id):
        return  # another worker was quicker: what is finished stays
    failed = Outcome(status="failed", reason=reason_of(error))
    about = _header(folder, certificate, cell)
    record = Record(about, failed)
    path = folder.record(cell.id)
    trace = traceback_text(error).encode("utf-8", "backslashreplace")
    write_atomic(path.with_name("error.txt"), trace)
    write_json(path, record.to_json())


def _header(
    folder: StudyFolder, certificate: Certificate, cell: Cell, family: str | None = None
) -> Header:
    """What a record says of its cell, as of now."""
    constraint, place = cell.constraint, cell.place
    return Header(
        limit_list=None if place is None else place.list_id,
        limit_rank=None if place is None else place.rank,
        limit_size=None if place is None else place.size,
        limit_levels=None if place is None else place.levels_text,
        cell_id=cell.id,
        study=folder.study.name,
        source=cell.source,
        projected=cell.projected,
        constraint=constraint.name,
        alpha=cell.alpha,
        log_alpha=None if cell.alpha is None else constraint.log_ratio_limit,
        log_budget=getattr(constraint, "log_budget", None),
        mu=getattr(constraint, "mu", None),
        horizon=cell.horizon,
        seed=cell.seed,
        hyperparameters=cell.hyperparameters_text,
        eps_max=cell.eps_max,
        family=family,
        engine=cell.engine,
        base_digest=certificate.base_digest,
        certificate_digest=certificate.digest,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _own_numbers(about: Header, cell: Cell) -> dict[str, float]:
    """Numbers of the cell's constraint that no column is for, as a new kind may have them."""
    known = asdict(about)
    numbers = cell.constraint.recorded()
    return {name: value for name, value in numbers.items() if known.get(name) != value}
