"""Bands over seeds: medians and ranges, a training that serves several settings shown once."""

from __future__ import annotations

import json

import numpy as np

from sport_ray.tracking.analysis.learning import learning_of
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import load_results
from tests.tracking.conftest import write_sources, write_study
from tests.tracking.learning_files import write_curves


def learned(path, most=40):
    frame = load_results(path)
    settings = aggregate(frame)
    return learning_of(ResultFolder(path), frame, settings, most), frame, settings


def test_without_curves_there_is_nothing(tmp_path):
    found, *_ = learned(write_study(tmp_path))
    assert (found.settings, found.problems) == ((), ())


def test_a_band_is_the_seeds_median_and_range(tmp_path):
    path = write_study(tmp_path)
    write_curves(path)
    found, frame, _ = learned(path)
    assert found.settings
    for one in found.settings:
        assert one.seeds in (1, 2)  # one cell failed
        assert len(one.env_steps) == 30
        for band in one.bands.values():
            assert (band.low <= band.median).all()
            assert (band.median <= band.high).all()
    first = found.settings[0]
    cells = frame[(frame["status"] == "finished")].head(2)["cell_id"]
    seeds = [json.loads((path / "cells" / cell / "training.json").read_text()) for cell in cells]
    here = [np.interp(first.env_steps, one["env_steps"], one["mean_return"]) for one in seeds]
    np.testing.assert_allclose(first.bands["mean_return"].low, np.min(here, axis=0))
    np.testing.assert_allclose(first.bands["mean_return"].median, np.mean(here, axis=0))


def test_curves_have_as_many_places_as_are_asked_for(tmp_path):
    path = write_study(tmp_path)
    write_curves(path)
    found, *_ = learned(path, most=7)
    assert {len(one.env_steps) for one in found.settings} == {7}


def test_what_a_source_does_not_measure_has_no_band(tmp_path):
    path = write_study(tmp_path)
    write_curves(path)
    found, _, settings = learned(path)
    for one in found.settings:
        projected = settings.loc[one.settings[0], "projected"]
        assert ("kl_to_base" in one.bands) == projected
        assert "budget_left" not in one.bands


def test_a_policy_that_serves_several_settings_was_trained_once(tmp_path):
    path = write_sources(
        tmp_path, lambda record: record | {"policy_digest": f"{record['source']}{record['seed']}"}
    )
    write_curves(path)
    found, _, settings = learned(path)
    trained = [one.settings for one in found.settings]
    assert len({place for one in trained for place in one}) == sum(map(len, trained))
    assert any(len(one) > 1 for one in trained)
    assert len(trained) == settings["source"].drop(index=settings.index[
        settings["source"] == "imported"]).nunique()  # fmt: skip


def test_a_damaged_file_is_named_and_left_out(tmp_path):
    path = write_study(tmp_path)
    count = write_curves(path)
    one = next(path.glob("cells/*/training.json"))
    one.write_text("{}")
    found, *_ = learned(path)
    [problem] = found.problems
    assert problem.startswith(f"damaged file cells/{one.parent.name}/training.json: has no columns")
    assert sum(one.seeds for one in found.settings) == count - 1
