"""Logging to a real SQLite store: complete, nested, truthful, and never twice."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.errors import UserError
from sport_ray.tracking import log_sweep
from sport_ray.tracking.mlflow.client import artifact_folder, default_uri
from sport_ray.tracking.mlflow.log import (
    CELL_TAG,
    NOT_FINITE_TAG,
    PARENT_TAG,
    SWEEP_TAG,
    VACUOUS_TAG,
    Sweep,
    hold_logging,
)
from sport_ray.tracking.mlflow.metrics import METRICS
from sport_ray.tracking.mlflow.uploads import artefacts_of

SMALL: dict[str, Any] = {"alphas": (1.0, 1.5, 10.0), "horizons": (30,), "seeds": (0, 1)}
CELLS = 14


def runs_of(folder: Path, name: str = "quickstart") -> list[Any]:
    client = MlflowClient(default_uri(folder))
    experiment = client.get_experiment_by_name(name)
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def parent_and_cells(folder: Path) -> tuple[Any, dict[str, Any]]:
    runs = runs_of(folder)
    parents = [run for run in runs if CELL_TAG not in run.data.tags]
    assert len(parents) == 1
    cells = {run.data.tags[CELL_TAG]: run for run in runs if CELL_TAG in run.data.tags}
    assert len(cells) == len(runs) - 1
    return parents[0], cells


def one_file(folder: Path, **wanted: object) -> Path:
    for file in sorted(folder.glob("cells/*/record.json")):
        record = json.loads(file.read_text())
        if wanted.items() <= record.items():
            return file
    raise AssertionError(f"no cell with {wanted}")


def names_of(folder: Path, run: Any, under: str = "") -> list[str]:
    """What a run has as artefacts, in the folder's own store."""
    place = artefacts_of(artifact_folder(folder), run.info.run_id) / under
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


@pytest.fixture
def small(make_results) -> Path:
    return make_results(**SMALL)


def test_every_cell_is_a_child_with_params_metrics_and_record(small: Path) -> None:
    summary = log_sweep(small)
    assert (len(summary.logged), summary.already_there, summary.failed) == (CELLS, [], {})
    parent, cells = parent_and_cells(small)
    assert parent.data.tags[SWEEP_TAG]
    assert parent.data.params["study"] == "quickstart"
    assert parent.info.run_name == "quickstart"
    assert "certificate.json" in names_of(small, parent)
    for file in small.glob("cells/*/record.json"):
        record = json.loads(file.read_text())
        run = cells[record["cell_id"]]
        assert run.data.tags[PARENT_TAG] == parent.info.run_id
        assert run.data.params["T"] == str(record["horizon"])
        assert run.data.params["seed"] == str(record["seed"])
        assert run.data.params["base_digest"] == record["base_digest"]
        alpha = record["alpha"]
        assert run.data.params["alpha"] == ("unconstrained" if alpha is None else repr(alpha))
        assert set(run.data.metrics) <= set(METRICS)
        for name in set(METRICS) & set(record):
            value = record[name]
            shown = value is not None and math.isfinite(value)
            assert run.data.metrics.get(name) == (value if shown else None)
        assert names_of(small, run) == ["record.json"]
        assert run.data.tags["mlflow.source.name"] == "sport-ray"


def test_status_and_reason_are_truthful(small: Path) -> None:
    log_sweep(small)
    parent, cells = parent_and_cells(small)
    statuses = sorted(run.info.status for run in cells.values())
    assert statuses == ["FAILED"] + ["FINISHED"] * (CELLS - 1)
    failed = next(run for run in cells.values() if run.info.status == "FAILED")
    assert failed.data.tags["sport_ray.reason"] == "worker died: out of memory"
    assert parent.info.status == "FAILED"
    counts = {"cells_finished": CELLS - 1, "cells_failed": 1}
    assert counts.items() <= parent.data.metrics.items()
    assert parent.info.start_time == min(run.info.start_time for run in cells.values())
    assert parent.info.end_time == max(run.info.end_time for run in cells.values())
    finished = next(run for run in cells.values() if run.info.status == "FINISHED")
    assert finished.info.end_time - finished.info.start_time == 47_700


