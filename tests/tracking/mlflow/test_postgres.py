"""Logging to an MLflow server with PostgreSQL behind it: exact, nested, truthful, once.

Rows are counted in the database itself, so that nothing hides behind MLflow's own view of it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.tracking import log_sweep
from sport_ray.tracking.mlflow.live import NOT_YET, SweepLogger
from sport_ray.tracking.mlflow.log import (
    CELL_TAG,
    NOT_FINITE_TAG,
    PARENT_TAG,
    RECORD_TAG,
    VACUOUS_TAG,
)
from sport_ray.tracking.mlflow.metrics import METRICS, cell_metrics
from tests.mlflow_server import MlflowServer
from tests.postgres_server import PostgresServer, find_programs

pytestmark = pytest.mark.slow
PROGRAMS = find_programs()
CELLS = 14
SMALL: dict[str, Any] = {"alphas": (1.0, 1.5, 10.0), "horizons": (30,), "seeds": (0, 1)}
TABLES = ("runs", "metrics", "latest_metrics", "params", "tags")
LOG = "import sys; from sport_ray.tracking import log_sweep; log_sweep(sys.argv[1], sys.argv[2])"


class Stack:
    """MLflow and its PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAMS is not None
        self.database = PostgresServer(PROGRAMS)
        self.mlflow = MlflowServer(folder, self.database.backend)

    @property
    def uri(self) -> str:
        return self.mlflow.uri

    def start(self) -> None:
        self.database.start()
        self.mlflow.start()

    def kill(self) -> None:
        self.mlflow.kill()
        self.database.kill()

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        counted = (f"(select count(*) from {table})" for table in TABLES)
        (row,) = self.database.query(f"select {', '.join(counted)}")
        return dict(zip(TABLES, row, strict=True))

    def runs(self, study: str) -> tuple[list[Any], dict[str, Any]]:
        """The sweeps' runs, and the cells' by cell; no cell may have two."""
        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name(study)
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        cells = [run for run in runs if CELL_TAG in run.data.tags]
        found = {run.data.tags[CELL_TAG]: run for run in cells}
        assert len(found) == len(cells)
        return [run for run in runs if CELL_TAG not in run.data.tags], found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if PROGRAMS is None:
        if os.environ.get("CI"):
            pytest.fail("no PostgreSQL: .ci/run installs it")
        pytest.skip("no PostgreSQL here: neither initdb in PATH nor /usr/lib/postgresql/*/bin")
    running = Stack(tmp_path_factory.mktemp("mlflow"))
    try:
        running.start()
        yield running
    finally:
        running.mlflow.kill()
        running.database.remove()


def records_of(folder: Path) -> dict[str, dict[str, Any]]:
    records = [json.loads(file.read_text()) for file in folder.glob("cells/*/record.json")]
    return {record["cell_id"]: record for record in records}


def overflowing(record: dict[str, Any]) -> dict[str, Any]:
    """What a real record has where a bound overflows: JSON knows no infinity."""
    if record["alpha"] == 10.0 and record["seed"] == 0:
        return record | {"alpha": 1e20, "log_alpha": math.log(1e20)}
    return record


