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
    assert f"{best.value:.2f} steps (base {best.base_value:.2f}, unconstrained 11." in (
        answer.sentence
    )
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
