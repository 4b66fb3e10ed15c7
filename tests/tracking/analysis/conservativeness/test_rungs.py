"""Each rung's number against its theorem's function, and none where the theorem says nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.bounds import (
    gauss_renyi_bound,
    gaussian_tradeoff_bound,
    pathwise_bound,
    ratio_bound,
)
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.tracking.analysis.conservativeness.rungs import (
    RUNGS,
    prior_values,
    stated_rung,
    world_factor,
)

EPS, HORIZON = 0.01, 21
RECORD = {
    "constraint": "ratio", "alpha": 1.1, "eps_max": None,
    "horizon": HORIZON, "eps_base": EPS, "beta": 1e-7, "prior_bound": EPS * 1.1**HORIZON,
}  # fmt: skip
SETTLED = np.minimum(np.arange(40) // 2, 15)
CERTIFICATE = {
    "num_scenarios": 10_000,
    "beta": 1e-7,
    "max_horizon": 40,
    "sampling": {"rule": "fixed"},
    "table": {
        "num_settled": SETTLED.tolist(),
        "num_violations": (SETTLED + np.arange(40, 0, -1)).tolist(),
    },
}


def test_every_prior_bound_whose_theorem_covers_a_ratio_is_there() -> None:
    found = prior_values(RECORD, CERTIFICATE)
    assert list(found) == ["ratio", "gauss_renyi", "violation_time"]
    assert found["ratio"].bound == RECORD["prior_bound"]
    assert found["gauss_renyi"].bound == gauss_renyi_bound(EPS, 1.1, HORIZON)
    assert found["gauss_renyi"].bound < found["ratio"].bound
    for value in found.values():
        assert value.log10 == pytest.approx(math.log10(value.bound), abs=1e-12)


def test_the_violation_time_bound_is_the_constraints_own() -> None:
    settled = CERTIFICATE["table"]["num_settled"][:HORIZON]
    evidence = Evidence(
        horizon=HORIZON, eps_base=EPS, beta=1e-7 / 40, num_scenarios=10_000,
        num_violations=CERTIFICATE["table"]["num_violations"][HORIZON - 1], fixed_number=True,
        settled=tuple(settled), steps_left=(),
    )  # fmt: skip
    found = prior_values(RECORD, CERTIFICATE)["violation_time"]
    assert found.bound == ViolationTimeConstraint(alpha=1.1).prior_bound(evidence)
    assert found.beta == pytest.approx(1e-7 / 40)
    assert "on its own" in found.together
    chosen = prior_values(RECORD, CERTIFICATE | {"choice": {"horizon": HORIZON}})
    assert chosen["violation_time"].beta == 1e-7


@pytest.mark.parametrize(
    ("record", "certificate"),
    [
        (RECORD | {"eps_max": 0.1}, CERTIFICATE),  # α from the very scenarios
        (RECORD, CERTIFICATE | {"sampling": {"rule": "precision"}}),  # their number, too
        (RECORD, {k: v for k, v in CERTIFICATE.items() if k != "sampling"}),
        (RECORD, CERTIFICATE | {"table": {}}),
        (RECORD, None),
    ],
)
def test_violation_time_is_not_claimed_where_it_is_not_covered(record, certificate) -> None:
    assert list(prior_values(record, certificate)) == ["ratio", "gauss_renyi"]


@pytest.mark.parametrize(
    ("changes", "rung", "bound"),
    [
        ({"constraint": "pathwise", "log_budget": 1.5}, "pathwise", pathwise_bound(EPS, 1.5)),
        ({"constraint": "pathwise_all", "log_budget": 1.5}, "pathwise", pathwise_bound(EPS, 1.5)),
        ({"constraint": "mean_shift", "mu": 0.8}, "mean_shift", gaussian_tradeoff_bound(EPS, 0.8)),
    ],
)
def test_a_budget_has_its_own_bound_and_no_other(changes, rung: str, bound: float) -> None:
    record = RECORD | {"alpha": None, "prior_bound": None} | changes
    found = prior_values(record, CERTIFICATE)
    assert {name: value.bound for name, value in found.items()} == {rung: bound}
    assert stated_rung(record) == rung


def test_the_stated_bound_is_the_recorded_one_and_an_unknown_kind_keeps_only_that() -> None:
    recorded = prior_values(RECORD | {"prior_bound": 0.5}, CERTIFICATE)
    assert recorded["ratio"].bound == 0.5
    strange = RECORD | {"constraint": "entropic", "alpha": None, "prior_bound": 0.2}
    found = prior_values(strange, CERTIFICATE)
    assert list(found) == ["other"]
    assert found["other"].bound == 0.2
    assert found["other"].beta is None  # what it fails with is not known here


def test_nothing_is_promised_for_an_unconstrained_policy() -> None:
    free = RECORD | {"constraint": "unconstrained", "alpha": None}
    assert prior_values(free, CERTIFICATE) == {}
    assert stated_rung(free) is None


def test_a_bound_beyond_the_largest_float_still_has_a_logarithm() -> None:
    record = RECORD | {"alpha": 100.0, "horizon": 400, "prior_bound": None}
    found = prior_values(record, None)
    assert found["ratio"].bound == math.inf
    assert found["ratio"].log10 == pytest.approx(-2 + 800)
    assert found["gauss_renyi"].bound <= 1.01


def test_another_world_multiplies_every_bound() -> None:
    world = {"alpha_mu": 1.25, "alpha_p": 1.01, "prior_bound": None}
    factor = 1.25 * 1.01**HORIZON
    assert world_factor(RECORD | world) == pytest.approx(factor, rel=1e-12)
    here = prior_values(RECORD, CERTIFICATE)
    there = prior_values(RECORD | world, CERTIFICATE)
    assert there["ratio"].bound == ratio_bound(EPS, 1.1, HORIZON, alpha_mu=1.25, alpha_p=1.01)
    for name in here:
        assert there[name].bound == pytest.approx(factor * here[name].bound, rel=1e-12)
        assert there[name].bound >= factor * here[name].bound * (1 - 1e-15)
        assert there[name].log10 == pytest.approx(math.log10(there[name].bound), abs=1e-12)


def test_every_rung_says_what_it_assumes() -> None:
    assert all(rung.assumes and rung.label for rung in RUNGS.values())
