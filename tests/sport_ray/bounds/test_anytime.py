"""Anytime-valid bounds: exact coverage of paths, optional stopping, exact arithmetic, limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from sport_ray.bounds import anytime_bound, anytime_lower_bound, scenario_bound
from sport_ray.bounds.anytime import _SHAPE, _log_wealth, _stirling

Bound = Callable[[int, int, float], float]
HORIZON = 300
betas = st.floats(-20.0, -0.01).map(lambda exponent: 10.0**exponent)


@st.composite
def counts(draw, largest: int = 10**7):
    n = draw(st.integers(1, largest))
    return n, draw(st.integers(0, n) | st.integers(0, min(n, 50)))


def first_count(n: int, holds: Callable[[int], bool]) -> int:
    """The smallest k in 0 … n + 1 where ``holds``, which once true stays true as k grows."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if middle <= n and holds(middle) else (middle + 1, high)
    return low


def chance_of_ever_failing(bound: Bound, p: float, beta: float) -> float:
    """P(p > bound(n, K_n, beta) for some n ≤ HORIZON), exactly, by the law of K_n still alive."""
    alive = np.zeros(HORIZON + 1)
    alive[0] = 1.0
    failed = 0.0
    for n in range(1, HORIZON + 1):
        alive[1:] = (1 - p) * alive[1:] + p * alive[:-1]
        alive[0] *= 1 - p
        covered = first_count(n, lambda k, n=n: bound(n, k, beta) >= p)
        failed += alive[:covered].sum()
        alive[:covered] = 0.0
    return failed


def from_below(n: int, k: int, beta: float) -> float:
    """The lower bound as an upper bound on the probability of no violation."""
    return 1.0 - anytime_lower_bound(n, n - k, beta)


@pytest.mark.parametrize("beta", [0.05, 0.3])
@pytest.mark.parametrize("p", [0.01, 0.03, 0.1, 0.3, 0.5, 0.9])
def test_it_ever_fails_with_probability_at_most_beta_exactly(p, beta):
    above = chance_of_ever_failing(anytime_bound, p, beta)
    assert above <= beta
    assert chance_of_ever_failing(from_below, 1.0 - p, beta) <= beta
    if p >= 0.1:  # and not by promising nothing: within a factor over so short a horizon
        assert above >= beta / 6


@pytest.mark.parametrize("p", [0.03, 0.3])
def test_the_bound_for_a_fixed_number_fails_when_looked_at_every_time(p):
    """So the exact computation above has teeth: more than twice beta within 300 looks."""
    assert chance_of_ever_failing(scenario_bound, p, 0.05) > 0.1


def test_stopping_when_the_bound_looks_best():
    """6,000 experiments that look 200 times and report the best bound that they saw."""
    p, beta, repetitions, block = 0.02, 0.05, 6_000, 20
    increments = np.random.default_rng(0).binomial(block, p, (repetitions, 200))
    found = increments.cumsum(axis=1)
    failures = {}
    for bound in (anytime_bound, scenario_bound):
        best = np.ones(repetitions)
        for look in range(200):
            values, where = np.unique(found[:, look], return_inverse=True)
            bounds = np.array([bound(block * (look + 1), int(k), beta) for k in values])
            best = np.minimum(best, bounds[where])
        failures[bound] = int((best < p).sum())
    test = stats.binomtest(failures[anytime_bound], repetitions, beta, alternative="greater")
    assert test.pvalue > 1e-3
    assert failures[anytime_bound] > 0
    assert failures[scenario_bound] > 4 * beta * repetitions


