"""Finding the experiment of a study and its runs in a store, one of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.client import (
    DATABASE,
    PORTABLE,
    artifact_folder,
    artifact_location,
    report_command,
)
from sport_ray.tracking.mlflow.uploads import Uploads
from sport_ray.tracking.mlflow.uris import mask_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP_TAG, CELL_TAG = "sport_ray.sweep_id", "sport_ray.cell_id"
RECORD_TAG = "sport_ray.record_digest"
PARENT_TAG = "mlflow.parentRunId"  # what MLflow's own UI nests by


def open_experiment(
    client: MlflowClient, results_dir: Path, uri: str, study: str
) -> tuple[str, Uploads]:
    """The id of the experiment of this name, made where there is none, and what sends its files.

    Raises:
        UserError: one that was deleted, or whose artefacts lie in another folder.
    """
    wanted = artifact_location(results_dir, uri)
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        identity = str(client.create_experiment(study, artifact_location=wanted))
        return identity, _uploads(client, results_dir, wanted)
    if experiment.lifecycle_stage != "active":
        raise UserError(
            f"MLflow experiment {study!r} at {mask_uri(uri)} is deleted: restore it with "
            f"`mlflow experiments restore -x {experiment.experiment_id}` or rename the study"
        )
    location = experiment.artifact_location
    if wanted == PORTABLE and location not in (PORTABLE, artifact_folder(results_dir).as_uri()):
        raise UserError(
            f"{results_dir / DATABASE} keeps artefacts in {urlsplit(location).path}, not beside "
            f"itself: delete it, and log the results anew with `{report_command(results_dir)}`"
        )
    return str(experiment.experiment_id), _uploads(client, results_dir, wanted and location)


def _uploads(client: MlflowClient, results_dir: Path, location: str | None) -> Uploads:
    return Uploads(client, artifact_folder(results_dir) if location == PORTABLE else None)


def with_tags_only(run: Run, tags: Mapping[str, str] | None = None) -> Run:
    """A run for its id and tags, or other ones: thousands are kept, and metrics are most of one."""
    from mlflow.entities import Run, RunData, RunTag

    kept = [RunTag(name, value) for name, value in (tags or run.data.tags).items()]
    return Run(run.info, RunData(tags=kept))


def find_runs(client: MlflowClient, experiment_id: str) -> tuple[dict[str, Run], dict[str, Run]]:
    """The runs of sweeps and, without metrics and parameters, of cells, by their ids.

    Where a lost answer led to two, the whole or older one is kept. The other is deleted, as MLflow
    deletes: it can be restored.
    """
    runs: list[Run] = []
    token = None
    while token != "":
        page = client.search_runs([experiment_id], max_results=500, page_token=token)
        runs += (run if SWEEP_TAG in run.data.tags else with_tags_only(run) for run in page)
        token = page.token or ""
    runs.sort(key=_precedence)
    sweeps, twice = _one_each(runs, SWEEP_TAG)
    for run in runs:  # no cell stays behind below a parent that is no longer shown
        double = twice.get(run.data.tags.get(PARENT_TAG))
        if double is not None:
            kept = sweeps[double.data.tags[SWEEP_TAG]]
            client.set_tag(run.info.run_id, PARENT_TAG, kept.info.run_id)
    cells, more = _one_each(runs, CELL_TAG)
    for run_id in (*twice, *more):
        client.delete_run(run_id)
    return sweeps, cells


def _one_each(runs: list[Run], tag: str) -> tuple[dict[str, Run], dict[str, Run]]:
    """The first run of each value of a tag, and by id those that come after it."""
    kept: dict[str, Run] = {}
    tagged = [run for run in runs if tag in run.data.tags]
    doubles = [run for run in tagged if kept.setdefault(run.data.tags[tag], run) is not run]
    return kept, {run.info.run_id: run for run in doubles}


def _precedence(run: Run) -> tuple[bool, int, str]:
    """Runs that were completed first, then older ones."""
    return RECORD_TAG not in run.data.tags, run.info.start_time or 0, run.info.run_id
