"""The checks of a result folder against itself: all hold on a sound one, each can fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracking.checks import run_checks
from tracking.records import read_results
from tracking.table import results_table


def failed(folder: Path) -> list[str]:
    results = read_results(folder)
    checks = run_checks(results, results_table(results.records))
    return [check.claim for check in checks if not check.held]


def test_a_sound_folder_passes(results: Path) -> None:
    assert failed(results) == []


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"max_log_ratio": 9.0}, "largest log ratio"),
        ({"prior_bound": 0.9}, "prior bound is"),
        ({"num_timeout": 9_000}, "Violations are hazard plus timeouts"),
        ({"empirical_violation_rate": 0.5}, "Violations are hazard plus timeouts"),
        ({"certificate_digest": "f" * 64}, "this certificate"),
        ({"base_digest": "f" * 64}, "this certificate"),
    ],
)
def test_one_wrong_cell_is_found(make_results, changes: dict[str, Any], claim: str) -> None:
    def one(record: dict) -> dict:
        wrong = (record["method"], record["alpha"], record["horizon"], record["seed"])
        return record | changes if wrong == ("projected_ppo", 1.5, 21, 0) else record

    assert [claim in found for found in failed(make_results(change=one))] == [True]


def test_another_base_bound_is_found(make_results) -> None:
    def other(record: dict) -> dict:
        if record["alpha"] is None or record["status"] == "failed":
            return record
        return record | {
            "eps_base": record["eps_base"] / 2,
            "prior_bound": record["prior_bound"] / 2,
        }

    assert ["certificate's value" in claim for claim in failed(make_results(change=other))] == [
        True
    ]


def test_an_incomplete_or_missing_certificate_is_found(results: Path) -> None:
    file = results / "certificate.json"
    certificate = json.loads(file.read_text())
    certificate["counts"]["finished"] -= 1
    file.write_text(json.dumps(certificate))
    assert failed(results) == ["Every planned certification scenario ran to its end"]
    file.unlink()
    assert failed(results) == ["The folder holds its certificate"]


def test_a_bound_that_overflows_is_no_contradiction(make_results) -> None:
    def huge(record: dict) -> dict:
        if record["alpha"] != 10.0:
            return record
        return record | {"alpha": 1e20, "log_alpha": 46.05, "prior_bound": float("inf")}

    assert failed(make_results(change=huge)) == []
