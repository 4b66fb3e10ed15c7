"""How to look at what was logged: the command that starts MLflow's page, and the page's address."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import urlsplit

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.client import answering, default_uri
from sport_ray.tracking.mlflow.uris import without_credentials

MODE = "?workflowType=machine_learning"
"""Without it MLflow 3 shows an experiment's traces, which a study has none of."""
LOCAL = "http://127.0.0.1:5000"
_START = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --workers 1"
"""Without workers for models that nobody asks for: the page is there in half of the time."""


def run_page(experiment_id: str, run_id: str) -> str:
    """The path of a run's page."""
    return f"/experiments/{experiment_id}/runs/{run_id}"


def start_command(results_dir: str | Path, uri: str) -> str | None:
    """What a shell starts MLflow's page with; None where a server has it already.

    Of the folder's own store it is started in the folder, where MLflow looks by itself for a
    database and artefacts of these names: so it works wherever the folder is moved to.
    """
    if urlsplit(without_credentials(uri)).scheme in ("http", "https", "databricks", "uc", ""):
        return None
    if uri == default_uri(results_dir):
        return f"cd {shlex.quote(str(results_dir))} && {_START}"
    return f"{_START} --backend-store-uri {shlex.quote(without_credentials(uri))}"


def page_url(uri: str, experiment_id: str) -> str:
    """The address of an experiment's runs, once MLflow serves the store; without credentials."""
    public = without_credentials(uri)
    server = public.rstrip("/") if public.startswith(("http://", "https://")) else LOCAL
    return f"{server}/#/experiments/{experiment_id}/runs{MODE}"


def opening_lines(results_dir: str | Path, uri: str, study: str) -> list[str]:
    """What is printed of a study that was logged: how to start MLflow's page, and its address.

    Nothing where the store does not answer, or has nothing of the study.
    """
    try:
        with answering(uri, results_dir) as client:
            experiment = client.get_experiment_by_name(study)
    except UserError:
        return []
    if experiment is None:
        return []
    command, url = start_command(results_dir, uri), page_url(uri, experiment.experiment_id)
    if command is None:
        return [f"MLflow: {url}"]
    return [f"MLflow: {command}", f"  then open {url}"]
