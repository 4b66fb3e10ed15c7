"""Logging beside a running sweep: never in its way, nothing lost, nothing twice."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow import live
from sport_ray.tracking.mlflow.client import default_uri
from sport_ray.tracking.mlflow.live import NOT_YET, SweepLogger
from sport_ray.tracking.mlflow.log import CELL_TAG, Sweep

SMALL: dict[str, Any] = {"alphas": (1.0, 1.5), "horizons": (21,), "seeds": (0,)}
CELLS = 5


def runs_of(folder: Path) -> list[Any]:
    client = MlflowClient(default_uri(folder))
    experiment = client.get_experiment_by_name("quickstart")
    return list(client.search_runs([experiment.experiment_id], max_results=100))


def records_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(f.read_text()) for f in sorted(folder.glob("cells/*/record.json"))]


def wait_for(condition: Any) -> None:
    while not condition():  # at most until pytest's own timeout
        time.sleep(0.02)


def test_cells_appear_while_the_sweep_runs(make_results) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    (parent,) = runs_of(folder)
    assert parent.info.status == "RUNNING"
    for record in records_of(folder):
        logger.log_cell(record)
    wait_for(lambda: len(runs_of(folder)) == CELLS + 1)
    summary = logger.finish("FINISHED")
    assert summary is not None
    assert len(summary.already_there) == CELLS
    assert logger.pending == {}
    assert {run.info.status for run in runs_of(folder)} == {"FINISHED"}
    assert len(runs_of(folder)) == CELLS + 1


def test_what_the_store_refused_is_sent_at_the_end_once(
    make_results, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    answers = threading.Event()

    def refuses(*_: Any) -> None:
        answers.wait()
        raise ConnectionError("gone")

    with monkeypatch.context() as gone:
        gone.setattr(Sweep, "log_cell", refuses)
        for record in records_of(folder):
            logger.log_cell(record)  # returns while the store is silent
        answers.set()
        wait_for(lambda: NOT_YET not in logger.pending.values())
    reasons = list(logger.pending.values())
    assert "gone" in reasons[0]
    assert reasons[1:] == ["not tried: the store did not answer before"] * (CELLS - 1)
    summary = logger.finish()
    assert summary is not None
    assert len(summary.logged) == CELLS
    assert logger.pending == {}
    assert sum(CELL_TAG in run.data.tags for run in runs_of(folder)) == CELLS


def test_finish_never_raises(make_results, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder, patience=0.0)
    logger.start()

    def gone(*_: Any) -> None:
        raise ConnectionError("gone for good")

    monkeypatch.setattr(Sweep, "open", gone)
    assert logger.finish("FINISHED") is None
    assert "gone for good" in logger.pending["*"]


def test_a_wrong_address_is_known_before_the_sweep_runs(make_results) -> None:
    logger = SweepLogger(make_results(**SMALL), "foo://bar")
    with pytest.raises(UserError, match="does not answer: foo://bar"):
        logger.start()


def test_a_sweep_without_cells_yet_has_its_parent_and_a_true_end(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"name": "quickstart"}')
    logger = SweepLogger(tmp_path)
    logger.start()
    with pytest.raises(RuntimeError, match="already started"):
        logger.start()
    summary = logger.finish("KILLED")
    assert summary is not None
    assert summary.logged == []
    (parent,) = runs_of(tmp_path)
    assert parent.info.status == "KILLED"


def test_a_store_that_is_put_off_is_made_with_the_first_cell(make_results) -> None:
    folder = make_results(**SMALL)
    (folder / "mlflow.db").unlink()  # the fixture's, which is empty
    logger = SweepLogger(folder)
    logger.start(put_off=True)
    assert not (folder / "mlflow.db").exists()
    logger.log_cell(records_of(folder)[0])
    logger.finish("FINISHED")
    assert logger.pending == {}
    assert len(runs_of(folder)) == CELLS + 1


def test_a_store_that_is_there_is_opened_at_once(make_results) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start(put_off=True)
    parents = [run for run in runs_of(folder) if CELL_TAG not in run.data.tags]
    assert [run.info.status for run in parents] == ["RUNNING"]
    logger.finish("FINISHED")


def test_who_is_in_a_hurry_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"name": "quickstart"}')
    logger = SweepLogger(tmp_path)
    logger.start(put_off=True)
    assert logger.finish("KILLED", within=4.0) is None
    assert not (tmp_path / "mlflow.db").exists()
    SweepLogger(tmp_path).start()  # and holds nothing back from the next


def test_a_resumed_sweep_runs_again_under_the_same_parent(make_results) -> None:
    folder = make_results(**SMALL)
    for _ in range(2):
        logger = SweepLogger(folder)
        logger.start()
        assert [r.info.status for r in runs_of(folder) if CELL_TAG not in r.data.tags] == [
            "RUNNING"
        ]
        logger.finish("FINISHED")
    assert len(runs_of(folder)) == CELLS + 1


def test_finish_waits_for_a_store_that_comes_back(
    make_results, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    calls = []
    found = Sweep.open

    def away_twice(*arguments: Any) -> Sweep:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise ConnectionError("away")
        return found(*arguments)

    monkeypatch.setattr(Sweep, "open", away_twice)
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.2)
    summary = logger.finish("FINISHED")
    assert summary is not None
    assert len(summary.logged) == CELLS
    assert logger.pending == {}


def test_who_is_in_a_hurry_does_not_wait(make_results, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    answers = threading.Event()
    monkeypatch.setattr(Sweep, "open", lambda *_: answers.wait())
    assert logger.finish("KILLED", within=0.5) is None  # returns while the store is silent
    assert "within 0.5 s" in logger.pending["*"]
    answers.set()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass at once, as the logger's clock shows them."""
    skipped = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(skipped), sleep=time.sleep)
    monkeypatch.setattr(live, "time", clock)
    monkeypatch.setattr(live, "SLICE_SECONDS", 0.05)
    return skipped.append


