"""Two studies: which settings are alike, by how much they differ, and what is said beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from tracking.compare import Comparison, compare_studies, difference, write_compare_csv
from tracking.compare_table import print_comparison
from tracking.records import read_results


def compared(first: Path, second: Path) -> Comparison:
    return compare_studies(read_results(first), read_results(second))


def faster(record: dict) -> dict:
    if record["mean_steps_to_goal"] is None:
        return record
    return record | {
        "mean_steps_to_goal": record["mean_steps_to_goal"] - 0.5 - 0.1 * record["seed"]
    }


def printed(comparison: Comparison) -> str:
    console = Console(width=100, record=True)
    print_comparison(console, comparison, "one", "two")
    return console.export_text()


def test_seeds_that_both_have_are_paired(make_results) -> None:
    seeds = (0, 1, 2)
    first = make_results(seeds=seeds, folder="first")
    second = make_results(seeds=seeds, folder="second", change=faster)
    found = compared(first, second)
    assert len(found.table) == 26
    assert found.warning is None and not found.only_first and not found.only_second
    row = found.table.iloc[0]
    assert row["pairing"] == "paired by 3 seeds"
    assert row["performance"] == "steps to the goal"
    # Every seed gained 0.5, 0.6 and 0.7 steps: the spread between seeds cancels.
    assert row["performance_difference"] == pytest.approx(-0.6)
    assert (row["performance_low"], row["performance_high"]) == pytest.approx((-0.7, -0.5))
    assert row["rate_difference"] == row["rate_low"] == row["rate_high"] == 0.0
    overall = found.overall.set_index("method").loc["projected_ppo"]
    assert overall["settings"] == 12
    assert overall["performance"] == pytest.approx(-0.6, abs=0.01)
    assert overall["performance_low"] >= -0.7 and overall["performance_high"] <= -0.5
    assert "∗" in printed(found)


def test_other_seeds_are_compared_unpaired(make_results) -> None:
    first = make_results(seeds=(0, 1, 2), horizons=(21,), folder="first")
    second = make_results(seeds=(3, 4, 5), horizons=(21,), folder="second")
    found = compared(first, second)
    assert set(found.table["pairing"]) == {"unpaired, 3 and 3 seeds"}
    assert found.table["performance_low"].notna().all()
    assert found.overall.empty
    row = found.table.iloc[0]
    assert row["performance_difference"] == pytest.approx(
        row["performance_b"] - row["performance_a"], abs=1e-12
    )


def test_two_seeds_have_a_difference_and_no_interval(make_results) -> None:
    found = compared(make_results(folder="first"), make_results(folder="second", change=faster))
    assert found.table["performance_low"].isna().all()
    full = found.table[(found.table["seeds_a"] == 2) & (found.table["seeds_b"] == 2)]
    assert set(full["pairing"]) == {"no interval: 2 and 2 seeds, fewer than 3"}
    assert full["performance_difference"].to_numpy() == pytest.approx(-0.55)
    assert "fewer than 3" in printed(found)


def test_settings_of_one_study_alone_are_named(make_results) -> None:
    first = make_results(alphas=(1.0, 1.1), horizons=(21,), folder="first")
    second = make_results(alphas=(1.0, 1.5), horizons=(21,), folder="second")
    found = compared(first, second)
    assert found.only_first == ("PPO, α = 1.1, T = 21", "at deployment, α = 1.1, T = 21")
    assert found.only_second == ("PPO, α = 1.5, T = 21", "at deployment, α = 1.5, T = 21")
    assert "Only in two: PPO, α = 1.5" in printed(found)


def test_what_was_derived_from_a_risk_is_matched_by_the_risk(make_kinds, tmp_path: Path) -> None:
    first = make_kinds()
    (tmp_path / "b").mkdir()

    def tighter(record: dict) -> dict:
        derived = record["eps_max"] is not None and record["alpha"] is not None
        return record | ({"alpha": record["alpha"] * 1.01} if derived else {})

    from tests.tracking.conftest import write_kinds

    found = compared(first, write_kinds(tmp_path / "b", tighter))
    assert not found.only_first and not found.only_second
    derived = found.table[found.table["eps_max"].notna() & found.table["alpha_a"].notna()]
    assert (derived["alpha_b"] / derived["alpha_a"]).to_numpy() == pytest.approx(1.01)
    assert set(found.table["performance"]) == {"task steps"}


def test_parameters_that_differ_are_listed_and_another_base_is_warned_of(make_results) -> None:
    first = make_results(folder="first")
    second = make_results(folder="second", name="other")
    study = json.loads((second / "study.json").read_text())
    (second / "study.json").write_text(json.dumps(study | {"training": {"lr": 0.1}}))
    certificate = json.loads((second / "certificate.json").read_text())
    changed = certificate | {"base_digest": "f" * 64, "property": "G !hazard"}
    (second / "certificate.json").write_text(json.dumps(changed))
    found = compared(first, second)
    names = {name: (a, b) for name, a, b in found.parameters}
    assert names["training.lr"] == ("–", "0.1")
    assert names["certificate: property"] == ("(!hazard) U goal", "G !hazard")
    assert "certificate: base_digest" in names
    assert found.warning is not None
    assert "different base policies and properties" in found.warning
    assert printed(found).startswith("The studies have different base policies and properties")


def test_pairs_are_told_from_strangers() -> None:
    rng = np.random.default_rng(0)
    level = rng.normal(0, 5, 6)
    first, second = level, level + 1 + 0.1 * rng.normal(size=6)
    pairs = difference(first, second, paired=True)
    strangers = difference(first, second, paired=False)
    assert pairs.value == pytest.approx(strangers.value)
    assert 0.8 < pairs.low < pairs.high < 1.2
    assert strangers.low < 0 < strangers.high


def test_the_table_is_written_whole(make_results, tmp_path: Path) -> None:
    found = compared(make_results(folder="first"), make_results(folder="second"))
    again = pd.read_csv(write_compare_csv(found, tmp_path / "x" / "compare.csv"))
    assert len(again) == len(found.table)
    assert (again["performance_difference"].fillna(0) == 0).all()
