"""The sweep's trial: one job after another in an actor that does not start anew."""

from __future__ import annotations

from typing import Any

from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.sweep.trials import StudyTrial


class CellTrial(StudyTrial):
    """Runs a job in one step and reports two counts; its records are on disk by then."""

    def take(self, config: dict[str, Any]) -> None:
        """Take a job."""
        self.job = Job.model_validate(config["job"])

    def work(self) -> dict[str, Any]:
        """Run the job."""
        return {**run_job(self.folder, self.job), "done": True}