def test_finish_waits_for_as_long_as_cells_are_taken(
    make_results, monkeypatch: pytest.MonkeyPatch, passes: Callable[[float], None]
) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    found, asked = Sweep.log_cell, threading.Event()

    def slow(*arguments: Any) -> None:
        asked.wait()  # nothing is taken before the end has begun
        passes(0.5 * live.DRAIN_SECONDS)  # all of them: longer than one that is silent may take
        found(*arguments)

    monkeypatch.setattr(Sweep, "log_cell", slow)
    for record in records_of(folder):
        logger.log_cell(record)
    told: list[int] = []

    def tell(behind: int) -> None:
        told.append(behind)
        asked.set()

    summary = logger.finish("FINISHED", tell=tell)
    assert summary is not None
    assert len(summary.already_there) == CELLS
    assert logger.behind == 0
    assert told[0] == CELLS
    assert told == sorted(told, reverse=True)
    assert told[-1] <= 1


def test_a_store_that_falls_silent_is_left_and_what_it_lacks_is_counted(
    make_results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "DRAIN_SECONDS", 2.0)
    monkeypatch.setattr(live, "SLICE_SECONDS", 0.05)
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    answers = threading.Event()
    found, taken = Sweep.log_cell, []

    def first_alone(*arguments: Any) -> None:
        if taken:
            answers.wait()
        taken.append(arguments)
        found(*arguments)

    monkeypatch.setattr(Sweep, "log_cell", first_alone)
    for record in records_of(folder):
        logger.log_cell(record)
    wait_for(lambda: logger.behind == CELLS - 1)
    assert logger.finish("FINISHED") is None
    assert "did not answer" in logger.pending["*"]
    assert logger.behind == CELLS - 1
    answers.set()
    assert logger._thread is not None
    logger._thread.join()  # else it would call what the next test puts in place


def test_what_had_to_wait_for_the_store_is_waited_for_too(
    make_results, monkeypatch: pytest.MonkeyPatch, passes: Callable[[float], None]
) -> None:
    monkeypatch.setattr(live, "RETRY_SECONDS", 1.0)
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()
    found, calls, asked = Sweep.log_cell, [], threading.Event()

    def away_then_slow(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise ConnectionError("away")
        asked.wait()
        passes(0.5 * live.DRAIN_SECONDS)
        found(*arguments)

    monkeypatch.setattr(Sweep, "log_cell", away_then_slow)
    for record in records_of(folder):
        logger.log_cell(record)
    wait_for(lambda: len(calls) > 1)  # all of them are being sent at once
    told: list[int] = []

    def tell(behind: int) -> None:
        told.append(behind)
        asked.set()

    summary = logger.finish("FINISHED", tell=tell)
    assert summary is not None
    assert len(summary.already_there) == CELLS
    assert told[0] == CELLS > told[-1]
    assert logger.pending == {}


def test_a_console_that_is_closed_stops_no_log(make_results) -> None:
    folder = make_results(**SMALL)
    logger = SweepLogger(folder)
    logger.start()

    def closed(_: int) -> None:
        raise OSError("closed")

    assert logger.finish("FINISHED", tell=closed) is not None
    assert logger.pending == {}
