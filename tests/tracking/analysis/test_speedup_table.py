"""The comparison in the terminal: complete, and within 80 columns."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sport_ray.tracking.analysis.speedup import speedup_table
from sport_ray.tracking.analysis.speedup_table import (
    interval_text,
    levels_of,
    percent_text,
    print_speedup,
)
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.table import results_table


def printed(folder: Path) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    results = read_results(folder)
    print_speedup(console, results, results_table(results.records))
    return console.export_text()


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_every_kind_within_80_columns(make_kinds, seeds) -> None:
    text = printed(make_kinds(seeds=seeds, samples=True))
    assert max(len(line) for line in text.splitlines()) <= 80
    flat = " ".join(text.split())
    for name in ("constant ratio", "Gauss–Rényi", "mean shift", "pathwise budget"):
        assert name in flat
    assert "…" not in text
    assert ("[" in text) == (len(seeds) >= 3)
    assert "give up the bound on every step" in flat


def test_the_most_saved_comes_first_at_each_risk(make_kinds) -> None:
    results = read_results(make_kinds())
    levels = levels_of(speedup_table(results, results_table(results.records)))
    assert [(level["horizon"], level["eps_max"]) for level in levels] == [(21, 0.05), (21, 0.1)]
    for level in levels:
        saved = [row["saved"] for row in level["rows"]]
        assert saved == sorted(saved, reverse=True)
        assert level["rows"][0]["kind"] == "pathwise budget, learned"


def test_without_a_comparison_nothing_is_printed(results: Path) -> None:
    assert printed(results) == ""


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.314, 0.28, 0.349), "0.31 [0.28, 0.35]"),
        ((0.314, None, None), "0.31"),
        ((0.314, 0.28, float("nan")), "0.31"),
        ((None, None, None), "–"),
    ],
)
def test_intervals(numbers, text) -> None:
    assert interval_text(*numbers) == text


def test_shares_in_percent() -> None:
    assert percent_text(0.852, 0.82, 0.881) == "85% [82%, 88%]"
    assert percent_text(0.852, float("nan"), None) == "85%"
    assert percent_text(None, None, None) == "–"


def test_a_study_without_a_reference_is_printed(make_kinds) -> None:
    def other(record: dict) -> dict:
        free = record["constraint"] == "unconstrained"
        return record | ({"source": "scpo"} if free else {})

    text = printed(make_kinds(change=other, samples=True, seeds=(0, 1)))
    assert "pathwise budget, learned" in " ".join(text.split())
    assert "coin flip" not in text
