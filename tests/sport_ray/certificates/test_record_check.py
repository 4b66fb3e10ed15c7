"""A record's derived numbers follow from its counts; what was typed over is named."""

from __future__ import annotations

import math

import pytest

from sport_ray.certificates.record_check import altered_numbers, derived_numbers
from sport_ray.errors import UserError
from tests.experiments.known_certificate import certificate

RECORD = {
    "constraint": "ratio", "alpha": 1.05, "horizon": 20, "alpha_mu": 1.0, "alpha_p": 1.0,
    "num_scenarios": 500, "num_violations": 2, "posterior_beta": 1e-7,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({}, 1.05**20),
        ({"alpha_mu": 1.1, "alpha_p": 1.01}, 1.05**20 * 1.1 * 1.01**20),
        ({"constraint": "pathwise", "alpha": None, "log_budget": 2.0}, math.exp(2.0)),
        ({"constraint": "pathwise_all", "alpha": None, "log_budget": 2.0}, math.exp(2.0)),
        ({"constraint": "ratio", "alpha": 1.0}, 1.0),
    ],
)
def test_they_follow_from_counts_and_certificate(change, factor):
    known = certificate()
    found = derived_numbers({**RECORD, **change}, known)
    eps_base = known.table.eps_base_simultaneous[19]
    assert found["eps_base"] == eps_base
    assert found["beta"] == 1e-7
    assert found["prior_bound"] == pytest.approx(eps_base * factor)
    assert found["empirical_violation_rate"] == 2 / 500
    assert 2 / 500 < found["posterior_bound"] < 0.1


@pytest.mark.parametrize("name", ["gauss_renyi", "violation_time", "mean_shift"])
def test_every_constraint_that_promises_is_known(name):
    given = {"constraint": name, "mu": 0.5} if name == "mean_shift" else {"constraint": name}
    found = derived_numbers(
        {**RECORD, "alpha": None if "mu" in given else 1.05, **given}, certificate()
    )
    assert found["eps_base"] < found["prior_bound"] < found["eps_base"] * 1.05**20 * 1.5


def test_what_is_as_it_must_be_has_no_name():
    known = certificate()
    whole = {**RECORD, **derived_numbers(RECORD, known)}
    assert altered_numbers(whole, known) == []
    free = {**RECORD, "constraint": "unconstrained", "alpha": None}
    whole = {**free, **derived_numbers(free, known)}
    assert whole["prior_bound"] is None
    assert altered_numbers(whole, known) == []


@pytest.mark.parametrize(
    "name",
    ["eps_base", "beta", "log_alpha", "prior_bound", "empirical_violation_rate", "posterior_bound"],
)
@pytest.mark.parametrize("value", [1e-9, None, "0.01", True])
def test_each_that_was_typed_over_is_named(name, value):
    known = certificate()
    whole = {**RECORD, **derived_numbers(RECORD, known)}
    assert altered_numbers({**whole, name: value}, known) == [name]


@pytest.mark.parametrize(
    "change",
    [{"num_violations": 501}, {"num_scenarios": "many"}, {"horizon": 31}, {"alpha": 0.5},
     {"constraint": "none"}, {"posterior_beta": 2.0}, {"num_scenarios": None}, {"horizon": 1.5}],
)  # fmt: skip
def test_an_impossible_record_is_one_line(change):
    with pytest.raises(UserError) as caught:
        derived_numbers({**RECORD, **change}, certificate())
    assert "\n" not in str(caught.value)
    missing = {key: value for key, value in RECORD.items() if key not in change}
    with pytest.raises(UserError):
        derived_numbers(missing, certificate())
