"""The pathwise bound and its inverse; on MDPs in test_ground_truth.py."""

from __future__ import annotations

import math

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.bounds import ratio_bound
from sport_ray.bounds.pathwise import pathwise_bound, pathwise_log_budget

probabilities = st.floats(-300.0, -1e-9).map(lambda exponent: 10.0**exponent)
budgets = st.floats(0.0, 600.0)


@given(eps=probabilities, budget=budgets)
def test_it_is_rounded_up_by_little(eps, budget):
    with mpmath.workdps(60):
        exact = mpmath.mpf(eps) * mpmath.exp(mpmath.mpf(budget))
        assert exact <= pathwise_bound(eps, budget) <= exact * (1 + mpmath.mpf(1e-14))


@given(eps=probabilities, alpha=st.floats(1.0, 5.0), horizon=st.integers(1, 100))
def test_a_constant_ratio_is_one_way_to_spend(eps, alpha, horizon):
    bound = pathwise_bound(eps, horizon * math.log(alpha))
    assert bound == pytest.approx(ratio_bound(eps, alpha, horizon), rel=1e-11)


@given(eps=probabilities, budget=budgets, more=st.floats(0.0, 10.0))
def test_it_is_monotone(eps, budget, more):
    bound = pathwise_bound(eps, budget)
    assert eps <= bound <= pathwise_bound(eps, budget + more)
    assert pathwise_bound(eps / 2.0, budget) <= bound


@given(low=probabilities, high=probabilities)
def test_the_largest_budget_keeps_to_the_target_and_is_the_largest(low, high):
    eps, target = sorted((low, high))
    budget = pathwise_log_budget(eps, target)
    assert budget >= 0.0
    assert pathwise_bound(eps, budget) <= target
    assert pathwise_bound(eps, budget + 1e-12 * (1.0 + budget)) > target
    assert pathwise_log_budget(eps, eps) == 0.0


def test_extremes():
    assert pathwise_bound(0.0, 1e300) == 0.0
    assert pathwise_bound(0.5, 1e300) == math.inf
    assert pathwise_bound(0.25, 0.0) == 0.25
    assert pathwise_bound(5e-324, pathwise_log_budget(5e-324, 0.9)) <= 0.9


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (pathwise_bound, (0.1, -1e-16), "log_budget"),  # a budget that rounding took below 0
        (pathwise_bound, (0.1, math.nan), "log_budget"),
        (pathwise_bound, (1.5, 1.0), "eps_base"),
        (pathwise_log_budget, (0.0, 0.1), "eps_base"),
        (pathwise_log_budget, (0.1, 1.0), "eps_max"),
        (pathwise_log_budget, (0.2, 0.1), "eps_max"),
    ],
)
def test_an_argument_out_of_range_is_named(function, arguments, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        function(*arguments)
