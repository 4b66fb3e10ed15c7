"""The two-point bound: exact arithmetic, attained, and its inverse; the floor that gains most."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from sport_ray.bounds import (
    best_floor,
    max_alpha,
    ratio_bound,
    two_point_bound,
    two_point_max_alpha,
)
from sport_ray.bounds.two_point import MOST_RATIO, MOST_STEPS, normal_shift
from tests.exact_mdp import worst_event

probabilities = st.floats(-12.0, -1e-3).map(lambda exponent: 10.0**exponent)
floors = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
alphas = st.floats(-9.0, 1.0).map(lambda exponent: 1.0 + 10.0**exponent)


def exact_bound(eps: float, alpha: float, kappa: float, horizon: int) -> mpmath.mpf:
    """The largest ratios first, until their probability is ε; in mpmath's working precision."""
    e, a, k = (mpmath.mpf(x) for x in (eps, alpha, kappa))
    q = (1 - k) / (a - k)
    total, left = mpmath.mpf(0), e
    for j in range(horizon, -1, -1):
        p = mpmath.binomial(horizon, j) * q**j * (1 - q) ** (horizon - j)
        taken = min(p, left)
        total += taken * a**j * k ** (horizon - j)
        left -= taken
    return total


def widened(limit: float) -> mpmath.mpf:
    """Twice as far from 1 as the bound allows a limit to be off, whose logarithm is what is kept.

    16 units in the last place of 1 + |log|. It matters where 1 − κ or α − 1 is hardly more.
    """
    log = mpmath.log(limit)
    return mpmath.exp(log + mpmath.sign(log) * 32 * mpmath.mpf(2) ** -52 * (1 + abs(log)))


@settings(max_examples=60)
@given(eps=probabilities, alpha=alphas, kappa=floors, horizon=st.integers(1, 60))
@example(eps=1e-5, alpha=2.0, kappa=1.0 - 2.0**-52, horizon=1)
def test_it_is_rounded_up_by_little(eps, alpha, kappa, horizon):
    with mpmath.workdps(60):
        exact = exact_bound(eps, alpha, kappa, horizon)
        most = exact_bound(eps, widened(alpha), widened(kappa), horizon)
        bound = two_point_bound(eps, alpha, kappa, horizon)
        assert bound >= exact or bound == 1.0
        assert bound <= most * (1 + mpmath.mpf(1e-10))


@pytest.mark.parametrize("horizon", [300, 1000])
@pytest.mark.parametrize("eps", [1e-9, 1e-300, 0.3])
@pytest.mark.parametrize(("alpha", "kappa"), [(1.07, 0.93), (1.0001, 0.5), (3.0, 0.999), (9, 0.1)])
def test_long_horizons_and_small_risks(eps, alpha, kappa, horizon):
    with mpmath.workdps(80):
        exact = exact_bound(eps, alpha, kappa, horizon)
        bound = two_point_bound(eps, alpha, kappa, horizon)
        assert bound >= exact or bound == 1.0
        assert bound <= exact * (1 + mpmath.mpf(1e-9))


@given(alpha=alphas, kappa=floors, horizon=st.integers(1, 8), eps=st.floats(1e-4, 0.99))
def test_it_is_the_worst_event_of_independent_draws(alpha, kappa, horizon, eps):
    """All 2^T outcomes of T draws from the law on {κ, α}, and the event that is worst."""
    rate = (1.0 - kappa) / (alpha - kappa)
    draws = np.array(list(itertools.product([0, 1], repeat=horizon))).sum(axis=1)
    p = rate**draws * (1.0 - rate) ** (horizon - draws)
    q = p * alpha**draws * kappa ** (horizon - draws)
    bound = two_point_bound(eps, alpha, kappa, horizon)
    # 1 − κ and 1 − q lose digits in the law above, not in the bound.
    assert worst_event(p, q / q.sum(), eps) == pytest.approx(bound, rel=1e-6)


