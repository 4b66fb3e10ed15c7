"""The claim about every accepted candidate, on candidates whose risk is known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sport_ray.bounds import scenario_bound
from sport_ray.comparators.scpo.acceptance import AcceptanceTests, split


def test_candidates_chosen_by_earlier_results_are_accepted_wrongly_at_most_beta_of_the_time():
    # Every candidate is unsafe by a hair, and as many are tried as there are tests: the worst case.
    limit, beta, runs, n = 0.1, 0.2, 3000, 300
    risk = np.nextafter(limit, 1.0)
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(runs):
        tests = AcceptanceTests(limit, beta, 5)
        wrong += any(tests.judge(n, int(rng.binomial(n, risk))).accepted for _ in range(5))
    assert wrong / runs <= beta + 3 * np.sqrt(beta * (1 - beta) / runs)
    assert wrong > 0  # the bound is not vacuous: it is used


def test_one_test_alone_exactly():
    tests = AcceptanceTests(0.05, 1e-3, 4)
    n = 500
    most = max(k for k in range(n) if scenario_bound(n, k, tests.beta_each) <= 0.05)
    assert tests.judge(n, most).accepted
    assert not tests.judge(n, most + 1).accepted
    assert binom.cdf(most, n, 0.05) <= tests.beta_each < 1e-3 / 4


def test_no_more_tests_than_were_paid_for():
    tests = AcceptanceTests(0.05, 1e-3, 1)
    tests.judge(10, 0)
    with pytest.raises(ValueError, match="num_tests"):
        tests.judge(10, 0)


def test_what_could_pass_at_best():
    tests = AcceptanceTests(0.05, 1e-3, 4)
    assert tests.best_possible(100) == scenario_bound(100, 0, tests.beta_each)


@given(st.floats(1e-12, 0.5), st.integers(1, 100_000))
def test_shares_never_add_up_to_more(beta, parts):
    assert Fraction(split(beta, parts)) * parts <= Fraction(beta)


@pytest.mark.parametrize(("beta", "name"), [(0.0, "beta"), (5e-324, "parts")])
def test_what_cannot_be_shared_out_is_refused(beta, name):
    with pytest.raises(ValueError, match=name):
        split(beta, 3)