def test_every_number_to_the_bit_nested_and_truthful(stack: Stack, make_results: Any) -> None:
    folder = make_results("exact", change=overflowing, **SMALL)
    summary = log_sweep(folder, stack.uri, status="KILLED")
    assert (len(summary.logged), summary.failed) == (CELLS, {})
    (parent,), cells = stack.runs("exact")
    assert parent.info.status == "KILLED"
    records = records_of(folder)
    assert set(cells) == set(records)
    flagged = set()
    for cell, run in cells.items():
        record = records[cell]
        tags = run.data.tags
        assert tags[PARENT_TAG] == parent.info.run_id
        assert run.info.status == {"finished": "FINISHED", "failed": "FAILED"}[record["status"]]
        assert tags.get("sport_ray.reason") == record["reason"]
        # What was written is what the record says, and the database has these very numbers.
        expected, not_finite = cell_metrics(record)
        assert run.data.metrics == expected
        stored = stack.database.query(
            f"select key, value, is_nan from metrics where run_uuid = '{run.info.run_id}'"
        )
        assert {(key, value, False) for key, value in expected.items()} == set(stored)
        assert len(stored) == len(expected)
        for name in set(METRICS) & set(record):
            value = record[name]
            shown = value is not None and math.isfinite(value)
            assert expected.get(name) == (value if shown else None)
        assert tags.get(NOT_FINITE_TAG, "") == ",".join(not_finite)
        flagged |= set(not_finite)
        prior = record["prior_bound"]
        vacuous = record["alpha"] is not None and (prior is None or prior >= 1)
        assert tags.get(VACUOUS_TAG, "") == ("prior_bound" if vacuous else "")
    assert {"prior_bound", "max_log_ratio"} <= flagged
    sizes = stack.database.query("select max(abs(value)) from metrics")
    assert sizes[0][0] < 1e30

    before = stack.rows()
    again = log_sweep(folder, stack.uri)
    assert (again.logged, len(again.already_there)) == ([], CELLS)
    assert stack.rows() == before
    assert stack.runs("exact")[0][0].info.status == "KILLED"


def test_killed_in_the_middle_and_sent_later_in_order_once(stack: Stack, make_results: Any) -> None:
    folder = make_results("away", **SMALL)
    records = sorted(records_of(folder).values(), key=lambda r: (r["finished_at"], r["cell_id"]))
    logger = SweepLogger(folder, stack.uri, patience=0.0)
    logger.start()
    for record in records[:4]:
        logger.log_cell(record)
    while len(stack.runs("away")[1]) < 4:
        assert set(logger.pending.values()) <= {NOT_YET}
        time.sleep(0.05)
    stack.kill()
    for record in records[4:]:
        logger.log_cell(record)
    assert logger.finish("FAILED") is None
    assert set(logger.pending) >= {"*", *(record["cell_id"] for record in records[4:])}
    stack.start()
    (parent,), _ = stack.runs("away")
    assert parent.info.status == "RUNNING"  # nobody could say otherwise
    log_sweep(folder, stack.uri)
    (parent,), cells = stack.runs("away")
    assert parent.info.status == "FAILED"
    assert all(RECORD_TAG in run.data.tags for run in cells.values())
    # A row has the number of the transaction that made it.
    told = stack.database.query(
        "select cells.value from tags cells join tags parents using (run_uuid) "
        f"where cells.key = '{CELL_TAG}' and parents.key = '{PARENT_TAG}' "
        f"and parents.value = '{parent.info.run_id}' order by cells.xmin::text::bigint"
    )
    assert [cell for (cell,) in told] == [record["cell_id"] for record in records]
    doubled = stack.database.query(
        "select run_uuid, key, count(*) from metrics where key not like 'cells%' "
        "group by run_uuid, key having count(*) > 1"
    )
    assert doubled == []
    before = stack.rows()
    log_sweep(folder, stack.uri)
    assert stack.rows() == before


def test_two_at_once_make_no_run_twice(stack: Stack, make_results: Any, tmp_path: Path) -> None:
    """From one folder the second waits; from a copy, which no lock knows of, they race."""
    folder = make_results("twice", **SMALL)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", LOG, str(path), stack.uri], stderr=subprocess.PIPE, text=True
        )
        for path in (folder, folder, copy)
    ]
    said = [process.communicate(timeout=300)[1] for process in racing]
    assert any(process.returncode == 0 for process in racing), said
    # Who lost a race was told so, in one line, and what is missing is sent by asking again.
    log_sweep(folder, stack.uri)
    (parent,), cells = stack.runs("twice")
    assert set(cells) == set(records_of(folder))
    assert {run.data.tags[PARENT_TAG] for run in cells.values()} == {parent.info.run_id}
    assert all(RECORD_TAG in run.data.tags for run in cells.values())
    before = stack.rows()
    assert log_sweep(copy, stack.uri).logged == []
    assert stack.rows() == before
