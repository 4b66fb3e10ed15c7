"""Bundles whose limit scenarios of the base chose: the tests of the list are made again."""

from __future__ import annotations

import json

import pytest

from sport_ray.deploy import load, read_bundle
from sport_ray.deploy.export import write_bundle
from sport_ray.deploy.verify import verify_bundle
from sport_ray.errors import UserError
from tests.sport_ray.deploy.limit_lists import COUNT, evidence


def test_a_limit_from_data_goes_out_with_its_scope(listed, tmp_path):
    write_bundle(tmp_path / "out", listed())
    promise = read_bundle(tmp_path / "out").promise
    assert (promise["bound"], promise["beta"]) == (0.1, 1e-3)
    assert "nothing about training" in promise["statement"]
    assert "member of its list" in promise["scope"]
    assert "limit 2 of a list of 3" in promise["theorem"]
    checks = verify_bundle(tmp_path / "out")
    [found] = [check for check in checks if check.name == "promise"]
    assert found.passed
    assert "limit 2 of a list of 3" in found.detail
    assert "as the bundle states them" in found.detail
    assert load(tmp_path / "out").promise == promise


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"violations": (400, 5)}, "limit 1 of the list does not pass"),
        ({"violations": (5, 400)}, "limit 2 of the list does not pass"),
        ({"level": 1e-3}, "does not pass"),
        ({"rank": 3}, "names 2 members"),
        ({"num_scenarios": COUNT - 1}, "something else than is said"),
    ],
)
def test_a_list_whose_tests_do_not_hold_is_refused(listed, tmp_path, given, said):
    with pytest.raises(UserError, match=said):
        write_bundle(tmp_path / "out", listed(**given))


def test_another_policy_or_limit_than_the_tested_one_is_refused(listed, tmp_path):
    export = listed()
    other = [*export.limit["members"][:1], {**export.limit["members"][1], "policy": "f" * 64}]
    with pytest.raises(UserError, match="not the one that the bundle has"):
        write_bundle(tmp_path / "out", listed(members=other))
    with pytest.raises(UserError, match="do not rise"):
        write_bundle(tmp_path / "out", listed(alphas=(1.6, 1.3)))


def test_the_certificates_own_scenarios_cost_the_counts(listed, tmp_path):
    """What just passes at β does not at β/(K + 1)."""
    most = max(bad for bad in range(100, 200) if evidence(1.6, 20, bad).holds(1e-3, 0.1))
    write_bundle(tmp_path / "fresh", listed(violations=(5, most)))
    with pytest.raises(UserError, match="limit 2 of the list does not pass"):
        write_bundle(tmp_path / "own", listed(violations=(5, most), scenarios="certificate"))


def test_evidence_that_was_altered_is_refused(listed, tmp_path):
    write_bundle(tmp_path / "out", listed())
    path = tmp_path / "out" / "limit" / "1.npz"
    path.write_bytes(evidence(1.3, 20, 4).to_bytes())
    with pytest.raises(UserError, match="was altered"):
        read_bundle(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert "limit/2.npz" in manifest["files"]