@given(eps=probabilities, alpha=alphas, kappa=floors, horizon=st.integers(1, 200))
def test_it_lies_between_the_base_s_and_the_ratio_s(eps, alpha, kappa, horizon):
    bound = two_point_bound(eps, alpha, kappa, horizon)
    assert eps <= bound <= 1.0
    assert bound <= ratio_bound(eps, alpha, horizon) * (1.0 + 1e-12 * horizon)


@given(eps=probabilities, alpha=alphas, kappa=floors, horizon=st.integers(1, 200))
def test_it_is_monotone(eps, alpha, kappa, horizon):
    bound = two_point_bound(eps, alpha, kappa, horizon)
    slack = 1.0 + 1e-10
    assert two_point_bound(eps, 1.01 * alpha, kappa, horizon) * slack >= bound
    assert two_point_bound(eps, alpha, 0.9 * kappa, horizon) * slack >= bound
    assert two_point_bound(eps, alpha, kappa, horizon + 1) * slack >= bound
    assert two_point_bound(eps / 2.0, alpha, kappa, horizon) <= bound


@given(eps=st.floats(0.0, 1.0), alpha=alphas, kappa=st.floats(0.0, 1.0), horizon=st.integers(1, 50))
def test_without_a_floor_it_is_the_ratio_bound_and_the_base_costs_nothing(
    eps, alpha, kappa, horizon
):
    assert two_point_bound(eps, alpha, 0.0, horizon) == min(ratio_bound(eps, alpha, horizon), 1.0)
    assert two_point_bound(eps, 1.0, kappa, horizon) == eps
    assert two_point_bound(eps, alpha, 1.0, horizon) == eps


def test_a_floor_next_to_none_is_none():
    for kappa in (5e-324, 1e-300, 1e-9):
        bound = two_point_bound(0.001, 1.2, kappa, 20)
        assert bound == pytest.approx(ratio_bound(0.001, 1.2, 20), rel=1e-6)


def test_extremes():
    assert two_point_bound(0.0, 2.0, 0.5, 10) == 0.0
    assert two_point_bound(1.0, 2.0, 0.5, 10) == 1.0
    assert two_point_bound(0.01, 1e308, 0.5, 1000) == 1.0
    # However large α is, all that can happen is 'a step in which it was drawn, or the base's'.
    high = two_point_bound(0.01, 1e300, 0.999, 10)
    assert high == pytest.approx(1.0 - 0.999**10 * 0.99, rel=1e-9)
    assert two_point_bound(1e-9, 1.01, 0.99, MOST_STEPS) <= 1.0


def test_published_numbers():
    # Prototype of the method: at T = 100 the floor 0.855 carries 1.147 where 1.040 is allowed.
    assert two_point_max_alpha(0.001, 0.05, 0.855, 100) == pytest.approx(1.147, abs=5e-4)
    assert two_point_max_alpha(1e-4, 0.05, 0.850, 200) == pytest.approx(1.1447, abs=1e-4)
    # Two-sided ratios in [1/α, α], as in differential privacy.
    assert two_point_bound(0.00928, 1.12, 1 / 1.12, 21) == pytest.approx(0.032, abs=5e-4)
    assert two_point_bound(0.001, 1.05, 1 / 1.05, 100) == pytest.approx(0.0046, abs=5e-5)


@settings(max_examples=60)
@given(low=probabilities, high=probabilities, kappa=st.floats(0.0, 0.999), steps=st.integers(1, 99))
def test_the_largest_alpha_keeps_to_the_target_and_is_the_largest(low, high, kappa, steps):
    eps, target = sorted((low, high))
    assume(eps * 1.001 < target < 0.999)
    alpha = two_point_max_alpha(eps, target, kappa, steps)
    assert two_point_bound(eps, alpha, kappa, steps) <= target
    assert alpha >= max_alpha(eps, target, steps) * (1.0 - 1e-11)
    if alpha < 1e300:
        more = 1.0 + (alpha - 1.0) * (1.0 + 1e-8)
        assert two_point_bound(eps, more, kappa, steps) > target


