"""The cells on paper: a row per setting, with every column that cells have."""

from __future__ import annotations

import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.report.printed import MOST, printed_rows
from sport_ray.tracking.report.rows import cell_rows
from sport_ray.tracking.results.statistics import aggregate


def test_a_setting_s_row_is_over_its_seeds(make_results) -> None:
    frame = load_results(make_results(seeds=tuple(range(6))))
    settings = aggregate(frame)
    cells = cell_rows(frame, settings)
    assert len(cells) > MOST
    rows = printed_rows(cells, settings)
    assert len(rows) == len(settings)
    for number, row in enumerate(rows):
        seeds = [one for one in cells if one["setting"] == number and one["status"] == "finished"]
        assert row["seeds"] == len(seeds)
        assert row["posterior_bound"] == max(one["posterior_bound"] for one in seeds)
        assert row["max_log_ratio"] == max(one["max_log_ratio"] for one in seeds)
        mean = sum(one["projected_share"] for one in seeds) / len(seeds)
        assert row["projected_share"] == pytest.approx(mean)
        assert row["log_budget"] is None
        assert row["promise"] in {one["promise"] for one in seeds}


def test_few_cells_are_printed_themselves(results) -> None:
    frame = load_results(results)
    settings = aggregate(frame)
    assert printed_rows(cell_rows(frame, settings), settings) == []