def test_infinities_are_flagged_not_logged(small: Path) -> None:
    log_sweep(small)
    _, cells = parent_and_cells(small)
    free = cells[one_file(small, source="unconstrained", projected=False).parent.name]
    # A finished cell has them all: null in a record means infinite.
    names = {"max_log_ratio", "mean_log_ratio", "mean_realised_log_ratio"}
    assert names <= set(free.data.tags[NOT_FINITE_TAG].split(","))
    assert VACUOUS_TAG not in free.data.tags
    assert "max_log_ratio" not in free.data.metrics
    vacuous = cells[one_file(small, alpha=10.0).parent.name]
    assert vacuous.data.tags[VACUOUS_TAG] == "prior_bound"
    for run in cells.values():
        assert all(abs(value) < 1e300 for value in run.data.metrics.values())


def test_logging_again_adds_nothing(small: Path) -> None:
    log_sweep(small)
    before = {run.info.run_id: run.info.status for run in runs_of(small)}
    summary = log_sweep(small)
    assert (summary.logged, len(summary.already_there)) == ([], CELLS)
    assert {run.info.run_id: run.info.status for run in runs_of(small)} == before


def test_a_new_cell_joins_and_a_cell_run_again_keeps_its_run(small: Path) -> None:
    late = one_file(small, alpha=1.5, seed=1, source="projected_ppo")
    text = late.read_text()
    late.unlink()
    log_sweep(small)
    failed = one_file(small, status="failed")
    before = parent_and_cells(small)[1][failed.parent.name].info.run_id
    good = json.loads(one_file(small, alpha=10.0, seed=0, source="projected_ppo").read_text())
    failed.write_text(json.dumps(good | {"cell_id": failed.parent.name, "seed": 1}))
    late.write_text(text)
    summary = log_sweep(small)
    assert set(summary.logged) == {late.parent.name, failed.parent.name}
    parent, cells = parent_and_cells(small)
    again = cells[failed.parent.name]
    assert again.info.run_id == before
    assert again.info.status == "FINISHED"
    assert again.data.tags["sport_ray.reason"] == ""
    assert again.data.params["num_scenarios"] == "10000"
    assert parent.info.status == "FINISHED"


