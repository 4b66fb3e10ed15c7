"""The plan of a sweep: a study resolved against its certificate, once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sport_ray.canonical import write_json
from sport_ray.certificates import Certificate
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.constraints import OutOfReach, out_of_reach
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.parameters import source_parameters
from sport_ray.experiments.sweep.training_promise import (
    TrainingPromise,
    confidence_of,
    promise_of_cell,
    study_promise,
)
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.varying import varying


@dataclass(frozen=True)
class Plan:
    """What a study asks for under a certificate.

    jobs: cells that share a training run, longest first. out_of_reach: levels of risk that no
    constraint can promise at some of the horizons, and so have no cells there.
    """

    study: Study
    certificate: Certificate
    jobs: tuple[Job, ...]
    out_of_reach: tuple[OutOfReach, ...]

    @classmethod
    def of(cls, study: Study, certificate: Certificate, family: str = "gaussian") -> Plan:
        """Resolve a study; family: what its base draws from, by name.

        Raises:
            UserError: see ``constraints_for``.
        """
        beyond = tuple(out_of_reach(study, certificate))
        return cls(study, certificate, tuple(plan_jobs(study, certificate, family)), beyond)

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Every cell by its id, in the order of the jobs."""
        return {cell.id: cell for job in self.jobs for cell in job.cells}

    def missing_jobs(self, folder: ResultFolder) -> list[Job]:
        """The jobs with a cell that is not finished: what a sweep runs."""
        return [job for job in self.jobs if not all(folder.is_finished(c.id) for c in job.cells)]

    def write(self, folder: ResultFolder) -> None:
        """Write down which cells the study asks for; reports leave out what is not among them."""
        jobs = [
            {
                "kind": job.kind,
                "cells": [cell.id for cell in job.cells],
                "training": None if promise is None else promise._asdict(),
            }
            for job, promise in zip(self.jobs, self.promises, strict=True)
        ]
        plan = {
            "cells": list(self.cells),
            "jobs": jobs,
            "training": self.training_promise,
            "varies": varying(map(_row, self.cells.values())),
            "parameters": source_parameters(self.study),
        }
        write_json(folder.plan, plan)

    @cached_property
    def promises(self) -> tuple[TrainingPromise | None, ...]:
        """What each job's training may cost in violations; None where nothing is promised."""
        study, certificate = self.study, self.certificate
        return tuple(promise_of_cell(study, certificate, job.cells[0]) for job in self.jobs)

    @cached_property
    def training_promise(self) -> dict[str, Any]:
        """The same of all jobs together, see ``study_promise``."""
        return study_promise(self.promises, confidence_of(self.study))

    @property
    def horizons(self) -> list[int]:
        """Every T that has cells, shortest first."""
        return sorted({cell.horizon for cell in self.cells.values()})


def _row(cell: Cell) -> dict[str, Any]:
    """What of a cell's record says which setting it is."""
    return {
        "source": cell.source,
        "projected": cell.projected,
        "constraint": cell.constraint.name,
        "alpha": cell.alpha,
        "eps_max": cell.eps_max,
        "limit_rank": cell.place and cell.place.rank,
        "horizon": cell.horizon,
    }
