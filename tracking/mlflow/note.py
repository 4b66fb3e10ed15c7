"""The description that MLflow's own page shows of a sweep: its answer, and where its files are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sport_ray.tracking.mlflow.artefacts import short_hash, sweep_files
from sport_ray.tracking.mlflow.ui import MODE, run_page
from sport_ray.tracking.results.records import Results

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE_TAG = "mlflow.note.content"  # what MLflow's own UI shows as the description
OURS_TAG = "sport_ray.note_digest"
_LINKED = ("report.html", "cells.csv", "certificate.json", "figures")
_MAX_CHARACTERS = 8000


def write_note(client: MlflowClient, run: Any, folder: Results, answer: str) -> None:
    """Describe the parent run, unless somebody else has written a description of their own."""
    current = run.data.tags.get(NOTE_TAG)
    if current is not None and run.data.tags.get(OURS_TAG) != short_hash(current.encode()):
        return
    files = sweep_files(folder.path)
    base = f"#{run_page(run.info.experiment_id, run.info.run_id)}/artifacts"
    links = [f"[{name}]({base}/{name}{MODE})" for name in _LINKED if name in files]
    note = "\n\n".join([answer, *([" · ".join(links)] if links else [])])[:_MAX_CHARACTERS]
    if note != current:
        from mlflow.entities import RunTag

        # Together: a note without its digest would be taken for somebody else's.
        tags = [RunTag(NOTE_TAG, note), RunTag(OURS_TAG, short_hash(note.encode()))]
        client.log_batch(run.info.run_id, tags=tags)
