"""What is not there is said first, everywhere, and never told as found wanting."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.pareto_table import print_pareto
from sport_ray.tracking.mlflow.finding import finding_of
from sport_ray.tracking.report.write import write_report
from sport_ray.tracking.results.completeness import (
    completeness_of,
    fewer_seeds,
    nothing_certified,
    why_none,
)
from sport_ray.tracking.results.record import COLUMNS
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import results_table

SMALL: dict[str, Any] = {"alphas": (1.0, 1.1), "horizons": (21,), "seeds": (0, 1)}
Change = Callable[[dict[str, Any]], dict[str, Any]]
FACTS = [column.name for column in COLUMNS if column.given]


def failed(
    record: dict[str, Any], reason: str = "ValueError: the solver diverged"
) -> dict[str, Any]:
    return {name: record[name] for name in FACTS} | {"status": "failed", "reason": reason}


def records(folder: Path) -> list[Path]:
    return sorted(folder.glob("cells/*/record.json"))


def first_sentences(folder: Path) -> list[str]:
    """The first thing said in page and note."""
    page = write_report(folder).read_text(encoding="utf-8")
    lead = re.search(
        r'<section id="answer">.*?<p class="[^"]*lead"[^>]*>(.*?)</p>', page, re.DOTALL
    )
    assert lead
    note = finding_of(read_results(folder)).text.splitlines()[0].replace("\\", "")
    return [lead[1], note.strip("*")]


def test_a_whole_study_says_nothing_of_it(make_results: Any) -> None:
    folder = make_results(**SMALL)
    assert completeness_of(read_results(folder)).sentence == ""
    assert not first_sentences(folder)[0].startswith("Only")
    assert 'id="completeness"' not in (folder / "report.html").read_text()


def test_a_part_of_a_study_says_so_first(make_results: Any) -> None:
    folder = make_results(**SMALL)
    files = records(folder)
    plan = [*(file.parent.name for file in files), "a" * 16, "b" * 16]
    (folder / "plan.json").write_text(json.dumps({"cells": plan, "jobs": []}))
    files[0].write_text(json.dumps(failed(json.loads(files[0].read_text()))))
    files[1].write_text(json.dumps(json.loads(files[1].read_text()) | {"seed": 10**20}))
    expected = (
        "Only 8 of 12 planned cells are finished: 1 failed (ValueError: the solver diverged), "
        "2 have not been run, 1 has a record that cannot be read "
        f"(cells/{files[1].parent.name}/record.json has seed = 100000000000000000000, more than "
        "64 bits). "
    )
    for said in first_sentences(folder):
        assert said.startswith(expected)
        assert said.endswith("what is missing was not found wanting.")
    page = (folder / "report.html").read_text()
    counted = ("12</b> planned", "8</b> finished", "1</b> failed", "2</b> missing")
    assert [one for one in counted if one not in page] == []
    assert len(results_table(read_results(folder).records)) == 9


@pytest.mark.parametrize("what", ["failed", "unreadable", "both"])
def test_of_nothing_there_is_no_answer(make_results: Any, what: str) -> None:
    folder = make_results(change=failed, **SMALL)
    for file in records(folder)[:: 1 if what == "unreadable" else 2]:
        if what != "failed":
            file.write_text("{}")
    for said in first_sentences(folder):
        assert said.startswith("0 of 10 planned cells are finished: ")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "below 1" not in page
    assert "No cell has finished, so there is no answer yet." in page
    assert 'id="hypervolume"' not in page  # an area of 0 would call it bad
    assert 'id="conservativeness"' not in page
    assert not (folder / "conservativeness.csv").exists()
    console = Console(file=io.StringIO(), width=200)
    print_pareto(console, results_table(read_results(folder).records))
    assert console.file.getvalue().count("no cell has finished") == 2


def only(condition: Callable[[dict[str, Any]], bool]) -> Change:
    return lambda record: record if condition(record) else failed(record)


def wider(factor: float) -> Change:
    def change(record: dict[str, Any]) -> dict[str, Any]:
        if record["alpha"] is None:
            return record
        alpha = record["alpha"] * factor
        return record | {"alpha": alpha, "log_alpha": math.log(alpha)}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (only(lambda r: r["alpha"] is None), "under a constraint none has finished"),
        (
            lambda r: r | {"max_log_ratio": 9.0},
            "settings with a bound below 1 finished, but did not keep to the constraint",
        ),
        (wider(1e20), "No record of a finished cell states a bound"),  # no float is so large
        (wider(10.0), "No setting has a prior bound below 1 among the 4"),
        (failed, "No cell has finished"),
    ],
)
def test_why_nothing_is_certified(make_results: Any, change: Change, said: str) -> None:
    folder = read_results(make_results(change=change, **SMALL))
    settings = aggregate(results_table(folder.records))
    assert said in nothing_certified(settings)
    assert answer_study(settings, folder.certificate).sentence == nothing_certified(settings)
    assert why_none(settings, "posterior_bound")


def test_many_reasons_are_counted_and_long_ones_cut(make_results: Any) -> None:
    reasons = iter(["x" * 5_000] * 2 + ["a"] * 3 + [f"reason {number}" for number in range(5)])
    folder = read_results(make_results(change=lambda r: failed(r, next(reasons)), **SMALL))
    state = completeness_of(folder)
    assert state.reasons[0] == ("a", 3)
    assert "10 failed (a; xxx" in state.sentence
    assert "5 other reasons)" in state.sentence
    assert len(state.sentence) < 500


def test_seeds_that_are_missing_of_a_setting(make_results: Any) -> None:
    def one_less(record: dict[str, Any]) -> dict[str, Any]:
        lost = record["alpha"] == 1.1 and record["source"] == "projected_ppo"
        return failed(record) if lost and record["seed"] == 1 else record

    settings = aggregate(
        results_table(read_results(make_results(change=one_less, **SMALL)).records)
    )
    assert fewer_seeds(settings).endswith("T = 21 (1 of 2).")
    assert fewer_seeds(settings[settings["failed_seeds"] == 0]) == ""
