"""The calibration in small: no bound fails above β, every control is caught, runs go on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibrated import registry
from benchmarks.calibrated.registry import BETA, Calibration, Trial, generator, load
from benchmarks.calibrated.results import Results, Row, complaints, summary, table
from benchmarks.calibrated.worlds import corridor, decisions, scenarios, tightest
from benchmarks.calibration import BEGIN, END, main, written
from sport_ray.bounds import scenario_bound
from tests.exact_mdp import random_mdp

ROOT = Path(__file__).parents[2]
ALL = load()
EXACT = [name for name, one in ALL.items() if one.repeats is None]


def trials(name: str, wrong: bool, count: int) -> dict[int, Trial]:
    repetition = ALL[name].repetition
    return {i: repetition(generator(name, 3, wrong, i), wrong) for i in range(count)}


@pytest.mark.parametrize("name", EXACT)
def test_a_sound_bound_is_not_accused_and_a_wrong_one_is(name):
    """40 repetitions, and of the control as many as it takes to convict it, up to 400."""
    sound = summary(ALL[name], trials(name, wrong=False, count=40))
    assert sound.repeats == 40
    assert not sound.above(1e-4), sound
    for count in (40, 150, 400):
        control = summary(ALL[name], trials(name, wrong=True, count=count))
        if control.above(1e-3):
            break
    assert complaints([Row(ALL[name], sound, control)]) == []


def test_every_section_with_a_bound_from_data_has_one():
    assert {one.section for one in ALL.values()} >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}


def test_the_table_of_the_docs_has_every_bound_and_says_what_was_run():
    text = (ROOT / "docs" / "bounds.md").read_text(encoding="utf-8")
    section = text.split("\n## 16.")[1].split("\n## ")[0]
    for name, one in ALL.items():
        row = re.search(
            rf"^\| {re.escape(name)} \| {one.section} \| ([\d,]+)[^|]*\| (\d+) \|", section, re.M
        )
        assert row, name
        repeats, failed = (int(part.replace(",", "")) for part in row.groups())
        assert repeats >= (one.repeats or 1_000), name
        p_value = stats.binomtest(failed, repeats, BETA, alternative="greater").pvalue
        assert p_value > 0.01 / len(ALL), name
        assert f"| {name} | {one.problem} | {one.control} |" in section, name


# --- the worlds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_drawn_outcomes_have_the_exact_law(seed):
    mdp, horizon, count = random_mdp(seed, states=4), 5, 20_000
    found = decisions(mdp, mdp.base, horizon)
    times = mdp.violation_times(mdp.base, horizon)
    np.testing.assert_allclose(found.violated[:horizon], times[:horizon], atol=1e-12)
    table_ = scenarios(mdp, mdp.base, horizon, count, np.random.default_rng(seed))
    for t in range(1, horizon + 1):
        exact = mdp.violation(mdp.base, t)
        seen = table_.num_violations(t)
        assert stats.binomtest(seen, count, exact).pvalue > 1e-4


def test_a_corridor_survives_as_asked_and_its_worst_policy_attains_the_ratio_bound():
    survival = [0.5, 0.2, 0.05]
    mdp = corridor(survival)
    for steps, p in enumerate(survival, start=1):
        assert mdp.violation(mdp.base, steps) == pytest.approx(p, rel=1e-12)
        assert mdp.worst_violation(1.3, steps) == pytest.approx(1.3**steps * p, rel=1e-12)


def test_the_tightest_probability_fails_as_often_as_beta_allows():
    count = 200
    p = tightest(count, lambda k, p: scenario_bound(count, k, BETA) >= p)
    failing = [k for k in range(40) if scenario_bound(count, k, BETA) < p]
    chance = stats.binom.cdf(failing[-1], count, p)
    assert 0.9999 * BETA < chance <= BETA
    assert len(failing) > 5  # not k = 0 alone


# --- the script ----------------------------------------------------------------------------------


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Run:
    """The script in an empty folder: exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "STORE", None)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["calibration.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        message = ended.value.code if isinstance(ended.value.code, str) else ""
        return int(ended.value.code != 0), out, err + message

    return call


SMALL = ("--bounds", "two-point", "--repeats", "40", "--controls", "60")


def test_a_run_that_was_cut_off_goes_on_and_gives_the_same(run, tmp_path):
    status, whole, complaint = run(*SMALL)
    assert status == 0, complaint
    assert "| two-point (floors) | 10 | 40 |" in whole
    file = tmp_path / "calibration.jsonl"
    complete = file.read_bytes()
    half = complete.splitlines(keepends=True)[0]
    file.write_bytes(half + half[: len(half) // 2])  # killed while it wrote
    assert run(*SMALL)[1] == whole
    assert file.read_bytes().startswith(half)  # what was there was kept
    assert len(file.read_bytes()) < 2 * len(complete)
    assert run(*SMALL, "--seed", "1")[1] != whole


def test_the_script_runs_as_a_file(tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "calibration.py", "--bounds", "scenario"]
    found = subprocess.run([*command, "--list"], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.count("\n| scenario") == 1, found.stderr  # the name, not what contains it


def test_a_control_that_is_not_caught_is_an_error(run):
    """Two repetitions convict nobody."""
    status, _, complaint = run("--bounds", "two-point", "--repeats", "2", "--controls", "2")
    assert status == 1
    assert "two-point (floors): its control is not caught" in complaint


def test_an_unknown_bound_is_named(run):
    status, _, complaint = run("--bounds", "astrology")
    assert status == 1
    assert "no bound is called 'astrology'" in complaint


def test_the_tables_are_written_between_the_two_comments(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n", encoding="utf-8")
    written(page, "| new |\n")
    text = page.read_text(encoding="utf-8")
    assert text == f"before\n\n{BEGIN}\n\n| new |\n\n{END}\n\nafter\n"


def test_results_of_other_code_are_not_counted(tmp_path):
    def repetition(rng, wrong):
        return Trial(1.0, 0.5)

    one = Calibration("a", 1, "", "", repetition, "above", None)
    path = tmp_path / "results.jsonl"
    Results(path, seed=0).add(one, False, {0: Trial(0.1, 0.5), 1: Trial(None, 0.5)})
    assert Results(path, seed=0).of(one, False) == {0: Trial(0.1, 0.5), 1: Trial(None, 0.5)}
    assert Results(path, seed=1).of(one, False) == {}
    path.write_text(path.read_text().replace(one.fingerprint(), "0" * 16))
    assert Results(path, seed=0).of(one, False) == {}


def test_failures_are_counted_on_the_side_of_the_bound():
    def repetition(rng, wrong):
        return Trial(1.0, 0.5)

    some = {0: Trial(0.1, 0.2), 1: Trial(0.3, 0.2), 2: Trial(None, 0.2), 3: Trial(0.2, 0.2)}
    above = Calibration("a", 1, "", "", repetition, "above", None)
    below = above._replace(side="below")
    assert (summary(above, some).failed, summary(below, some).failed) == (1, 1)
    assert summary(above, some).refused == 1
    assert summary(above, some).ratio == pytest.approx(1.0)
    assert "| a | 1 | 4, 1 without a claim | 1 |" in table(
        [Row(above, summary(above, some), summary(above, some))]
    )
    every = dict.fromkeys(range(4), Trial(0.1, 0.2)) | {i: Trial(0.1, 0.2) for i in range(30)}
    accused = complaints([Row(above, summary(above, every), summary(above, every))])
    assert accused == ["a: failed 30 of 30 times, above β = 0.05"]
