"""The comparison of sources: every number against the cells it comes from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.task_policies import (
    MEANINGS,
    count_text,
    task_policy_table,
)
from sport_ray.tracking.results.csv_text import write_csv_if_any
from sport_ray.tracking.results.intervals import estimate, within_unit
from sport_ray.tracking.results.statistics import aggregate
from tests.tracking.conftest import fail


def table_of(folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = load_results(folder)
    return frame, task_policy_table(frame, aggregate(frame))


def test_one_row_per_setting_source_by_source_as_it_is_first(make_sources) -> None:
    _, table = table_of(make_sources())
    assert list(table.columns) == list(MEANINGS)
    assert len(table) == 3 + 4 * 4
    assert list(dict.fromkeys(table["source"])) == [
        "projected_ppo", "unconstrained", "scpo", "presa", "imported",
    ]  # fmt: skip
    for source, rows in table.groupby("source"):
        ways = list(dict.fromkeys(rows["projection"]))
        expected = ["no", "at deployment"]
        assert ways == (
            ["in training and at deployment"] if source == "projected_ppo" else expected
        )
    assert table.loc[~table["projected"].astype(bool), "prior_bound"].isna().all()


def test_numbers_are_those_of_the_cells(make_sources) -> None:
    frame, table = table_of(make_sources())
    cells = frame[(frame["source"] == "scpo") & (frame["alpha"] == 1.5)]
    [row] = table[(table["source"] == "scpo") & (table["alpha"] == 1.5)].to_dict("records")
    assert row["name"] == "SCPO, projected"
    rates = cells["empirical_violation_rate"]
    assert row["rate"] == pytest.approx(rates.mean())
    expected = within_unit(estimate(rates))
    assert (row["rate_low"], row["rate_high"]) == (expected.low, expected.high)
    worst = cells.loc[rates.idxmax()]
    assert row["worst_rate"] == rates.max()
    exact = binomtest(int(worst["num_violations"]), int(worst["num_scenarios"]))
    interval = exact.proportion_ci(0.95, method="exact")
    assert row["worst_rate_low"] == pytest.approx(interval.low, rel=1e-6)
    assert row["worst_rate_high"] == pytest.approx(interval.high, rel=1e-6)
    assert row["posterior_bound"] == cells["posterior_bound"].max()
    assert row["prior_bound"] == cells["prior_bound"].max()
    assert row["value"] == pytest.approx(cells["mean_steps_to_goal"].mean())
    assert (row["train_env_steps"], row["seeds"]) == (4_000, 3)
    assert row["train_violations"] == pytest.approx(8)
    assert row["train_episodes"] == pytest.approx(80)
    assert row["train_seconds"] == pytest.approx(41.5)


def test_what_nobody_counted_is_empty(make_sources) -> None:
    _, table = table_of(make_sources())
    imported = table[table["source"] == "imported"]
    assert imported["train_violations"].isna().all()
    assert (imported["train_env_steps"] == 0).all()


def test_failed_seeds_are_counted_and_in_no_number(make_sources) -> None:
    def fail_one(record: dict) -> dict:
        lost = record["source"] == "presa" and record["seed"] == 2
        return fail(record, "UserError: no data") if lost else record

    _, table = table_of(make_sources(change=fail_one))
    presa = table[table["source"] == "presa"]
    assert set(presa["seeds"]) == {2}
    assert set(presa["failed_seeds"]) == {1}
    assert presa["rate_low"].notna().all()
    assert presa["worst_rate_high"].notna().all()


def test_ppo_alone_is_nothing_to_compare(make_results, tmp_path) -> None:
    _, table = table_of(make_results())
    assert table.empty
    path = tmp_path / "task_policies.csv"
    path.write_text("old")
    assert write_csv_if_any(table, path) is None
    assert not path.exists()


def test_the_csv_reads_back(make_sources, tmp_path) -> None:
    _, table = table_of(make_sources())
    path = write_csv_if_any(table, tmp_path / "task_policies.csv")
    again = pd.read_csv(path)
    assert list(again.columns) == list(MEANINGS)
    np.testing.assert_array_equal(again["rate"], table["rate"].to_numpy(float))


def test_counts_as_people_read_them() -> None:
    shown = [count_text(value) for value in (None, float("nan"), 0.0, 7.5, 80.0, 120_000.4)]
    assert shown == ["–", "–", "0", "7.5", "80", "120,000"]
