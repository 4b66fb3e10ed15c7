"""Training parameters in results: settings that differ in them alone stay apart everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.pareto import candidates
from sport_ray.tracking.analysis.speedup import speedup_table
from sport_ray.tracking.figures.risk import draw_risk
from sport_ray.tracking.mlflow.identity import params_of
from sport_ray.tracking.mlflow.names import run_name
from sport_ray.tracking.results.labels import point_text, setting_text
from sport_ray.tracking.results.parameters import order_of, parameters_of, parts_of
from sport_ray.tracking.results.record import COLUMN_NAMES
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate


def test_reading_them():
    assert parameters_of("gamma=0.9, gradient=paper") == {"gamma": "0.9", "gradient": "paper"}
    assert parameters_of(None) == parameters_of("") == parameters_of(float("nan")) == {}
    texts = ["lr=0.0001", "lr=5e-05", "lr=0.002", "gamma=0.9, lr=0.0001"]
    assert sorted(texts, key=order_of) == [texts[3], texts[1], texts[0], texts[2]]


def test_parts_are_by_horizon_and_parameters():
    table = pd.DataFrame(
        {
            "horizon": [27, 21, 21, 21, 21],
            "hyperparameters": [None, "lr=1, warmup_env_steps=0", "lr=1", "lr=2", None],
        }
    )
    parts = parts_of(table)
    assert [part.title for part in parts] == [
        "T = 21 steps, lr=1, warmup_env_steps=0",
        "T = 21 steps, lr=2",
        "T = 27 steps",
    ]
    # What has only some of the parameters stands beside all that share them.
    assert [list(part.of(table).index) for part in parts] == [[1, 2, 4], [3, 4], [0]]
    assert [part.suffix for part in parts] == [", lr=1, warmup_env_steps=0", ", lr=2", ""]


@pytest.fixture
def twice(make_kinds) -> Path:
    """Results in which every cell stands twice: lr=0.0001, and lr=5e-05 with one step more."""
    folder = make_kinds(
        kinds=("ratio", "pathwise"), change=lambda record: record | {"hyperparameters": "lr=0.0001"}
    )
    for file in sorted(folder.glob("cells/*/record.json")):
        record = json.loads(file.read_text())
        other = record | {
            "cell_id": record["cell_id"][::-1],
            "hyperparameters": "lr=5e-05",
            "mean_steps_to_goal": record["mean_steps_to_goal"] + 1,
        }
        path = folder / "cells" / other["cell_id"] / "record.json"
        path.parent.mkdir()
        path.write_text(json.dumps(other))
    return folder


def test_settings_that_differ_in_them_alone_stay_apart(twice):
    frame = load_results(twice)
    settings = aggregate(frame)
    assert len(frame) == 2 * 3 * len(settings) / 2
    assert (settings["seeds"] == 3).all()
    assert settings["hyperparameters"].value_counts().nunique() == 1
    slow = settings[settings["hyperparameters"] == "lr=5e-05"]["mean_steps_to_goal"].to_numpy()
    fast = settings[settings["hyperparameters"] == "lr=0.0001"]["mean_steps_to_goal"].to_numpy()
    assert slow == pytest.approx(fast + 1)
    # Sorted as numbers, which as text would come the other way round.
    first = settings.iloc[:2]["hyperparameters"].tolist()
    assert first == ["lr=5e-05", "lr=0.0001"]
    labels = [setting_text(row) for _, row in settings.iterrows()]
    assert len(set(labels)) == len(labels)
    assert labels[0].endswith(", lr=5e-05")
    points = [point_text(row, False) for _, row in settings.iterrows()]
    assert all(point.endswith(("lr=5e-05", "lr=0.0001")) for point in points)
    chosen = candidates(settings, "prior_bound")
    assert set(chosen["hyperparameters"]) == {"lr=5e-05", "lr=0.0001"}


def test_figures_have_a_panel_for_each(twice, tmp_path):
    frame = load_results(twice)
    drawn = draw_risk(aggregate(frame), frame, tmp_path)
    assert drawn is not None
    for title in ("T = 21 steps, lr=5e-05", "T = 21 steps, lr=0.0001"):
        assert title in drawn.svg


def test_speed_up_compares_like_with_like(twice):
    table = speedup_table(read_results(twice), load_results(twice))
    kinds = table["kind"].tolist()
    assert len(table) == len(table.drop_duplicates(["eps_max", "kind"]))
    assert {kind.rpartition(", ")[2] for kind in kinds} == {"lr=5e-05", "lr=0.0001"}
    assert (table["seeds"].dropna() == 3).all()


def test_what_mlflow_is_told():
    record = dict.fromkeys(COLUMN_NAMES) | {
        "source": "projected_ppo", "projected": True, "constraint": "ratio", "alpha": 1.5,
        "horizon": 21, "seed": 0,
    }  # fmt: skip
    assert run_name(record) == "α = 1.5 · T 21 · s0 · PPO"
    record["hyperparameters"] = "gamma=0.9, lr=0.0001"
    params = params_of(record, {"lr": 5e-05, "clip": 0.2, "seed": 3})
    assert (params["gamma"], params["lr"], params["clip"]) == ("0.9", "0.0001", "0.2")
    assert (params["seed"], params["projected_ppo.seed"]) == ("0", "3")
    assert run_name(record) == "α = 1.5 · T 21 · gamma 0.9 · lr 0.0001 · s0 · PPO"
