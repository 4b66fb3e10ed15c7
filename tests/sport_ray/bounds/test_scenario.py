"""The scenario bound against closed forms, the binomial tail, exact arithmetic and simulation."""

from __future__ import annotations

import math
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import excess_p_value, scenario_bound, scenario_lower_bound

betas = st.floats(-30.0, -0.01).map(lambda exponent: 10.0**exponent)


@st.composite
def counts(draw, largest: int = 10**6):
    n = draw(st.integers(1, largest))
    return n, draw(st.integers(0, n))


def binomial_tail(n: int, k: int, eps) -> mpmath.mpf:
    """P(Binomial(n, eps) ≤ k), in mpmath's working precision."""
    eps = mpmath.mpf(eps)
    return mpmath.fsum(
        mpmath.binomial(n, i) * eps**i * mpmath.exp((n - i) * mpmath.log1p(-eps))
        for i in range(k + 1)
    )


@given(n=st.integers(1, 10**7), beta=betas)
def test_without_violations_it_is_the_closed_form(n, beta):
    with mpmath.workdps(40):
        exact = 1 - mpmath.exp(mpmath.log(mpmath.mpf(beta)) / n)
    assert scenario_bound(n, 0, beta) == pytest.approx(float(exact), rel=1e-14)


@given(n=st.integers(1, 10**7), beta=betas)
def test_with_nothing_but_violations_nothing_is_promised(n, beta):
    assert scenario_bound(n, n, beta) == 1.0


@given(nk=counts(), beta=betas)
@example(nk=(1, 0), beta=1e-8)  # 1 − β rounds down, by half a unit in the last place of 1
def test_it_is_the_root_of_the_binomial_tail(nk, beta):
    """P(Binomial(N, ε) ≤ k) = β at the bound; just below the bound it is above β."""
    n, k = nk
    bound = scenario_bound(n, k, beta)
    if bound == 1.0:
        assert k == n or stats.binom.cdf(k, n, 1.0 - 2.0**-53) > beta
        return
    # At most beta, to the rounding of an independent evaluation; and no larger than it need be.
    assert stats.binom.cdf(k, n, bound) <= beta * (1.0 + 1e-9)
    assert stats.binom.cdf(k, n, bound * (1.0 - 1e-7)) >= beta


@pytest.mark.parametrize(
    ("n", "k", "beta"),
    [(20, 3, 0.05), (10_001, 0, 1e-7), (10_001, 37, 1e-7), (10_000, 1, 1e-300), (500, 499, 1e-9)],
)
def test_against_exact_arithmetic(n, k, beta):
    with mpmath.workdps(340):
        bound = mpmath.mpf(scenario_bound(n, k, beta))
        assert binomial_tail(n, k, bound) <= beta * (1 + 1e-12)
        assert binomial_tail(n, k, bound * (1 - mpmath.mpf(10) ** -7)) > beta


def test_published_values():
    # Clopper–Pearson, 95% two-sided upper limits (each one-sided at 0.025), Newcombe 1998, Table I.
    for n, k, upper in [(263, 81, 0.3676), (148, 15, 0.1617), (20, 0, 0.1684), (29, 1, 0.1776)]:
        assert scenario_bound(n, k, 0.025) == pytest.approx(upper, abs=5e-5)
    # arXiv 2504.06386: N = 10,001, beta = 1e-7 and no violation.
    assert scenario_bound(10_001, 0, 1e-7) == pytest.approx(0.0016104, abs=1e-7)


@given(nk=counts(), beta=betas, other=betas)
def test_it_grows_with_k_and_falls_with_n_and_beta(nk, beta, other):
    n, k = nk
    bound = scenario_bound(n, k, beta)
    slack = 1.0 + 1e-9  # rounded outwards by less than this
    assert 0.0 < bound <= 1.0
    assert scenario_bound(n + 1, k, beta) <= bound * slack
    if k < n:
        assert scenario_bound(n, k + 1, beta) * slack >= bound
    low, high = sorted((beta, other))
    assert scenario_bound(n, k, low) * slack >= scenario_bound(n, k, high)


@pytest.mark.parametrize("k", [0, 1, 5, 1_000, 10**6, 10**9 - 1, 10**9])
@pytest.mark.parametrize("beta", [0.999, 1e-7, 1e-100, 1e-300])
def test_a_billion_scenarios(k, beta):
    bound = scenario_bound(10**9, k, beta)
    assert bound <= 1.0
    assert stats.binom.cdf(k, 10**9, bound) <= beta * (1 + 1e-7) or bound == 1.0


def test_where_the_quantile_of_the_library_is_too_low():
    """Scipy's quantile alone lies 6% below the root here, on the unsafe side."""
    n, k, beta = 30_079, 32, 2.8290214104987583e-272
    with mpmath.workdps(50):
        raw = float(stats.beta.isf(beta, k + 1, n - k))
        assert binomial_tail(n, k, raw) > 1e10 * beta
        bound = scenario_bound(n, k, beta)
        assert binomial_tail(n, k, bound) <= beta < binomial_tail(n, k, 0.9 * bound)


