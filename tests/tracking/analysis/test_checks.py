"""The checks of a result folder against itself: all hold on a sound one, each can fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sport_ray.tracking.analysis.checks import run_checks
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.table import results_table


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
        wrong = (record["source"], record["alpha"], record["horizon"], record["seed"])
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


def test_a_sound_folder_of_many_kinds_passes(make_kinds) -> None:
    folder = make_kinds()
    assert failed(folder) == []
    results = read_results(folder)
    claims = [check.claim for check in run_checks(results, results_table(results.records))]
    assert sum("prior bound is" in claim for claim in claims) == 5
    assert any("budget of the path" in claim and "log α" in claim for claim in claims)


@pytest.mark.parametrize(
    ("kind", "changes", "claim"),
    [
        ("gauss_renyi", {"prior_bound": 0.0999}, "Gauss–Rényi bound"),
        ("gauss_renyi", {"alpha": 1.05, "log_alpha": 0.5}, "Gauss–Rényi bound"),
        ("pathwise", {"prior_bound": 0.0999}, "e^B"),
        ("pathwise", {"log_budget": None}, "e^B"),
        ("pathwise", {"max_prefix_log_ratio": 9.0}, "kept to its constraint"),
        ("mean_shift", {"prior_bound": 0.0999}, "Φ⁻¹(ε_base) + μ"),
        ("mean_shift", {"prior_bound": 0.2}, "ε_max that was asked for"),
        ("mean_shift", {"mu": None}, "Φ⁻¹(ε_base) + μ"),
    ],
)
def test_one_wrong_cell_of_another_kind_is_found(
    make_kinds, kind: str, changes: dict[str, Any], claim: str
) -> None:
    def one(record: dict) -> dict:
        found = (record["constraint"], record["source"], record["eps_max"], record["seed"])
        return record | changes if found == (kind, "projected_ppo", 0.1, 0) else record

    assert any(claim in found for found in failed(make_kinds(change=one)))


def test_a_perturbed_world_multiplies_every_bound(make_kinds) -> None:
    world = {"alpha_mu": 1.2, "alpha_p": 1.01}
    factor = 1.2 * 1.01**21

    def there(record: dict) -> dict:
        prior = record["prior_bound"]
        risk = record["eps_max"]
        moved = {"prior_bound": None if prior is None else prior * factor}
        return record | world | moved | {"eps_max": None if risk is None else risk * factor}

    assert failed(make_kinds(change=there)) == []


def test_a_perturbed_world_that_the_bound_forgot_is_found(make_kinds) -> None:
    found = failed(make_kinds(change=lambda r: r | {"alpha_mu": 1.2, "alpha_p": 1.01}))
    assert sum("prior bound is" in claim for claim in found) == 4