@pytest.mark.parametrize(("n", "k"), [(1, 0), (7, 3), (50, 0), (50, 49), (100, 20)])
def test_the_wealth_is_the_integral_over_the_bets(n, k):
    for p in (0.02, 0.3, 0.97):

        def gain(u: float, p: float = p) -> float:
            return _SHAPE * u ** (k + _SHAPE - 1.0) * (1.0 - p + p * u) ** -n

        # u = v^(1/shape) takes the pole at 0 away.
        direct, _ = integrate.quad(
            lambda v: gain(v ** (1 / _SHAPE)) * v ** (1 / _SHAPE - 1) / _SHAPE,
            0.0,
            1.0,
            epsabs=0.0,
            limit=500,
        )
        assert _log_wealth(n, k, p, 1.0 - p) == pytest.approx(math.log(direct), abs=1e-7)


@pytest.mark.parametrize("p", [0.003, 0.2, 0.8])
def test_the_wealth_is_a_martingale(p):
    """E[M_{n+1} | k] = M_n, the property behind Ville's inequality."""
    for n, k in [(2, 0), (10, 3), (1_000, 4), (10**6, 2_900)]:
        now = _log_wealth(n, k, p, 1 - p)
        up, down = (_log_wealth(n + 1, k + i, p, 1 - p) - now for i in (1, 0))
        assert p * math.exp(up) + (1 - p) * math.exp(down) == pytest.approx(1.0, abs=1e-9)


@given(nk=counts(), odds=st.floats(-20.0, 20.0), factor=st.floats(1.0, 1.5))
@example(nk=(676, 367), odds=-3.212890625, factor=1.5)
@settings(max_examples=300)
def test_the_wealth_grows_with_p(nk, odds, factor):
    n, k = nk
    if k == n:
        return
    low, high = (1.0 / (1.0 + math.exp(-z)) for z in (odds, odds + factor - 1.0))
    margin = 2e-9 + 2.0**-47 * n
    assert _log_wealth(n, k, low, 1 - low) <= _log_wealth(n, k, high, 1 - high) + margin


@pytest.mark.parametrize(
    ("n", "k", "beta"),
    [
        (1, 0, 0.05),
        (20, 3, 0.3),
        (10_001, 0, 1e-7),
        (10_001, 37, 1e-9),
        (10**6, 700, 1e-7),
        (10**7, 0, 1e-20),
        (10**7, 40, 1e-20),
        (500, 499, 1e-3),
    ],
)
def test_against_exact_arithmetic(n, k, beta):
    """At the returned value the exact wealth has reached 1/β; a millionth inside it has not."""
    bound = anytime_bound(n, k, beta)
    with mpmath.workdps(60):

        def wealth(p: mpmath.mpf) -> mpmath.mpf:
            a = k + mpmath.mpf(_SHAPE)
            c = n - a
            integral = _SHAPE * mpmath.betainc(a, c, 0, p)
            return integral * mpmath.exp(-a * mpmath.log(p) - c * mpmath.log1p(-p))

        exact = mpmath.mpf(bound)
        assert wealth(exact) >= 1 / mpmath.mpf(beta)
        inside = exact - min(exact, 1 - exact) * mpmath.mpf(10) ** -6
        assert wealth(inside) < 1 / mpmath.mpf(beta)
        computed = _log_wealth(n, k, bound, 1.0 - bound)
        assert abs(computed - mpmath.log(wealth(exact))) < (1e-9 + 2.0**-48 * n) / 5


@given(x=st.floats(-3.0, 15.0).map(lambda exponent: 10.0**exponent))
@example(x=16.0)
def test_stirlings_remainder(x):
    with mpmath.workdps(50):
        y = mpmath.mpf(x)
        exact = mpmath.loggamma(y) - (y - 0.5) * mpmath.log(y) + y - mpmath.log(2 * mpmath.pi) / 2
    assert _stirling(x) == pytest.approx(float(exact), abs=1e-12)


