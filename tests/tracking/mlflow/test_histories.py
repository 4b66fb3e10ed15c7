"""Learning curves in MLflow: over environment steps, bounded, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.tracking import log_sweep
from sport_ray.tracking.mlflow.client import default_uri
from sport_ray.tracking.mlflow.histories import HISTORIES, POINTS, PREFIX, histories
from sport_ray.tracking.mlflow.metrics import METRICS
from sport_ray.tracking.results.curves import MOST, Curves
from sport_ray.tracking.results.folder import ResultFolder
from tests.tracking.mlflow.test_log import names_of, one_file, parent_and_cells

SMALL: dict[str, Any] = {"alphas": (1.0, 1.1), "horizons": (21,), "seeds": (0,)}
RETURNS = [None, *(0.5 * i for i in range(1, 10))]
CURVES = {
    "iteration": list(range(1, 11)),
    "env_steps": [100 * i for i in range(1, 11)],
    "mean_return": RETURNS,
    "violations": list(range(10)),
}


@pytest.fixture
def folder(make_results: Any) -> Path:
    made: Path = make_results(**SMALL)
    for file in made.glob("cells/*/record.json"):
        ResultFolder(made).training(file.parent.name).write_text(json.dumps(CURVES))
    return made


def rows(folder: Path, run: Any, name: str) -> list[tuple[int, float]]:
    found = MlflowClient(default_uri(folder)).get_metric_history(run.info.run_id, PREFIX + name)
    return sorted((one.step, one.value) for one in found)


def test_every_point_is_there_once_however_often_it_is_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(MlflowClient, "set_terminated", breaks)  # after the curves were sent
        assert log_sweep(folder).failed
    log_sweep(folder)
    _, cells = parent_and_cells(folder)
    for run in cells.values():
        returns = rows(folder, run, "mean_return")
        assert returns == [(100 * (i + 1), RETURNS[i]) for i in range(1, 10)]
        assert rows(folder, run, "violations")[-1] == (1000, 9.0)
        assert not rows(folder, run, "entropy")
        assert run.data.metrics[PREFIX + "mean_return"] == RETURNS[-1]
        assert names_of(folder, run) == ["record.json", "training.json"]
        assert run.data.metrics["mean_steps_to_goal"] > 0


def test_a_damaged_file_costs_its_curves_and_nothing_else(folder: Path) -> None:
    cell = one_file(folder, alpha=1.1, source="projected_ppo").parent.name
    ResultFolder(folder).training(cell).write_text("{")
    assert log_sweep(folder).failed == {}
    run = parent_and_cells(folder)[1][cell]
    assert run.data.tags["sport_ray.curves"] == "damaged when the cell was logged"
    assert run.data.metrics["num_violations"] >= 0
    assert rows(folder, run, "mean_return") == []


def test_long_curves_are_thinned_to_their_end() -> None:
    columns: dict[str, list[float]] = {name: [*range(MOST)] for name in ("iteration", "env_steps")}
    measured: dict[str, list[float]] = {
        name: [0.5] * MOST for name in HISTORIES if name != "episodes_begun"
    }
    measured["violations"] = [*range(MOST)]
    found = histories(Curves.from_json(columns | measured), 1_000, 2_000)
    returns = [one for one in found if one.key == f"{PREFIX}mean_return"]
    assert len(returns) == POINTS
    assert (returns[-1].step, returns[-1].timestamp) == (MOST - 1, 2_000)
    assert len(found) <= 1_000  # MLflow refuses larger batches
    assert not {one.key for one in found} & METRICS.keys()
