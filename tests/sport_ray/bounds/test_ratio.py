"""The prior bound and its inverse."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sport_ray.bounds import max_alpha, ratio_bound

probabilities = st.floats(-12.0, -1e-6).map(lambda exponent: 10.0**exponent)
horizons = st.integers(1, 10**6)
alphas = st.floats(1.0, 100.0)


def test_published_values():
    assert max_alpha(0.00017, 0.01, 10) == pytest.approx(1.503, abs=5e-4)
    assert max_alpha(0.001, 0.05, 100) == pytest.approx(1.040, abs=5e-4)
    # arXiv 2504.06386, the sweep at T = 21: the largest useful alpha for a bound of 1.
    assert ratio_bound(0.00928, 1.2496, 21) == pytest.approx(1.0, abs=5e-3)
    assert ratio_bound(0.001, 1.05, 100) == pytest.approx(0.1315, abs=5e-5)


@given(eps=probabilities, horizon=horizons)
def test_alpha_one_costs_nothing(eps, horizon):
    assert ratio_bound(eps, 1.0, horizon) == eps
    assert max_alpha(eps, eps, horizon) == 1.0


@given(eps=probabilities, alpha=alphas, horizon=st.integers(1, 500))
def test_it_is_monotone(eps, alpha, horizon):
    bound = ratio_bound(eps, alpha, horizon)
    assert bound >= eps
    assert ratio_bound(eps, alpha, horizon + 1) >= bound
    assert ratio_bound(eps, math.nextafter(alpha, 200.0), horizon) >= bound
    assert ratio_bound(eps / 2, alpha, horizon) <= bound


@given(low=probabilities, high=probabilities, horizon=horizons)
def test_the_largest_alpha_keeps_to_the_target_and_is_the_largest(low, high, horizon):
    eps_base, eps_max = sorted((low, high))
    assume(eps_base > 0.0 and eps_max < 1.0)
    alpha = max_alpha(eps_base, eps_max, horizon)
    assert alpha >= 1.0
    assert ratio_bound(eps_base, alpha, horizon) <= eps_max
    # A few roundings more would break it: 1e-12 per step, in the bound at least 1e-12.
    assert ratio_bound(eps_base, alpha * (1.0 + 1e-12), horizon) > eps_max


@given(eps=probabilities, horizon=horizons)
def test_a_target_below_the_certificate_has_no_alpha(eps, horizon):
    assume(eps * 0.999 > 0.0)
    with pytest.raises(ValueError, match=r"^eps_max must be at least eps_base"):
        max_alpha(eps, eps * 0.999, horizon)


def test_overflow_promises_nothing():
    assert ratio_bound(0.01, 100.0, 1_000) == math.inf
    assert ratio_bound(0.0, 100.0, 1_000) == 0.0


@pytest.mark.parametrize("horizon", [1, 2, 10, 2**53])
def test_the_smallest_eps_base_does_not_overflow(horizon):
    alpha = max_alpha(5e-324, 0.99, horizon)
    assert 1.0 <= alpha < math.inf
    assert ratio_bound(5e-324, alpha, horizon) <= 0.99


ratios = st.floats(1.0, 10.0)


@given(eps=probabilities, alpha=alphas, horizon=st.integers(1, 500), mu=ratios, p=st.floats(1, 2))
def test_a_perturbed_world_costs_its_ratios(eps, alpha, horizon, mu, p):
    """ε α_μ (α_p α)^T, from exact arithmetic, rounded up, and by less than 1e-12 a step."""
    bound = ratio_bound(eps, alpha, horizon, alpha_mu=mu, alpha_p=p)
    exact = Fraction(eps) * Fraction(mu) * (Fraction(p) * Fraction(alpha)) ** horizon
    if math.isinf(bound):  # the power alone overflows, before ε ≥ 1e-12 makes it smaller
        assert exact > 1e295
        return
    assert exact * (1 - Fraction(1, 2**51)) <= Fraction(bound) <= exact * (1 + horizon * 1e-12)
    assert bound >= ratio_bound(eps, alpha, horizon)
    assert ratio_bound(eps, alpha, horizon, alpha_mu=1.0, alpha_p=1.0) == ratio_bound(
        eps, alpha, horizon
    )


def test_the_ratio_of_the_dynamics_counts_like_that_of_the_policy():
    assert ratio_bound(0.001, 1.0, 7, alpha_p=1.3) == ratio_bound(0.001, 1.3, 7)
    assert ratio_bound(0.125, 1.0, 7, alpha_mu=4.0) == pytest.approx(0.5, rel=1e-15)


@given(
    low=probabilities,
    high=probabilities,
    horizon=st.integers(1, 1_000),
    mu=ratios,
    p=st.floats(1.0, 1.1),
)
def test_the_largest_alpha_in_a_perturbed_world(low, high, horizon, mu, p):
    eps_base, eps_max = sorted((low, high))
    assume(eps_max < 1.0)
    world = {"alpha_mu": mu, "alpha_p": p}
    if ratio_bound(eps_base, 1.0, horizon, **world) > eps_max:
        with pytest.raises(ValueError, match=r"^eps_max must be at least eps_base"):
            max_alpha(eps_base, eps_max, horizon, **world)
        return
    alpha = max_alpha(eps_base, eps_max, horizon, **world)
    assert ratio_bound(eps_base, alpha, horizon, **world) <= eps_max
    assert ratio_bound(eps_base, alpha * (1.0 + 1e-12), horizon, **world) > eps_max
    assert alpha <= max_alpha(eps_base, eps_max, horizon)


def test_messages_for_a_target_that_nothing_keeps_to():
    with pytest.raises(ValueError) as caught:
        max_alpha(0.01, 0.001, 5)
    assert str(caught.value) == (
        "eps_max must be at least eps_base (0.01), got 0.001: "
        "even the base policy is not certified at that level"
    )
    with pytest.raises(ValueError) as caught:
        max_alpha(0.25, 0.5, 1, alpha_p=4.0)
    assert str(caught.value) == (
        "eps_max must be at least eps_base * alpha_mu * alpha_p**horizon (1.0), got 0.5: "
        "even the base policy is not certified at that level in the perturbed world"
    )


@pytest.mark.parametrize("name", ["alpha_mu", "alpha_p"])
def test_an_infinite_ratio_promises_nothing_and_others_are_refused(name):
    assert ratio_bound(0.01, 1.0, 3, **{name: math.inf}) == math.inf
    assert ratio_bound(0.0, 1.0, 3, **{name: math.inf}) == math.inf
    assert ratio_bound(0.0, 1.0, 3, **{name: 1e300}) == 0.0
    with pytest.raises(ValueError, match=r"^eps_max must be at least eps_base \* alpha_mu"):
        max_alpha(0.01, 0.1, 3, **{name: math.inf})
    for bad in (0.99, -1.0, -math.inf, math.nan, True, "2"):
        with pytest.raises(ValueError, match=f"^{name} must be"):
            ratio_bound(0.01, 1.0, 3, **{name: bad})
        with pytest.raises(ValueError, match=f"^{name} must be"):
            max_alpha(0.01, 0.1, 3, **{name: bad})
