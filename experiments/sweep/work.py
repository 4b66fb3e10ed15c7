"""What one trial of a sweep does: a job alone, or several that are trained as a cohort."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from sport_ray.experiments.sweep.cell import Job


class Work(BaseModel):
    """The jobs of one Tune trial, in the order in which they are evaluated.

    cohort: whether they are trained as one, be it of a single job.
    """

    model_config = ConfigDict(frozen=True)

    cohort: bool
    jobs: tuple[Job, ...]

    @property
    def name(self) -> str:
        """Its first cell's id: by it the ledger tells what runs side by side."""
        return self.jobs[0].cells[0].id
