"""Run the jobs of one trial: train them, then evaluate and record each cell as it is known."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import NamedTuple

from sport_ray.certificates import Certificate, load_certificate
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.job import (
    completed,
    fail,
    is_of_the_machine,
    record_cells,
    require_planned,
    running_job,
)
from sport_ray.experiments.sweep.packing import configuration_of, env_steps_of
from sport_ray.experiments.sweep.work import Work
from sport_ray.experiments.task_policies._cohort import CohortRun
from sport_ray.experiments.task_policies._training import Trained
from sport_ray.experiments.task_policies.source import require_density
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.samplers import BaseFile, read_base


class Report(NamedTuple):
    """How far a trial is: the share of its training, 0 to 1, and how many jobs have their records.

    They end in their order: ``ended`` are the first. scenarios: that have run in evaluations.
    """

    trained: float
    ended: int
    scenarios: int = 0


def run_work(folder: StudyFolder, work: Work) -> Generator[Report, None, None]:
    """Compute what the jobs lack, and say how far it is from time to time.

    A failure is recorded for the cells that it touches and not raised. Running it again repeats
    only what has no record of a finished cell.

    Raises:
        RayError, OSError: as ``run_job``.
    """
    if not work.cohort:
        [job] = work.jobs
        scenarios = 0
        for more in running_job(folder, job):
            scenarios += more
            yield Report(1.0, 0, scenarios)
        yield Report(1.0, 1, scenarios)
        return
    yield from _run_cohort(folder, work.jobs)


def _run_cohort(folder: StudyFolder, jobs: tuple[Job, ...]) -> Iterator[Report]:
    yield Report(0.0, 0)
    certificate = load_certificate(folder.certificate)
    missing = {job: cells for job in jobs if (cells := _missing(folder, job))}
    outcomes: dict[Job, Trained | Exception] = {}
    configs: dict[Job, ProjectedPPOConfig] = {}
    base: BaseFile | None = None
    for job, cells in missing.items():
        try:
            require_planned(cells, folder, certificate)
            base = base or read_base(folder.base)
            network = require_density(base, job.kind)
            configs[job] = configuration_of(folder.study, job, network)
        except Exception as error:
            outcomes[job] = error
    if configs:
        total = env_steps_of(folder.study, jobs[0])
        training = Training(list(configs.values()), total)
        for steps in training:
            yield Report(min(steps / total, 1.0), 0)
        outcomes |= dict(zip(configs, training.found, strict=True))
    scenarios = 0
    for ended, job in enumerate(jobs, start=1):
        if job in missing:
            for more in _record(folder, certificate, base, job, missing[job], outcomes[job]):
                scenarios += more
                yield Report(1.0, ended - 1, scenarios)
        yield Report(1.0, ended, scenarios)


def _missing(folder: StudyFolder, job: Job) -> list[Cell]:
    if any(cell.engine != "cohort" for cell in job.cells):
        raise ValueError(f"cell {job.cells[0].id} is not one that a cohort trains")
    return [cell for cell in job.cells if not folder.is_finished(cell.id)]


def _record(
    folder: StudyFolder,
    certificate: Certificate,
    base: BaseFile | None,
    job: Job,
    cells: list[Cell],
    trained: Trained | Exception,
) -> Generator[int, None, None]:
    """Evaluate and record a job's cells, or why they failed; yields as ``record_cells``."""
    if isinstance(trained, Exception):
        fail(folder, certificate, cells, trained)
        return
    assert base is not None  # something was trained
    try:
        trained = completed(folder, job, require_density(base, job.kind), certificate, trained)
    except Exception as error:
        fail(folder, certificate, cells, error)
        return
    yield from record_cells(folder, certificate, base, job, cells, trained)


class Training:
    """Iterates over environment steps of training; ``found`` are the outcomes, once it has ended.

    What befalls a cohort as a whole (an environment that raises) would take every cell with it:
    the cohort is halved until whoever brings it about is alone. The others' numbers stay.
    """

    def __init__(self, configs: list[ProjectedPPOConfig], env_steps: int) -> None:
        self.configs = configs
        self.env_steps = env_steps
        self.found: list[Trained | Exception] = []

    def __iter__(self) -> Generator[int, None, None]:
        self.found = yield from self._train(self.configs)

    def _train(
        self, configs: list[ProjectedPPOConfig]
    ) -> Generator[int, None, list[Trained | Exception]]:
        try:
            return (yield from self._train_together(configs))
        except Exception as error:
            if is_of_the_machine(error):
                raise
            if len(configs) == 1:
                return [error]
        half = len(configs) // 2
        first = yield from self._train(configs[:half])
        return first + (yield from self._train(configs[half:]))

    def _train_together(
        self, configs: list[ProjectedPPOConfig]
    ) -> Generator[int, None, list[Trained | Exception]]:
        run = CohortRun(configs, self.env_steps)
        try:
            while not run.done:
                yield run.advance()
            return run.trained()
        finally:
            run.stop()
