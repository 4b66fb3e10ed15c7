"""Rows and choices of the report page."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.tracking import load_results, write_report
from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.report.chart import build_charts
from sport_ray.tracking.report.rows import (
    cell_rows,
    filter_choices,
    ids_by_setting,
    kind_class,
    without_repeats,
)
from sport_ray.tracking.results.statistics import aggregate
from tests.tracking.conftest import write_study


def test_a_level_at_which_the_same_settings_are_best_is_left_out(make_kinds) -> None:
    best = answer_study(aggregate(load_results(make_kinds())), None).best
    shown = without_repeats(best)
    assert {one.level for one in best} == {0.025, 0.05, 0.1, 1.0}
    assert {one.level for one in shown} == {0.025, 0.05, 0.1}
    assert all(one in best for one in shown)


def test_cells_know_their_setting_and_settings_their_finished_cells(results: Path) -> None:
    frame = load_results(results)
    settings = aggregate(frame)
    rows = cell_rows(frame, settings)
    for row in rows:
        setting = settings.loc[row["setting"]]
        assert (setting["source"], setting["horizon"]) == (row["source"], row["horizon"])
        assert row["alpha"] == setting["alpha"] or row["alpha"] is None
    ids = ids_by_setting(rows)
    assert sum(len(cells) for cells in ids.values()) == len(rows) - 1  # one cell failed
    assert all(settings.loc[number, "seeds"] == len(cells) for number, cells in ids.items())


def test_choices_are_what_the_study_has(results: Path) -> None:
    choices = filter_choices(load_results(results))
    assert [one["label"] for one in choices["kinds"]] == ["constant ratio", "unconstrained"]
    assert [one["value"] for one in choices["horizons"]] == [21, 30]
    assert choices["dashes"] == {21: 0, 30: 1}
    assert choices["parameters"] == [{"value": "", "label": "none"}]


def test_an_unknown_kind_has_a_class_that_is_no_injection() -> None:
    assert kind_class("pathwise") == "kind-5"
    assert kind_class('x" onclick="') == "kind-other"


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    def parameters(record: dict) -> dict:
        faster = record["mean_steps_to_goal"]
        text = "lr=0.0001" if record["seed"] == 0 else "lr=0.0002"
        return record | {"hyperparameters": text, "mean_steps_to_goal": faster, "seed": 0}

    return write_study(tmp_path, alphas=(1.0, 1.1, 1.25), horizons=(21,), change=parameters)


def test_training_parameters_are_series_and_a_choice_of_their_own(tuned: Path) -> None:
    for chart in build_charts(aggregate(load_results(tuned))):
        assert {line.parameters for line in chart.series} == {"lr=0.0001", "lr=0.0002"}
        for line in chart.series:
            assert line.path.count("L") <= 2  # three α at most, of one choice
    text = write_report(tuned).read_text()
    assert "<legend>Training parameters</legend>" in text
    assert text.count('data-parameters="lr=0.0001"') > 10
