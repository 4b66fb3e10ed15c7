"""Putting files to runs: through the store, or, beside its own, into the result folder itself.

A store beside the results says of artefacts only that whoever serves it has them
(``mlflow-artifacts:/``), and no path. So the whole folder can be moved. MLflow's client sends such
artefacts to servers alone; here they are copied to where `mlflow ui`, started in the folder, reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sport_ray.tracking.results.files import write_atomically

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Uploads:
    """Sends files to the artefacts of runs.

    root: the folder that the runs' artefacts lie in; None where MLflow's client sends them.
    """

    def __init__(self, client: MlflowClient, root: Path | None) -> None:
        self.client = client
        self.root = root

    def file(self, run_id: str, file: Path, under: str | None = None) -> None:
        """Put a file to a run, in the folder `under` of its artefacts."""
        if self.root is None:
            self.client.log_artifact(run_id, str(file), under)
        else:
            target = artefacts_of(self.root, run_id) / (under or "") / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, file.read_bytes())

    def folder(self, run_id: str, folder: Path, under: str) -> None:
        """Put the files of a folder to a run, in the folder `under` of its artefacts."""
        for file in sorted(folder.iterdir()):
            if file.is_file():
                self.file(run_id, file, under)


def artefacts_of(root: Path, run_id: str) -> Path:
    """A run's artefacts, where MLflow's server looks for them below the folder that it serves."""
    return root / run_id / "artifacts"