@given(eps=probabilities, kappa=st.floats(0.0, 0.999), horizon=st.integers(1, 1000))
def test_the_base_s_own_risk_leaves_alpha_one(eps, kappa, horizon):
    alpha = two_point_max_alpha(eps, eps, kappa, horizon)
    assert two_point_bound(eps, alpha, kappa, horizon) <= eps
    assert alpha == 1.0


def test_a_floor_may_be_so_high_that_every_alpha_will_do():
    assert two_point_max_alpha(0.01, 0.1, 0.999, 10) > 1e300


@pytest.mark.parametrize(
    ("eps", "target", "horizon"),
    [(0.001, 0.05, 100), (1e-4, 0.05, 200), (0.01, 0.9, 21), (1e-9, 0.001, 1000), (0.02, 0.1, 21)],
)
def test_no_floor_of_a_fine_grid_is_better(eps, target, horizon):
    kappa, alpha = best_floor(eps, target, horizon)
    assert two_point_bound(eps, alpha, kappa, horizon) <= target
    assert 1.0 < alpha <= MOST_RATIO
    found = normal_shift(alpha, kappa)
    for other in np.linspace(0.0, 0.999, 112):
        largest = min(two_point_max_alpha(eps, target, float(other), horizon), MOST_RATIO)
        assert normal_shift(largest, float(other)) <= found * (1.0 + 1e-4)


def test_where_a_floor_helps_and_where_not():
    gains = {}
    for horizon, eps, target in ((21, 0.0182, 0.1), (100, 0.001, 0.05), (200, 1e-4, 0.05)):
        kappa, alpha = best_floor(eps, target, horizon)
        plain = normal_shift(max_alpha(eps, target, horizon), 0.0)
        gains[horizon] = normal_shift(alpha, kappa) / plain
        assert (kappa == 0.0) == (horizon == 21)
    assert gains[21] == 1.0
    assert gains[100] == pytest.approx(1.34, abs=0.005)
    assert gains[200] == pytest.approx(1.65, abs=0.005)


@given(alpha=st.floats(1.001, 20.0), kappa=st.floats(0.0, 0.99))
def test_the_shift_is_the_most_that_reweighting_can_do(alpha, kappa):
    """On 4,001 quantiles of a normal score: the best get α, the rest κ, one what is left."""
    count = 4001
    score = norm.ppf((np.arange(count) + 0.5) / count)[::-1]
    weight = np.full(count, kappa)
    room, left = alpha - kappa, count * (1.0 - kappa)
    full = int(left / room)
    weight[:full] = alpha
    weight[full] += left - full * room
    assert weight.mean() == pytest.approx(1.0)
    assert weight @ score / count == pytest.approx(normal_shift(alpha, kappa), abs=2e-3 * alpha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.1, 2.0, 0.5, 10), "eps_base must lie in"),
        ((0.1, 0.9, 0.5, 10), "alpha must be at least 1"),
        ((0.1, math.inf, 0.5, 10), "alpha must be a finite"),
        ((0.1, 2.0, 1.5, 10), "kappa must lie in"),
        ((0.1, 2.0, math.nan, 10), "kappa must be a finite"),
        ((0.1, 2.0, 0.5, 0), "horizon must be an integer of at least 1"),
        ((0.1, 2.0, 0.5, MOST_STEPS + 1), "horizon must be at most 100000"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        two_point_bound(*arguments)


def test_the_inverse_refuses_what_it_cannot():
    with pytest.raises(ValueError, match=r"kappa must lie in \[0, 1\)"):
        two_point_max_alpha(0.01, 0.1, 1.0, 10)
    with pytest.raises(ValueError, match="eps_max must be at least eps_base"):
        best_floor(0.1, 0.01, 10)


def test_the_tight_case_in_exact_fractions():
    """ε = P(all T draws are α): the whole of it becomes α^T times as likely."""
    alpha, kappa, horizon = Fraction(3, 2), Fraction(3, 4), 4
    rate = (1 - kappa) / (alpha - kappa)
    eps = rate**horizon
    bound = two_point_bound(float(eps), float(alpha), float(kappa), horizon)
    assert bound == pytest.approx(float(eps * alpha**horizon), rel=1e-12)
