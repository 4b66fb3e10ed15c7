"""What training cost: per setting, with and without a promise, and drawn over its course."""

from __future__ import annotations

import json

import pytest

from sport_ray.bounds import anytime_violations_bound
from sport_ray.errors import UserError
from sport_ray.tracking.analysis.training_cost import training_table
from sport_ray.tracking.figures.training import draw_training
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.table import load_results
from tests.tracking.conftest import write_sources


def promised(record):
    """A run of 100 episodes at a risk of 0.1, of the paper's algorithm alone."""
    if record["source"] != "projected_ppo" or not record["projected"]:
        return record
    return record | {
        "train_risk": 0.1,
        "train_episodes_most": 500,
        "train_episodes_begun": 100,
        "train_violations_expected": 10.0,
        "train_violations_bound": anytime_violations_bound(0.1, 100, 1e-3),
        "train_violations_beta": 1e-3,
    }


def test_each_setting_has_its_promise_its_bound_and_its_count(tmp_path):
    table = training_table(load_results(write_sources(tmp_path, promised)))
    made = table[table["risk"].notna()]
    assert len(made) == 3  # one per α
    for row in made.to_dict("records"):
        assert (row["runs"], row["episodes"], row["expected"]) == (3, 300, 30.0)
        assert (row["worst"], row["counted"], row["held"]) == (9, 7 + 8 + 9, True)
        assert row["bound"] == anytime_violations_bound(0.1, 100, 1e-3)
    free = table[table["risk"].isna()]
    assert len(free) == 3  # unconstrained, scpo and presa as they are; imported trained nothing
    assert free["held"].isna().all()
    assert (free["counted"] == 24).all()


def test_a_run_beyond_its_bound_is_told(tmp_path):
    def beyond(record):
        return promised(record) | ({"train_violations": 60} if record["seed"] == 1 else {})

    table = training_table(load_results(write_sources(tmp_path, beyond)))
    assert not table.loc[table["risk"].notna(), "held"].any()


def test_a_run_whose_bound_is_one_has_no_promise(tmp_path):
    def empty(record):
        made = promised(record)
        more = (
            {"train_risk": 1.0, "train_violations_expected": 100.0} if "train_risk" in made else {}
        )
        return made | more

    table = training_table(load_results(write_sources(tmp_path, empty)))
    rows = table[table["risk"] == 1.0]
    assert len(rows) == 3
    assert rows[["expected", "bound", "held"]].isna().all(axis=None)
    assert (rows["counted"] == 24).all()


def test_the_course_of_training_is_drawn(tmp_path):
    path = write_sources(tmp_path, promised)
    frame, out = load_results(path), tmp_path / "figures"
    assert draw_training(frame, path, out) is None  # none left its curves
    cells = frame.loc[frame["train_risk"].notna(), "cell_id"]
    for cell in cells:
        curves = {
            "iteration": [1, 2], "env_steps": [800, 2_000],
            "episodes_begun": [40, 100], "violations": [2, 7],
        }  # fmt: skip
        ResultFolder(path).training(cell).write_text(json.dumps(curves))
    drawn = draw_training(frame, path, out)
    assert drawn is not None
    assert "expected at most" in (out / "training.svg").read_text()
    ResultFolder(path).training(cells.iloc[0]).write_text(
        json.dumps(curves | {"violations": [0.5, 1]})
    )
    with pytest.raises(UserError, match=r"training\.json: has violations = 0\.5, expected a count"):
        draw_training(frame, path, out)
