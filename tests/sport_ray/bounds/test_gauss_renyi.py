"""The Gauss–Rényi bound: against exact arithmetic, its proof's inequalities, and worst events."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad

from sport_ray.bounds import max_alpha, ratio_bound
from sport_ray.bounds.gauss_renyi import (
    gauss_renyi_bound,
    gauss_renyi_max_alpha,
    gauss_renyi_path_bound,
    renyi_bound,
    renyi_cost,
)
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays
from tests.exact_mdp import shrink_worst

probabilities = st.floats(-12.0, -0.01).map(lambda exponent: 10.0**exponent)
log_ratios = st.floats(-6.0, 1.5).map(lambda exponent: 10.0**exponent)
excesses = st.floats(-3.0, 6.0).map(lambda exponent: 10.0**exponent)
horizons = st.integers(1, 1000)
SLACK = 1.0 + 1e-10


def exact_cost(order, log_alpha) -> mpmath.mpf:
    order, c = mpmath.mpf(order), mpmath.mpf(log_alpha)
    return c - mpmath.log(order - (order - 1) * mpmath.exp(-2 * c)) / (2 * (order - 1))


def exact_bound(eps: float, log_alpha: float, horizon: int, excess) -> mpmath.mpf:
    order = 1 + mpmath.mpf(excess)
    nats = mpmath.log(mpmath.mpf(eps)) + horizon * exact_cost(order, log_alpha)
    return mpmath.exp(nats * (order - 1) / order)


def divergence(order: float, mean, std) -> np.ndarray:
    """D_λ(N(mean, std²) ‖ N(0, 1)) summed over the last axis, the textbook formula."""
    mixed = 1.0 + (order - 1.0) * (1.0 - std) * (1.0 + std)  # λ − (λ−1) std²
    terms = -np.log(std) - np.log(mixed) / (2.0 * (order - 1.0)) + order * mean**2 / (2.0 * mixed)
    return terms.sum(axis=-1)


@pytest.mark.parametrize(
    ("horizon", "eps", "target", "alpha"),
    [(21, 0.00928, 0.1, 1.2062), (10, 0.00017, 0.01, 1.5839), (100, 0.001, 0.05, 1.1099)],
)
def test_known_values(horizon, eps, target, alpha):
    assert gauss_renyi_max_alpha(eps, target, horizon) == pytest.approx(alpha, abs=1e-4)
    assert max_alpha(eps, target, horizon) < alpha


def test_a_known_bound():
    assert gauss_renyi_bound(0.001, 1.05, 100) == pytest.approx(0.0074, abs=5e-5)
    assert ratio_bound(0.001, 1.05, 100) == pytest.approx(0.1315, abs=5e-5)


@given(excess=excesses, c=log_ratios)
def test_the_cost_is_rounded_up(excess, c):
    order = 1.0 + excess
    with mpmath.workdps(50):
        exact = exact_cost(order, c)
        cost = renyi_cost(order, c)
        assert exact <= cost <= min(exact + mpmath.mpf(1e-14) * c, c)


@given(eps=probabilities, c=st.floats(1e-4, 2.0), horizon=horizons)
def test_no_order_is_better(eps, c, horizon):
    """Of a hundred orders none is better; that the best is not undercut, in the next test."""
    alpha = math.exp(c)
    bound = gauss_renyi_bound(eps, alpha, horizon)
    with mpmath.workdps(40):
        exact_c = mpmath.log(mpmath.mpf(alpha))
        orders = [exact_bound(eps, exact_c, horizon, 10.0 ** (x / 8)) for x in range(-40, 60)]
    assert bound <= float(min(orders)) * SLACK


@pytest.mark.parametrize(("eps", "alpha", "horizon"), [(0.001, 1.05, 100), (1e-9, 3.0, 4)])
def test_the_minimum_is_not_undercut(eps, alpha, horizon):
    with mpmath.workdps(50):
        c = mpmath.log(mpmath.mpf(alpha))

        def value(x):
            return exact_bound(eps, c, horizon, mpmath.exp(x))

        low, high = mpmath.mpf(-3), mpmath.mpf(12)
        for _ in range(400):  # ternary search: one minimum
            a, b = low + (high - low) / 3, high - (high - low) / 3
            low, high = (low, b) if value(a) < value(b) else (a, high)
        least = value(low)
        bound = gauss_renyi_bound(eps, alpha, horizon)
        assert least <= bound <= least * (1 + mpmath.mpf(10) ** -11)


@given(eps=probabilities, horizon=st.integers(1, 2**53))
def test_alpha_one_costs_nothing(eps, horizon):
    assert gauss_renyi_bound(eps, 1.0, horizon) == eps
    assert gauss_renyi_path_bound(eps, [0.0, 0.0]) == eps
    assert gauss_renyi_max_alpha(eps, eps, horizon) == 1.0
    assert renyi_cost(2.0, 0.0) == 0.0


@given(eps=probabilities, c=log_ratios, more=st.floats(0.0, 1.0), horizon=horizons)
def test_it_is_monotone_and_never_above_the_ratio_bound(eps, c, more, horizon):
    alpha = math.exp(c)
    bound = gauss_renyi_bound(eps, alpha, horizon)
    assert bound <= ratio_bound(eps, alpha, horizon)
    assert bound * SLACK >= min(eps, 1.0)
    assert gauss_renyi_bound(eps, alpha, horizon + 1) * SLACK >= bound
    assert gauss_renyi_bound(eps, alpha * (1.0 + more), horizon) * SLACK >= bound
    assert gauss_renyi_bound(eps / 2.0, alpha, horizon) <= bound * SLACK


@given(low=probabilities, high=probabilities, horizon=horizons)
def test_the_largest_alpha_keeps_to_the_target_and_is_the_largest(low, high, horizon):
    eps, target = sorted((low, high))
    assume(eps * 1.01 < target)
    alpha = gauss_renyi_max_alpha(eps, target, horizon)
    assert alpha >= max_alpha(eps, target, horizon)
    assert gauss_renyi_bound(eps, alpha, horizon) <= target
    assert gauss_renyi_bound(eps, alpha * (1.0 + 1e-9), horizon) > target


@given(
    excess=excesses,
    c=st.floats(1e-3, 4.0),
    dims=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_no_gaussian_within_the_ratio_costs_more(excess, c, dims, seed):
    """The lemma: random shares of c over dimensions, each split between shift and shrinking."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(dims, rng.choice([0.1, 1.0, 10.0])), size=32) * c
    shrink = rng.random((32, dims)) ** rng.choice([0.2, 1.0, 5.0], size=(32, 1))
    std = np.exp(-shares * shrink)
    left = np.maximum(shares + np.log(std), 0.0)
    mean = np.sqrt(2.0 * (1.0 - std) * (1.0 + std) * left)
    mean *= rng.choice([-1.0, 1.0], size=mean.shape)
    reached = max_log_ratio_arrays(mean, std, np.zeros_like(mean), np.ones_like(mean))
    assert np.isfinite(reached).all()
    assert np.median(reached) == pytest.approx(c, rel=1e-6)
    order = 1.0 + excess
    allowed = [renyi_cost(order, float(ratio)) for ratio in reached]
    assert (divergence(order, mean, std) <= np.array(allowed) + 1e-14).all()