@pytest.mark.parametrize("beta", [1e-16, 1e-20, 1e-300, 2.3e-308])
def test_a_tiny_beta_still_gives_a_bound(beta):
    """1 − β rounds to 1, yet the bound must not."""
    assert 0.0 < scenario_bound(10**6, 3, beta) < 1e-3
    assert scenario_bound(2, 1, beta) == 1.0


@pytest.mark.parametrize(("n", "k"), [(10, 0), (10_000, 0), (10_000, 7), (10**6, 300), (50, 49)])
def test_the_smallest_beta_that_is_taken_still_holds(n, k):
    beta = sys.float_info.min
    with mpmath.workdps(60):
        assert binomial_tail(n, k, scenario_bound(n, k, beta)) <= beta * (1 + 1e-12)


def test_a_beta_beyond_one_half_may_lie_below_the_rate():
    assert scenario_bound(10, 5, 0.99) == pytest.approx(0.2183384500569)


@pytest.mark.parametrize("p", [0.0005, 0.01, 0.2, 0.9])
@pytest.mark.parametrize("beta", [0.01, 0.1])
def test_coverage_on_simulated_rollouts(p, beta):
    """Over 20,000 certificates the bound fails at most at the stated rate."""
    n, repetitions = 400, 20_000
    found = np.random.default_rng([int(1e4 * p), int(1e3 * beta)]).binomial(n, p, repetitions)
    bounds = {k: scenario_bound(n, int(k), beta) for k in np.unique(found)}
    failures = sum(bounds[k] < p for k in found)
    assert stats.binomtest(int(failures), repetitions, beta, alternative="greater").pvalue > 1e-3
    # Exactly: the failures are the counts below some k, and their probability is at most beta.
    failing = [k for k, bound in bounds.items() if bound < p]
    assert stats.binom.cdf(max(failing, default=-1), n, p) <= beta


def test_an_ordinary_interval_would_not_cover():
    """The normal approximation fails the same simulation, so the test above has teeth."""
    n, p, beta, repetitions = 400, 0.01, 0.01, 20_000
    rates = np.random.default_rng(0).binomial(n, p, repetitions) / n
    upper = rates + stats.norm.isf(beta) * np.sqrt(rates * (1 - rates) / n)
    failures = int((upper < p).sum())
    assert stats.binomtest(failures, repetitions, beta, alternative="greater").pvalue < 1e-3


def test_seven_nines_need_this_many_scenarios():
    """N ≥ log β / log(1 − ε) without a violation, the textbook sample size."""
    n = math.ceil(math.log(1e-7) / math.log1p(-0.001))
    assert scenario_bound(n, 0, 1e-7) <= 0.001 < scenario_bound(n - 1, 0, 1e-7)


@given(nk=counts(), level=betas)
def test_the_lower_bound_is_the_root_of_the_upper_tail(nk, level):
    n, k = nk
    bound = scenario_lower_bound(n, k, level)
    if k == 0:
        assert bound == 0.0
        return
    assert 0.0 <= bound <= 1.0
    # At most the level, to the rounding of an independent evaluation; and no smaller than it need.
    assert stats.binom.sf(k - 1, n, bound) <= level * (1.0 + 1e-9)
    assert stats.binom.sf(k - 1, n, min(bound * (1.0 + 1e-7), 1.0)) >= level * (1.0 - 1e-9)
    if level < 0.5:
        assert bound <= scenario_bound(n, k, level)


@pytest.mark.parametrize(("n", "k", "level"), [(20, 3, 0.05), (10_001, 37, 1e-7), (500, 320, 1e-9)])
def test_the_lower_bound_against_exact_arithmetic(n, k, level):
    with mpmath.workdps(60):
        bound = mpmath.mpf(scenario_lower_bound(n, k, level))
        assert 1 - binomial_tail(n, k - 1, bound) <= level * (1 + 1e-12)
        assert 1 - binomial_tail(n, k - 1, bound * (1 + mpmath.mpf(10) ** -7)) > level


def test_published_lower_limits():
    # Newcombe 1998, Table I, method 5, as above.
    for n, k, lower in [(263, 81, 0.2527), (148, 15, 0.0578), (29, 1, 0.0009)]:
        assert scenario_lower_bound(n, k, 0.025) == pytest.approx(lower, abs=5e-5)


def test_a_tiny_level_still_gives_a_lower_bound():
    assert 0.0 <= scenario_lower_bound(10**6, 10**5, 1e-300) < 0.1
    assert scenario_lower_bound(10, 10, 1e-20) == pytest.approx(0.01)


def test_the_p_value_is_the_upper_tail():
    assert excess_p_value(100, 64, 0.231) == pytest.approx(stats.binom.sf(63, 100, 0.231))
    assert excess_p_value(100, 0, 0.0) == 1.0
    assert excess_p_value(100, 1, 0.0) == 0.0
    with pytest.raises(ValueError, match="promised"):
        excess_p_value(10, 1, 1.5)
    with pytest.raises(ValueError, match="num_violations"):
        scenario_lower_bound(10, 11, 0.1)
