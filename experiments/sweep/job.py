"""Run one job: train once, evaluate its cells, record each as soon as it is known."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ray.exceptions import RayError, RayTaskError

from sport_ray.certificates import Certificate, load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.results.disk import is_disk_full
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.evaluation import evaluating_cell
from sport_ray.experiments.sweep.record_writer import (
    finished_record,
    promised_of,
    write_curves,
    write_failure,
    write_record,
)
from sport_ray.experiments.sweep.training_promise import promise_of_cell
from sport_ray.experiments.task_policies._shared import identity_of, made_once
from sport_ray.experiments.task_policies._training import Trained
from sport_ray.experiments.task_policies.source import (
    SelectionSource,
    TaskPolicySource,
    require_alike,
    require_density,
    source_class,
)
from sport_ray.experiments.task_policies.task import Task
from sport_ray.policies import PolicyNetwork
from sport_ray.rollouts.streaming import ended_with
from sport_ray.samplers import BaseFile, read_base
from sport_ray.selection import (
    network_of,
    save_task_policy,
    task_behaviour,
    task_policy_digest,
)
from sport_ray.tracking.results.record import Training

TRAINING_METRICS = (
    "clip_fraction",
    "train_return",
    "train_episodes",
    "train_violations",
)
"""What a source may measure that has a column; its other metrics are further fields."""


def run_job(folder: StudyFolder, job: Job) -> dict[str, int]:
    """As :func:`running_job`, to its end."""
    return ended_with(running_job(folder, job))


def running_job(folder: StudyFolder, job: Job) -> Generator[int, None, dict[str, int]]:
    """Compute the job's cells that are not finished yet; returns {"finished": n, "failed": n}.

    Yields how many more scenarios have run, from the first of the evaluation on.

    A failure is recorded for every cell it touches, with its reason, and not raised: a sweep
    goes on and its table shows what failed. Running a job again repeats only what is missing.

    Raises:
        RayError: a process of the cell's was lost (an EnvRunner, a node): the job is to be run
            again from its start, since any other way of going on would give other numbers.
        OSError: a full disk, where nothing can be recorded.
    """
    if any(cell.engine == "cohort" for cell in job.cells):
        raise ValueError(f"cell {job.cells[0].id} is one that a cohort trains")
    certificate = load_certificate(folder.certificate)
    missing = [cell for cell in job.cells if not folder.is_finished(cell.id)]
    if not missing:
        return {"finished": 0, "failed": 0}
    try:
        require_planned(missing, folder, certificate)
        base = read_base(folder.base)
        trained = train(folder, job, base, certificate)
    except Exception as error:
        return fail(folder, certificate, missing, error)
    return (yield from record_cells(folder, certificate, base, job, missing, trained))


def fail(
    folder: StudyFolder, certificate: Certificate, cells: Sequence[Cell], error: Exception
) -> dict[str, int]:
    """Record why cells have failed; counts as ``run_job``.

    Raises:
        Exception: the error itself where it is the machine's.
    """
    if is_of_the_machine(error):
        raise error
    for cell in cells:
        write_failure(folder, certificate, cell, error)
    return {"finished": 0, "failed": len(cells)}


def record_cells(
    folder: StudyFolder,
    certificate: Certificate,
    base: BaseFile,
    job: Job,
    cells: Sequence[Cell],
    trained: Trained,
) -> Generator[int, None, dict[str, int]]:
    """Keep a job's policy, then evaluate and record cells of it; counts and errors as ``run_job``.

    A cell that fails fails alone. Yields how many more scenarios have run.
    """
    counts = {"finished": 0, "failed": 0}
    try:
        trained_digest = save_trained(folder, job, trained)
    except Exception as error:
        return fail(folder, certificate, cells, error)
    measured: dict[str, Any] = dict(trained.metrics)
    network = network_of(trained.policy)
    drawn = None if network is None else network.spec.family.name
    family = None if drawn == "gaussian" else drawn
    training = Training(
        policy_digest=trained_digest,
        train_env_steps=trained.env_steps,
        train_seconds=trained.seconds,
        **{name: measured.pop(name, None) for name in TRAINING_METRICS},
    )
    for cell in cells:
        try:
            write_curves(folder, cell, trained.curves)
            promise = promise_of_cell(folder.study, certificate, cell)
            own = replace(training, **promised_of(promise, trained.begun))
            samples = folder.samples(cell.id)
            behaviour = task_behaviour(base, trained.policy, cell.constraint, run_module=True)
            evaluation = yield from evaluating_cell(
                folder.study, cell, certificate, behaviour, samples
            )
            record = finished_record(folder, certificate, cell, own, evaluation, measured, family)
        except Exception as error:
            counts["failed"] += fail(folder, certificate, [cell], error)["failed"]
            continue
        write_record(folder, cell, record)
        counts["finished"] += 1
    return counts


def train(folder: StudyFolder, job: Job, base: BaseFile, certificate: Certificate) -> Trained:
    """The job's task policy, from its source.

    Raises:
        UserError, ArithmeticError: see the source's ``train`` or ``select``; a policy whose sizes
            or action mapping are not the base's, or a source that needs a base's density.
    """
    study, source, cell = folder.study, source_class(job.kind)(), job.cells[0]
    settings = source.settings_in(study, cell.hyperparameters)
    task = task_of(folder, cell)
    if isinstance(source, SelectionSource):
        return source.select(task, settings, base, certificate, folder.transitions)
    assert isinstance(source, TaskPolicySource)
    network = require_density(base, job.kind)

    def make() -> Trained:
        made = source.train(task, settings, network, certificate)
        require_trained_alike(made, job, network)
        return made

    if source.depends_on_base:
        return make()
    training = source.cell_identity(study, cell.hyperparameters)
    return made_once(folder.root, identity_of(cell, task, training, network, certificate), make)


def require_trained_alike(trained: Trained, job: Job, base: PolicyNetwork) -> None:
    """See ``require_alike``, for what a job has trained; a budget may add to what it sees."""
    network = network_of(trained.policy)
    assert network is not None
    budget = job.cells[0].constraint.num_features
    require_alike(network, base, f"the policy of {job.kind}", budget)


def completed(
    folder: StudyFolder, job: Job, base: PolicyNetwork, certificate: Certificate, trained: Trained
) -> Trained:
    """A job's policy, trained in a cohort, with what its source makes of it.

    Raises:
        what the source's ``completed`` raises; UserError: as ``train``.
    """
    require_trained_alike(trained, job, base)
    source, cell = source_class(job.kind)(), job.cells[0]
    assert isinstance(source, TaskPolicySource)
    settings = source.settings_in(folder.study, cell.hyperparameters)
    return source.completed(task_of(folder, cell), settings, base, certificate, trained)


def task_of(folder: StudyFolder, cell: Cell) -> Task:
    """What a cell's policy is made for."""
    return folder.study.task(
        cell.horizon, cell.seed, cell.constraint, cell.training_episodes, cell.aim
    )


