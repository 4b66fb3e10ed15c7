"""The Gaussian trade-off bound: exact arithmetic, attained by one shift, kept by adaptive ones."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound, max_mu, mean_shift_cost
from tests.exact_mdp import shift_worst

probabilities = st.floats(-300.0, -1e-3).map(lambda exponent: 10.0**exponent)
ordinary = st.floats(-12.0, -0.01).map(lambda exponent: 10.0**exponent)
mus = st.floats(-6.0, 1.5).map(lambda exponent: 10.0**exponent)


def exact_bound(eps: float, mu: float) -> mpmath.mpf:
    """Φ(Φ⁻¹(eps) + mu) in mpmath's working precision, the quantile by Newton's method."""
    p = mpmath.mpf(eps)
    z = -mpmath.sqrt(-2 * mpmath.log(p)) if p < 0.1 else mpmath.mpf(0)
    for _ in range(200):
        step = (mpmath.ncdf(z) - p) / mpmath.npdf(z)
        # In the tail Newton's method on log Φ: the step on Φ itself overshoots.
        if p < 0.1:
            step = mpmath.ncdf(z) / mpmath.npdf(z) * mpmath.log(mpmath.ncdf(z) / p)
        z -= step
        if abs(step) < mpmath.mpf(10) ** -40 * (1 + abs(z)):
            break
    else:
        raise ArithmeticError("no convergence")
    return mpmath.ncdf(z + mpmath.mpf(mu))


@given(eps=probabilities, mu=mus)
def test_it_is_rounded_up_by_little(eps, mu):
    with mpmath.workdps(60):
        exact = exact_bound(eps, mu)
        bound = gaussian_tradeoff_bound(eps, mu)
        assert bound >= exact or bound == 1.0
        assert bound <= exact * (1 + mpmath.mpf(1e-9))


@given(eps=ordinary, mu=st.floats(1e-3, 8.0))
def test_it_is_attained_by_a_single_shift(eps, mu):
    assert gaussian_tradeoff_bound(eps, mu) == pytest.approx(shift_worst(eps, mu), rel=1e-9)


@given(eps=probabilities, mu=mus, more=mus)
def test_it_is_monotone(eps, mu, more):
    bound = gaussian_tradeoff_bound(eps, mu)
    assert eps <= bound <= 1.0
    assert gaussian_tradeoff_bound(eps, mu + more) >= bound
    assert gaussian_tradeoff_bound(eps / 2.0, mu) <= bound


@given(eps=st.floats(0.0, 1.0))
def test_no_shift_costs_nothing(eps):
    assert gaussian_tradeoff_bound(eps, 0.0) == eps


def test_extremes():
    assert gaussian_tradeoff_bound(0.0, 100.0) == 0.0
    assert gaussian_tradeoff_bound(1.0, 100.0) == 1.0
    assert gaussian_tradeoff_bound(0.5, 1e308) == 1.0
    assert 5e-324 <= gaussian_tradeoff_bound(5e-324, 1e-3) < 1e-290
    assert gaussian_tradeoff_bound(1.0 - 2.0**-53, 1.0) == 1.0


@given(low=probabilities, high=probabilities)
def test_the_largest_mu_keeps_to_the_target_and_is_the_largest(low, high):
    eps, target = sorted((low, high))
    assume(eps * 1.001 < target < 0.999)
    mu = max_mu(eps, target)
    assert mu > 0.0
    assert gaussian_tradeoff_bound(eps, mu) <= target
    assert gaussian_tradeoff_bound(eps, mu * (1.0 + 1e-8) + 1e-8) > target


@given(eps=probabilities)
def test_a_target_at_the_certificate_allows_no_shift(eps):
    assume(eps < 1.0)
    assert gaussian_tradeoff_bound(eps, max_mu(eps, eps)) == eps


@given(
    rows=st.lists(
        st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 2, st.floats(2.0**-10, 1e3, width=32)),
        min_size=1,
        max_size=5,
    )
)
def test_the_cost_is_rounded_up(rows):
    mean, base, std = (np.array(column) for column in zip(*rows, strict=True))
    exact = sum((Fraction(m) - Fraction(b)) ** 2 / Fraction(s) ** 2 for m, b, s in rows)
    cost = float(mean_shift_cost(mean, base, std))
    assert Fraction(cost) >= exact
    assert cost <= float(exact) * (1.0 + 1e-14) + 1e-300


def test_the_cost_of_a_batch_and_of_nothing():
    mean = np.arange(6.0).reshape(3, 2)
    cost = mean_shift_cost(mean, mean, np.ones(2))
    assert cost.shape == (3,)
    assert (cost == 0.0).all()
    assert mean_shift_cost([1e-200], [0.0], [1.0]) > 0.0
    assert mean_shift_cost([1e300], [0.0], [1.0]) == math.inf


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([math.nan], [0.0], [1.0]), "mean"),
        (([0.0], [math.inf], [1.0]), "mean_base"),
        (([0.0], [0.0], [0.0]), "std"),
        ((0.0, 0.0, 1.0), "mean"),
    ],
)
def test_a_cost_of_nonsense_is_refused(arguments, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        mean_shift_cost(*arguments)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (gaussian_tradeoff_bound, (0.1, -1e-16), "mu"),
        (gaussian_tradeoff_bound, (0.1, math.nan), "mu"),
        (gaussian_tradeoff_bound, (-0.1, 1.0), "eps_base"),
        (max_mu, (0.0, 0.5), "eps_base"),
        (max_mu, (0.2, 0.1), "eps_max"),
    ],
)
def test_an_argument_out_of_range_is_named(function, arguments, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        function(*arguments)
