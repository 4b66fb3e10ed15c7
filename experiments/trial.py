"""The Tune trial: an actor that runs one job after another without starting anew."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from ray import tune

from experiments.cells import Job
from experiments.disk import is_disk_full
from experiments.jobs import run_job
from experiments.results import ResultFolder
from experiments.runtime import quiet_ray
from experiments.study import Study

DISK_FULL = "disk_full"


class CellTrial(tune.Trainable):
    """Runs a job in one step and reports two counts.

    A plain Trainable that owns its Algorithm, instead of the Algorithm as the trial: it is reused
    from trial to trial (``reset_config``), so that imports and first builds are paid once per
    actor, and it reports a few numbers instead of RLlib's hundreds.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first job."""
        # Cells fill the cores; threads inside one would only fight over them.
        torch.set_num_threads(1)
        quiet_ray()
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        self._take(config)

    def _take(self, config: dict[str, Any]) -> None:
        study = Study.model_validate(config["study"])
        self.folder = ResultFolder(Path(config["results"]), study)
        self.job = Job.model_validate(config["job"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next job; true says that this actor may be reused."""
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Run the job; its records are on disk when this returns.

        A full disk is reported rather than raised: Tune would try again, and write of it on disk.
        """
        try:
            return {**run_job(self.folder, self.job), "done": True}
        except Exception as error:
            if not is_disk_full(error):
                raise
            return {DISK_FULL: True, "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: records are the state. Without this method actors are silently not reused."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing to load."""