def test_a_broken_attempt_is_completed_in_its_own_run(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = MlflowClient.set_terminated, []

    def breaks_once(self: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise ConnectionError("gone")
        real(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "set_terminated", breaks_once)
    summary = log_sweep(small)
    assert len(summary.logged) == 2
    assert len(summary.failed) == CELLS - 2
    assert "gone" in next(iter(summary.failed.values()))
    assert len(calls) == 3  # the rest was not even tried
    again = log_sweep(small)
    assert (len(again.already_there), len(again.logged)) == (2, CELLS - 2)
    assert len(parent_and_cells(small)[1]) == CELLS


def test_cells_go_in_the_order_in_which_they_ended(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    real = Sweep.log_cell

    def watch(self: Sweep, record: dict[str, Any], results_dir: Path) -> None:
        ended.append(record["finished_at"])
        real(self, record, results_dir)

    monkeypatch.setattr(Sweep, "log_cell", watch)
    log_sweep(small)
    assert ended == sorted(ended)
    assert len(ended) == CELLS


def test_a_copy_of_the_results_is_the_same_sweep(make_results, small: Path) -> None:
    store = default_uri(small)
    log_sweep(small, store)
    copy = make_results(**SMALL, folder="copy")
    summary = log_sweep(copy, store)
    assert (summary.logged, len(summary.already_there)) == ([], CELLS)
    parent_and_cells(small)


def test_a_status_that_was_given_stays(small: Path) -> None:
    log_sweep(small, status="KILLED")
    assert parent_and_cells(small)[0].info.status == "KILLED"
    log_sweep(small)
    assert parent_and_cells(small)[0].info.status == "KILLED"


def test_a_sweep_that_died_is_killed_until_its_cells_are_there(small: Path) -> None:
    late = one_file(small, alpha=1.5, seed=1, source="projected_ppo")
    text = late.read_text()
    cells = [file.parent.name for file in small.glob("cells/*/record.json")]
    (small / "plan.json").write_text(json.dumps({"cells": cells, "jobs": []}))
    late.unlink()
    log_sweep(small)
    assert parent_and_cells(small)[0].info.status == "KILLED"
    late.write_text(text)
    log_sweep(small)
    assert parent_and_cells(small)[0].info.status == "FAILED"


def test_one_process_logs_a_folder_at_a_time(small: Path) -> None:
    lock = hold_logging(small)
    with pytest.raises(UserError, match=r"another process is logging .*results to MLflow"):
        hold_logging(small, wait=0.2)
    lock.release()
    assert len(log_sweep(small).logged) == CELLS


def test_a_cell_that_the_store_refuses_holds_up_no_other(make_results: Any) -> None:
    def strange(record: dict[str, Any]) -> dict[str, Any]:
        first = (record["source"], record["alpha"], record["seed"]) == ("projected_ppo", 1.0, 0)
        return record | {"hyperparameters": "l%r=1"} if first else record

    folder = make_results(change=strange, **SMALL)
    summary = log_sweep(folder)
    refused = one_file(folder, hyperparameters="l%r=1").parent.name
    assert set(summary.failed) == {refused}
    assert not summary.away
    assert len(summary.logged) == CELLS - 1
    assert parent_and_cells(folder)[0].info.status == "FAILED"


def test_a_deleted_experiment_is_a_user_error(small: Path) -> None:
    log_sweep(small)
    client = MlflowClient(default_uri(small))
    client.delete_experiment(client.get_experiment_by_name("quickstart").experiment_id)
    with pytest.raises(UserError, match="is deleted: restore it"):
        log_sweep(small)


def test_params_tell_kinds_apart_and_a_budget_is_not_unconstrained(make_kinds) -> None:
    folder = make_kinds(seeds=(0,), levels=(0.1,))
    log_sweep(folder)
    runs = {
        run.data.tags[CELL_TAG]: run
        for run in runs_of(folder, "kinds")
        if CELL_TAG in run.data.tags
    }
    names = set()
    for file in folder.glob("cells/*/record.json"):
        record = json.loads(file.read_text())
        run = runs[record["cell_id"]]
        names.add(run.info.run_name)
        params = run.data.params
        assert params["constraint"] == record["constraint"]
        for name in ("eps_max", "log_budget"):
            value = record[name]
            assert params.get(name) == (None if value is None else repr(value))
            assert name not in run.data.metrics
        free = not record["projected"]
        alpha = None if record["alpha"] is None else repr(record["alpha"])
        assert params.get("alpha") == ("unconstrained" if free else alpha)
    assert "pathwise budget, ε_max = 0.1 · s0 · PPO" in names
    assert "unconstrained · s0" in names
    assert len(names) == len(runs)


def test_a_run_whose_answer_was_lost_is_not_there_twice(small: Path) -> None:
    """The server made it, the client never knew and asked again: the older whole one stays."""
    log_sweep(small)
    parent, cells = parent_and_cells(small)
    client = MlflowClient(default_uri(small))
    experiment = parent.info.experiment_id
    for run in list(cells.values())[:2]:
        client.create_run(experiment, tags={CELL_TAG: run.data.tags[CELL_TAG]})
    double = client.create_run(experiment, tags={SWEEP_TAG: parent.data.tags[SWEEP_TAG]})
    below = next(iter(cells.values())).info.run_id
    client.set_tag(below, PARENT_TAG, double.info.run_id)
    assert log_sweep(small).logged == []
    again, kept = parent_and_cells(small)
    assert again.info.run_id == parent.info.run_id
    assert {run.data.tags[PARENT_TAG] for run in kept.values()} == {parent.info.run_id}
    assert {c: run.info.run_id for c, run in kept.items()} == {
        c: run.info.run_id for c, run in cells.items()
    }


def test_refuted_cells_and_their_sweep_are_tagged(make_results) -> None:
    """And no longer, once the cell has been run again and its promise holds."""
    from tests.tracking.conftest import write_cell
    from tests.tracking.results.test_refutation import windy

    folder = make_results(horizons=(21,), alphas=(1.0, 1.1), seeds=(0,), change=windy)
    log_sweep(folder)
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    runs = client.search_runs([experiment.experiment_id])
    tagged = [run for run in runs if run.data.tags.get("sport_ray.refuted") == "true"]
    assert len(tagged) == 2
    for run in tagged:
        assert "640 of 1,000" in run.data.tags["sport_ray.refutation"]
    [parent] = [run for run in tagged if "sport_ray.sweep_id" in run.data.tags]
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("**REFUTED")
    assert "certified risk" not in note
    certificate = json.loads((folder / "certificate.json").read_text())
    for file in folder.glob("cells/*/record.json"):
        record = json.loads(file.read_text())
        if record.get("num_violations") == 640:
            again = {"num_violations": 4, "num_hazard": 4}
            write_cell(folder, record | again, certificate)
    log_sweep(folder)
    runs = client.search_runs([experiment.experiment_id])
    assert not any("sport_ray.refuted" in run.data.tags for run in runs)