@given(excess=excesses, c=st.floats(1e-3, 4.0))
def test_pure_shrinking_of_one_dimension_costs_exactly_that(excess, c):
    order = 1.0 + excess
    cost = divergence(order, np.zeros(1), np.array([math.exp(-c)]))
    assert renyi_cost(order, c) == pytest.approx(float(cost), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("mean", "std", "order"), [(0.3, 0.8, 3.0), (-1.0, 0.5, 1.5)])
def test_the_divergence_is_what_an_integral_says(mean, std, order):
    """So that the lemma is tested with the right formula."""

    def moment(x: float) -> float:
        q = math.exp(-0.5 * ((x - mean) / std) ** 2) / std
        return q**order * math.exp(-0.5 * x * x) ** (1.0 - order) / math.sqrt(2.0 * math.pi)

    integral = quad(moment, -12, 12, epsabs=1e-13, epsrel=1e-12)[0]
    exact = divergence(order, np.array([mean]), np.array([std]))
    assert math.log(integral) / (order - 1.0) == pytest.approx(float(exact), rel=1e-9)


@given(eps=probabilities, c=st.floats(1e-3, 2.0), horizon=st.integers(1, 200))
def test_the_worst_event_of_shrinking_at_every_step_keeps_to_it(eps, c, horizon):
    alpha = math.exp(c)
    assert shrink_worst(eps, alpha, horizon) <= gauss_renyi_bound(eps, alpha, horizon) * SLACK


