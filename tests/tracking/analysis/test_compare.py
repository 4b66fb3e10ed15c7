"""Two studies: which settings are alike, by how much they differ, and what is said beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import ttest_ind

from sport_ray.errors import UserError
from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.compare import (
    Comparison,
    compare_studies,
    difference,
)
from sport_ray.tracking.analysis.compare_table import print_comparison
from sport_ray.tracking.results.csv_text import write_csv
from sport_ray.tracking.results.records import read_results
from tests.tracking.conftest import change_certificate, write_kinds


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
    assert found.warning is None
    assert not found.only_first
    assert not found.only_second
    row = found.table.iloc[0]
    assert row["pairing"] == "paired by 3 seeds"
    assert row["performance"] == "steps to the goal"
    # Every seed gained 0.5, 0.6 and 0.7 steps: the spread between seeds cancels.
    assert row["performance_difference"] == pytest.approx(-0.6)
    half = 4.302653 * 0.1 / 3**0.5
    expected = (-0.6 - half, -0.6 + half)
    assert (row["performance_low"], row["performance_high"]) == pytest.approx(expected)
    assert row["rate_difference"] == row["rate_low"] == row["rate_high"] == 0.0


def test_one_number_and_a_verdict(make_results) -> None:
    seeds = (0, 1, 2)
    first = make_results(seeds=seeds, folder="first", name="plain")
    second = make_results(seeds=seeds, folder="second", name="quick", change=faster)
    found = compared(first, second)
    assert found.difference.value == pytest.approx(-0.6, abs=0.02)
    assert found.verdict == f"quick is faster by {-found.difference.value:.3g} steps."
    frames = [load_results(folder) for folder in (first, second)]
    asked = [f[f["alpha"].notna() & (f["alpha"] > 1) & (f["status"] == "finished")] for f in frames]
    # One number a seed, its mean over the settings that all have (one cell failed in both).
    lost = [(f["alpha"] == 10) & (f["horizon"] == 30) & (f["source"] == "projected_ppo")
            for f in asked]  # fmt: skip
    a, b = (
        f[~gone].groupby("seed")["mean_steps_to_goal"].mean()
        for f, gone in zip(asked, lost, strict=True)
    )
    welch = ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert found.difference[1:] == pytest.approx((welch.low, welch.high))
    assert "over 19 settings that both have, quick minus plain" in found.estimand
    assert printed(found).startswith("quick is faster by 0.6")
    other_way = compared(second, first)
    assert other_way.verdict == found.verdict


def test_no_difference_is_said_in_words(make_results) -> None:
    seeds = (0, 1, 2)
    first = make_results(seeds=seeds, horizons=(21,), folder="first", name="one")
    second = make_results(seeds=(3, 4, 5), horizons=(21,), folder="second", name="two")
    found = compared(first, second)
    assert found.verdict == "No difference can be shown."
    assert found.difference.low < 0 < found.difference.high


def test_unlike_things_are_not_compared(make_results, tmp_path: Path) -> None:
    first = make_results(folder="first", name="one")
    second = make_results(folder="second", name="two")
    certificate = json.loads((second / "certificate.json").read_text())
    for change, named in (
        ({"property": "G !hazard"}, r'property \("\(!hazard\) U goal" and "G !hazard"\)'),
        ({"env_id": "other/Env-v0"}, "environment"),
        ({"env_kwargs": {"layout": "random"}}, "environment arguments"),
        ({"base_digest": "f" * 64}, "different base policies"),
    ):
        change_certificate(second, **certificate | change)
        with pytest.raises(UserError, match=named):
            compared(first, second)
    change_certificate(second, **certificate)
    study = json.loads((second / "study.json").read_text())
    moved = study | {"deployment": {"alpha_p": 1.01}}
    (second / "study.json").write_text(json.dumps(moved))
    with pytest.raises(UserError, match="world of deployment"):
        compared(first, second)


def test_other_bases_are_compared_at_equal_certified_risk(make_kinds, tmp_path: Path) -> None:
    first = make_kinds()
    (tmp_path / "b").mkdir()
    second = write_kinds(tmp_path / "b")
    change_certificate(second, base_digest="f" * 64)
    found = compared(first, second)
    assert "at equal certified risk, over 16 settings" in found.estimand
    assert found.warning is not None
    assert "different base policies" in found.warning


def test_other_seeds_are_compared_unpaired(make_results) -> None:
    first = make_results(seeds=(0, 1, 2), horizons=(21,), folder="first")
    second = make_results(seeds=(3, 4, 5), horizons=(21,), folder="second")
    found = compared(first, second)
    assert set(found.table["pairing"]) == {"unpaired, 3 and 3 seeds"}
    assert found.table["performance_low"].notna().all()
    row = found.table.iloc[0]
    assert row["performance_difference"] == pytest.approx(
        row["performance_b"] - row["performance_a"], abs=1e-12
    )


def test_one_seed_has_a_difference_and_no_interval(make_results) -> None:
    first = make_results(folder="first", seeds=(0,))
    found = compared(first, make_results(folder="second", seeds=(0,), change=faster))
    assert found.table["performance_low"].isna().all()
    assert set(found.table["pairing"]) == {"no interval: 1 and 1 seeds, fewer than 2"}
    assert found.table["performance_difference"].to_numpy() == pytest.approx(-0.5)
    assert found.verdict.startswith("Nothing can be said of other seeds: 1 and 1 seeds")
    assert "no interval" in printed(found)


def test_settings_of_one_study_alone_are_named(make_results) -> None:
    first = make_results(alphas=(1.0, 1.1, 1.25), horizons=(21,), folder="first")
    second = make_results(alphas=(1.0, 1.25, 1.5), horizons=(21,), folder="second")
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

    found = compared(first, write_kinds(tmp_path / "b", tighter))
    assert not found.only_first
    assert not found.only_second
    derived = found.table[found.table["eps_max"].notna() & found.table["alpha_a"].notna()]
    assert (derived["alpha_b"] / derived["alpha_a"]).to_numpy() == pytest.approx(1.01)
    assert set(found.table["performance"]) == {"task steps"}


def test_parameters_that_differ_are_listed(make_results) -> None:
    first = make_results(folder="first")
    second = make_results(folder="second", name="other")
    study = json.loads((second / "study.json").read_text())
    (second / "study.json").write_text(json.dumps(study | {"training": {"lr": 0.1}}))
    change_certificate(second, root_seed=8)
    found = compared(first, second)
    names = {name: (a, b) for name, a, b in found.parameters}
    assert names["training.lr"] == ("–", "0.1")
    assert "certificate: digest" in names
    assert found.warning is None
    assert "training.lr" in printed(found)


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
    again = pd.read_csv(write_csv(found.table, tmp_path / "x" / "compare.csv"))
    assert len(again) == len(found.table)
    assert (again["performance_difference"].fillna(0) == 0).all()