def is_of_the_machine(error: BaseException) -> bool:
    """A full disk or a lost process, as opposed to what the study itself brings about.

    What an environment raises inside an EnvRunner comes back as a ``RayTaskError``.
    """
    lost = isinstance(error, RayError) and not isinstance(error, RayTaskError)
    return lost or is_disk_full(error)


def require_planned(cells: Iterable[Cell], folder: StudyFolder, certificate: Certificate) -> None:
    """Refuse cells whose ids, given to them by the driver, are not of the files that are here.

    Raises:
        UserError: naming the first.
    """
    for cell in cells:
        source_class(cell.source)  # a worker has not imported a plug-in's module yet
        if not cell.is_of(folder.study, certificate):
            code = ", or the code of {} is another one here".format(" and ".join(cell.plugins))
            raise UserError(
                f"cell {cell.id} is not of the certificate in {folder.certificate}: it was "
                f"replaced while the sweep ran{code if cell.plugins else ''}; run the study again"
            )


def save_trained(folder: StudyFolder, job: Job, trained: Trained) -> str:
    """Keep the task policy (without pickle), once per job, under its own digest."""
    provenance = {"study": folder.study.name, "job": job.model_dump(mode="json")}
    digest = task_policy_digest(trained.policy)
    save_task_policy(folder.policy(digest), trained.policy, provenance)
    return digest