def test_the_worst_event_is_not_far_off():
    """At the numbers of the reach-avoid robot: 0.085 is reached, 0.1 promised, 0.476 before."""
    eps, alpha, horizon = 0.00928, 1.2062, 21
    worst = shrink_worst(eps, alpha, horizon)
    assert 0.8 * gauss_renyi_bound(eps, alpha, horizon) < worst
    assert ratio_bound(eps, alpha, horizon) > 4.0 * gauss_renyi_bound(eps, alpha, horizon)


@given(eps=probabilities, c=st.floats(1e-3, 1.0), horizon=st.integers(1, 50))
def test_a_constant_schedule_is_the_constant_bound(eps, c, horizon):
    schedule = gauss_renyi_path_bound(eps, [c] * horizon)
    assert schedule == pytest.approx(gauss_renyi_bound(eps, math.exp(c), horizon), rel=1e-9)


@given(eps=probabilities, costs=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_a_schedule_costs_no_more_than_its_sum_at_once(eps, costs):
    bound = gauss_renyi_path_bound(eps, costs)
    assert gauss_renyi_path_bound(eps, sorted(costs)) == pytest.approx(bound, rel=1e-9)
    assert bound <= gauss_renyi_path_bound(eps, [math.fsum(costs)]) * SLACK
    assert bound <= eps * math.exp(math.fsum(costs)) * SLACK
    assert bound <= gauss_renyi_path_bound(eps, [*costs, 0.1]) * SLACK


@given(eps=probabilities, excess=excesses, c=st.floats(1e-3, 1.0), horizon=st.integers(1, 100))
def test_any_order_is_a_bound_and_none_is_better_than_the_best(eps, excess, c, horizon):
    order = 1.0 + excess
    bound = renyi_bound(eps, order, horizon * renyi_cost(order, c) * SLACK)
    assert gauss_renyi_bound(eps, math.exp(c), horizon) <= bound * SLACK
    assert shrink_worst(eps, math.exp(c), horizon) <= bound * SLACK


def test_extremes_promise_nothing_or_fail_loudly():
    assert gauss_renyi_bound(0.0, 50.0, 10**6) == 0.0
    assert gauss_renyi_bound(1.0, 2.0, 5) >= 1.0
    assert gauss_renyi_bound(0.5, 1e300, 10**9) >= 1.0
    assert 0.0 < gauss_renyi_bound(5e-324, 1.5, 10) < 1e-300
    assert renyi_bound(0.5, 1e6, 1e6) == math.inf
    assert gauss_renyi_bound(5e-324, gauss_renyi_max_alpha(5e-324, 0.5, 1), 1) <= 0.5


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (gauss_renyi_bound, (0.1, 0.99, 3), "alpha"),
        (gauss_renyi_bound, (1.1, 1.5, 3), "eps_base"),
        (gauss_renyi_bound, (0.1, math.nan, 3), "alpha"),
        (gauss_renyi_bound, (0.1, 1.5, 0), "horizon"),
        (gauss_renyi_max_alpha, (0.1, 0.05, 3), "eps_max"),
        (gauss_renyi_path_bound, (0.1, []), "log_ratios"),
        (gauss_renyi_path_bound, (0.1, [0.1, -1e-16]), "log_ratios"),
        (gauss_renyi_path_bound, (0.1, [math.nan]), "log_ratios"),
        (renyi_cost, (1.0, 0.1), "order"),
        (renyi_cost, (2.0, -0.1), "log_alpha"),
        (renyi_bound, (0.1, 2.0, -0.1), "budget"),
        (renyi_bound, (0.1, math.inf, 0.1), "order"),
    ],
)
def test_an_argument_out_of_range_is_named(function, arguments, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        function(*arguments)
