"""The lead sentence: right numbers, and honest where there is nothing to tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracking import load_results
from tracking.answer import answer_study
from tracking.statistics import aggregate


def answer_of(folder: Path):
    certificate = json.loads((folder / "certificate.json").read_text())
    return answer_study(aggregate(load_results(folder)), certificate)


def test_names_level_method_steps_base_and_unconstrained(results: Path) -> None:
    answer = answer_of(results)
    settings = aggregate(load_results(results))
    best = next(b for b in answer.best if b.level == 0.1 and b.method == "projected_ppo")
    row = settings[
        (settings["method"] == best.method)
        & (settings["alpha"] == best.alpha)
        & (settings["horizon"] == best.horizon)
    ].iloc[0]
    allowed = settings[(settings["method"] == best.method) & (settings["prior_bound"] <= 0.1)]
    assert best.value == row["mean_steps_to_goal"] == allowed["mean_steps_to_goal"].min()
    assert best.better
    assert answer.sentence.startswith("At certified risk ≤ 0.1, Projected PPO reaches the goal in")
    assert answer.sentence.endswith(
        f"in {best.value:.2f} steps instead of the base's {best.base_value:.2f}."
    )
    assert answer.detail.startswith(f"With α\u00a0=\u00a0{best.alpha:g} and T")
    assert "so without any promise, a policy reaches the goal in 11." in answer.detail
    assert settings.loc[best.setting].equals(row)
    assert any("Fewer than 3 seeds" in note for note in answer.notes)


def test_a_gain_within_sampling_error_is_called_none(make_results) -> None:
    def slow(record: dict) -> dict:
        return record if record["alpha"] is None else record | {"mean_steps_to_goal": 14.0}

    answer = answer_of(make_results(change=slow))
    assert answer.sentence.startswith("No certified setting reaches the goal faster")
    assert not any(best.better for best in answer.best)


def test_a_gain_only_above_a_tenth_is_said_with_its_risk(make_results) -> None:
    def slow_when_tight(record: dict) -> dict:
        tight = record["alpha"] is not None and record["prior_bound"] <= 0.1
        return record | {"mean_steps_to_goal": 14.0} if tight else record

    answer = answer_of(make_results(change=slow_when_tight))
    assert answer.sentence.startswith("At certified risk ≤ 0.524, ")
    assert answer.sentence.endswith("At certified risk ≤ 0.1 nothing tried beats the base.")


def test_nothing_certified_is_said(make_results) -> None:
    answer = answer_of(make_results(alphas=(3.0, 10.0)))
    assert answer.sentence.startswith("No setting has a prior bound below 1")
    assert answer.best == ()


def test_without_alpha_one_the_certificate_is_the_base(make_results) -> None:
    answer = answer_of(make_results(alphas=(1.1, 1.25)))
    assert {best.base_source for best in answer.best} == {
        "certification scenarios, at their longest T"
    }
    assert {best.base_value for best in answer.best} == {14.02}
    assert answer.best[0].base_error == pytest.approx(2.21 / 100)


def test_target_risks_of_the_study_are_levels(make_results) -> None:
    answer = answer_of(make_results(change=lambda record: record | {"eps_max": 0.05}))
    assert {best.level for best in answer.best} == {0.025, 0.05, 0.1, 1.0}


def test_the_best_of_all_kinds_beside_the_papers_at_the_same_risk(make_kinds) -> None:
    folder = make_kinds()
    answer = answer_of(folder)
    settings = aggregate(load_results(folder)).query("method == 'projected_ppo'")
    steps = settings.set_index(["constraint", "eps_max"])["mean_steps_to_goal"]
    best, paper = steps["pathwise", 0.1], steps["ratio", 0.1]
    assert best == settings["mean_steps_to_goal"].min()
    assert f"Projected PPO reaches the goal in {best:.2f} steps instead" in answer.sentence
    assert answer.detail.startswith(
        "With a pathwise budget (ε_max\u00a0=\u00a00.1) and T\u00a0=\u00a021. "
        "Under the paper's constant ratio (α"
    )
    assert f"Projected PPO reaches the goal in {paper:.2f} steps." in answer.detail
    assert any("gives up the paper's uniform bound" in note for note in answer.notes)
    leaders = {one.level: one.name for one in answer.leaders}
    assert leaders[0.05] == "PPO, pathwise budget, ε_max = 0.05"
    assert leaders[0.1] == leaders[1.0] == "PPO, pathwise budget, ε_max = 0.1"
    for level in (0.05, 0.1):
        found = [(one.method, one.paper) for one in answer.best if one.level == level]
        assert len(found) == len(set(found)) == 4
    # The base's runs, listed for both kinds and methods, are counted once.
    one = answer.leaders[0]
    assert one.base_error == pytest.approx(1.5 / (3 * 10_000) ** 0.5, rel=1e-2)


def test_within_sampling_error_the_papers_constraint_leads(make_kinds) -> None:
    answer = answer_of(
        make_kinds(change=lambda r: r | {"mean_steps_to_goal": 13.0} if r["eps_max"] else r)
    )
    assert {one.paper for one in answer.leaders} == {True}
    assert "constant ratio" not in answer.sentence + answer.detail


def test_without_the_papers_constraint_that_is_said(make_kinds) -> None:
    answer = answer_of(make_kinds(kinds=("pathwise",)))
    assert "No constant ratio, the paper's constraint, is certified there." in answer.detail