@given(nk=counts(), beta=betas)
def test_it_is_no_tighter_than_the_bound_for_a_fixed_number(nk, beta):
    """At each single N it is a bound of confidence 1 − β, so Clopper–Pearson's is the smallest."""
    n, k = nk
    upper, lower = anytime_bound(n, k, beta), anytime_lower_bound(n, k, beta)
    assert 0.0 <= lower <= 1.0
    assert 0.0 < upper <= 1.0
    assert upper >= scenario_bound(n, k, beta) * (1.0 - 1e-9)
    assert 1.0 - lower >= scenario_bound(n, n - k, beta) * (1.0 - 1e-9)
    if beta <= 0.5:
        assert lower <= k / n <= upper


@given(nk=counts(10**6), beta=betas, other=betas)
def test_it_grows_with_k_and_falls_with_n_and_beta(nk, beta, other):
    n, k = nk
    slack = 1.0 + 1e-6  # rounded outwards by less than this
    for bound in (anytime_bound, anytime_lower_bound):
        value = bound(n, k, beta)
        assert bound(n + 1, k, beta) <= value * slack
        assert bound(n + 1, k + 1, beta) * slack >= value
        if k < n:
            assert bound(n, k + 1, beta) * slack >= value
    low, high = sorted((beta, other))
    assert anytime_bound(n, k, low) * slack >= anytime_bound(n, k, high)
    assert anytime_lower_bound(n, k, low) <= anytime_lower_bound(n, k, high) * slack


def test_it_closes_in_on_the_rate():
    numbers = [10**e for e in range(3, 8)]
    upper = [anytime_bound(n, n // 200, 1e-7) for n in numbers]
    lower = [anytime_lower_bound(n, n // 200, 1e-7) for n in numbers]
    assert upper == sorted(upper, reverse=True)
    assert lower == sorted(lower)
    assert upper[-1] < 1.03 * 0.005
    assert lower[-1] > 0.97 * 0.005


@pytest.mark.parametrize("beta", [1e-7, 1e-9])
@pytest.mark.parametrize("n", [1_000, 10_000, 10**6])
def test_the_price_of_looking_all_the_time_is_at_most_14_percent(n, beta):
    for k in (0, 1, 3, 10, n // 1_000, n // 100):
        assert anytime_bound(n, k, beta) < 1.14 * scenario_bound(n, k, beta)
    assert anytime_bound(n, 0, beta) < 1.07 * scenario_bound(n, 0, beta)


@pytest.mark.parametrize("n", [1, 10, 10**7, 2**53])
@pytest.mark.parametrize("beta", [0.999999, 1e-20, 1e-300, 2.3e-308])
def test_extremes_fail_closed(n, beta):
    assert anytime_bound(n, n, beta) == 1.0
    assert anytime_lower_bound(n, 0, beta) == 0.0
    assert scenario_bound(n, 0, beta) <= anytime_bound(n, 0, beta) <= 1.0
    assert 0.0 <= anytime_lower_bound(n, n, beta) <= 1.0
    assert anytime_bound(n, n // 2, beta) >= n // 2 / n
    assert anytime_lower_bound(n, n // 2, beta) <= n // 2 / n


@pytest.mark.parametrize("bound", [anytime_bound, anytime_lower_bound])
def test_bad_arguments_are_named(bound):
    with pytest.raises(ValueError, match=r"^num_scenarios must be"):
        bound(0, 0, 0.1)
    with pytest.raises(ValueError, match=r"^num_violations must be at most num_scenarios \(3\)"):
        bound(3, 4, 0.1)
    with pytest.raises(ValueError, match=r"^num_violations must be"):
        bound(3, -1, 0.1)
    for beta in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match=r"^beta must"):
            bound(3, 1, beta)


def test_a_call_takes_less_than_a_millisecond():
    cases = [(10**4, 0), (10**4, 17), (10**6, 1_000), (10**7, 10**5)]
    best = math.inf
    for _ in range(5):
        start = time.process_time()
        for n, k in cases:
            anytime_bound(n, k, 1e-9)
            anytime_lower_bound(n, k, 1e-9)
        best = min(best, time.process_time() - start)
    assert best / (2 * len(cases)) < 1e-3
