"""Logging through a real MLflow server on loopback, and past one that dies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.tracking import log_sweep
from sport_ray.tracking.mlflow.live import SweepLogger
from tests.mlflow_server import MlflowServer

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {"alphas": (1.0, 1.5), "horizons": (21,), "seeds": (0,)}
CELLS = 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URI of a running server, and what kills it."""
    running = MlflowServer(tmp_path)
    try:
        running.start()
        yield running.uri, running.kill
    finally:
        running.kill()


def test_a_server_takes_everything_and_a_dead_one_stops_nothing(
    make_results: Any, server: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    uri, stop = server
    folder = make_results(**SMALL)
    records = [json.loads(f.read_text()) for f in sorted(folder.glob("cells/*/record.json"))]
    logger = SweepLogger(folder, uri)
    logger.start()
    logger.log_cell(records[0])
    logger.log_cell(records[1])
    summary = logger.finish("FINISHED")
    assert summary is not None
    assert sorted(summary.logged + summary.already_there) == sorted(
        record["cell_id"] for record in records
    )
    again = log_sweep(folder, uri)
    assert (again.logged, len(again.already_there)) == ([], CELLS)

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("quickstart")
    runs = list(client.search_runs([experiment.experiment_id]))
    assert len(runs) == CELLS + 1
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        names = {artefact.path for artefact in client.list_artifacts(run.info.run_id)}
        assert names & {"record.json", "certificate.json"}

    # The sweep goes on, with one more cell, and the server is gone.
    logger = SweepLogger(folder, uri, patience=2.0)
    logger.start()
    stop()
    for record in records:
        logger.log_cell(record | {"train_return": 1.5})
    assert logger.finish("FINISHED") is None
    assert set(logger.pending) == {"*", *(record["cell_id"] for record in records)}
    captured = capfd.readouterr()
    assert "View run" not in captured.out + captured.err
