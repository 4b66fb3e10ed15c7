"""The ladder as a table: rows, gaps that add up, and cells in which nothing was seen."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.conservativeness.ladder import LADDER, ladder_table
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import SETTING, rate_interval


def ladder_of(folder: Path) -> pd.DataFrame:
    return ladder_table(load_results(folder), read_results(folder).certificate)


def rungs(ladder: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for name, value in wanted.items():
        ladder = ladder[ladder[name] == value]
    return ladder.set_index("rung")


def test_a_row_per_finished_cell_and_rung_with_documented_columns(results: Path) -> None:
    ladder = ladder_of(results)
    assert list(ladder.columns) == [*SETTING, *LADDER]
    assert ladder["cell_id"].nunique() == 51  # one of 52 failed
    cell = ladder[ladder["cell_id"] == ladder["cell_id"].iloc[0]]
    assert list(cell["rung"]) == ["ratio", "gauss_renyi", "off_policy", "posterior", "empirical"]
    free = ladder[~ladder["projected"].astype(bool)]
    assert set(free["rung"]) == {"posterior", "empirical"}
    assert not free["stated"].any()


def test_gaps_add_up_to_the_whole(make_kinds) -> None:
    folder = make_kinds(change=lambda r: r | {"off_policy_bound": 0.2})
    ladder = ladder_of(folder)
    for _, cell in ladder.groupby("cell_id"):
        assert cell["gap_to_next"].iloc[:-1].sum() == pytest.approx(
            cell["log10"].iloc[0] - cell["log10"].iloc[-1], abs=1e-12
        )
        assert list(cell["next_rung"].iloc[:-1]) == list(cell["rung"].iloc[1:])
        assert cell["stated"].sum() == cell["projected"].iloc[0]


def test_numbers_are_those_of_the_record(results: Path) -> None:
    frame = load_results(results)
    row = frame[(frame["alpha"] == 1.25) & (frame["horizon"] == 21)].iloc[0]
    cell = rungs(ladder_of(results), cell_id=row["cell_id"])
    assert cell.loc["ratio", "bound"] == row["prior_bound"]
    assert cell.loc["posterior", "bound"] == row["posterior_bound"]
    assert cell.loc["empirical", "bound"] == row["empirical_violation_rate"]
    low, high = rate_interval(row["num_scenarios"], row["num_violations"])
    assert (cell.loc["empirical", "low"], cell.loc["empirical", "high"]) == (low, high)
    gap = math.log10(row["prior_bound"] / row["empirical_violation_rate"])
    assert cell.loc["ratio", "gap_to_rate"] == pytest.approx(gap, abs=1e-12)
    assert cell.loc["ratio", "gap_to_rate_at_least"] < gap
    assert "together" in cell.loc["ratio", "confidence"]
    assert "on its own" in cell.loc["posterior", "confidence"]


def test_without_a_violation_there_is_no_gap_to_the_rate_but_a_least_one(make_results) -> None:
    none = {"num_violations": 0, "num_hazard": 0, "num_timeout": 0, "empirical_violation_rate": 0.0}
    ladder = ladder_of(make_results(change=lambda r: r | none if r["alpha"] == 1.1 else r))
    cell = rungs(ladder, cell_id=ladder.loc[ladder["alpha"] == 1.1, "cell_id"].iloc[0])
    assert cell.loc["empirical", "log10"] == -math.inf
    assert cell.loc["empirical", "note"] == "none in 10000 scenarios"
    assert np.isnan(cell.loc["ratio", "gap_to_rate"])
    assert np.isnan(cell.loc["posterior", "gap_to_next"])
    high = 1 - 0.025 ** (1 / 10_000)
    expected = cell.loc["ratio", "log10"] - math.log10(high)
    assert cell.loc["ratio", "gap_to_rate_at_least"] == pytest.approx(expected, abs=1e-9)


def test_an_off_policy_bound_that_was_refused_says_why_and_is_stepped_over(make_results) -> None:
    def refused(record: dict) -> dict:
        reason = "effective sample size 3 is below 100" if record["alpha"] == 10.0 else None
        bound = None if reason else 0.3
        return record | {"off_policy_bound": bound, "off_policy_refusal": reason}

    ladder = ladder_of(make_results(change=refused))
    far = rungs(ladder, cell_id=ladder.loc[ladder["alpha"] == 10.0, "cell_id"].iloc[0])
    assert far.loc["off_policy", "note"] == "effective sample size 3 is below 100"
    assert np.isnan(far.loc["off_policy", "log10"])
    assert far.loc["gauss_renyi", "next_rung"] == "posterior"
    near = rungs(ladder, cell_id=ladder.loc[ladder["alpha"] == 1.1, "cell_id"].iloc[0])
    assert near.loc["gauss_renyi", "next_rung"] == "off_policy"
    assert ladder_of_not_asked(make_results) == {"not asked for"}


def ladder_of_not_asked(make_results) -> set[str]:
    ladder = ladder_of(make_results(folder="without"))
    return set(ladder.loc[ladder["rung"] == "off_policy", "note"])


def test_a_bound_of_one_or_more_is_marked(results: Path) -> None:
    ladder = ladder_of(results)
    stated = ladder[ladder["stated"]]
    assert (stated["vacuous"] == (stated["bound"] >= 1)).all()
    assert stated["vacuous"].any()
    assert not stated["vacuous"].all()
    assert not ladder.loc[ladder["rung"] == "empirical", "vacuous"].any()
