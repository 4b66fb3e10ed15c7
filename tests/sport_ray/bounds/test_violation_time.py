"""The violation-time bound; the counts' confidence by enumerating every outcome."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.bounds.violation_time import (
    violation_time_bound,
    violation_time_bound_from_counts,
)

SLACK = 1.0 + 1e-9


def abel_bound(counts, n, alpha, beta) -> float:
    """Another sound bound, to compare with: Clopper–Pearson on P(violates at t or later), each t.

    Σ_t α^t q_t = S_0 + Σ_{s≥1} (α^s − α^{s−1}) S_s with S_s = Σ_{t≥s} q_t, each at β/(T+1).
    """
    later = np.cumsum(counts[::-1])[::-1]
    tails = [scenario_bound(n, int(k), beta / len(counts)) for k in later]
    steps = np.diff(alpha ** np.arange(len(counts)), prepend=0.0)
    return float(steps @ np.minimum.accumulate(tails))


def test_by_hand():
    assert violation_time_bound([0.01, 0.1, 0.02], [2.0, 3.0]) == pytest.approx(
        0.01 + 2 * 0.1 + 6 * 0.02
    )
    assert violation_time_bound([0.0, 0.0, 0.0], [1e300, 1e300]) == 0.0
    assert violation_time_bound([0.25, 0.125, 0.0], [1.0, 1e308]) == pytest.approx(0.375)


@given(
    q=st.lists(st.floats(0.0, 0.05), min_size=2, max_size=12),
    seed=st.integers(0, 1000),
)
def test_it_is_rounded_up_and_never_above_the_ratio_bound(q, seed):
    alphas = np.random.default_rng(seed).uniform(1.0, 2.0, len(q) - 1).tolist()
    exact, factor = Fraction(0), Fraction(1)
    for probability, alpha in zip(q, [1.0, *alphas], strict=True):
        factor *= Fraction(alpha)
        exact += factor * Fraction(probability)
    bound = violation_time_bound(q, alphas)
    assert exact <= Fraction(bound)
    assert bound <= float(exact) * SLACK + 1e-300
    assert bound <= math.fsum(q) * math.prod(alphas) * SLACK + 1e-300


@given(
    counts=st.lists(st.integers(0, 40), min_size=2, max_size=10),
    alpha=st.floats(1.0, 2.0),
    beta=st.floats(-20.0, -0.5).map(lambda exponent: 10.0**exponent),
)
def test_from_counts_it_is_never_above_the_ratio_bound(counts, alpha, beta):
    n, horizon, k = 1000, len(counts) - 1, sum(counts)
    bound = violation_time_bound_from_counts(counts, n, horizon, alpha, beta)
    assert bound <= ratio_bound(scenario_bound(n, k, beta / 2), alpha, horizon)
    if beta < 0.1:
        assert bound >= violation_time_bound([c / n for c in counts], [alpha] * horizon)


@given(seed=st.integers(0, 10**6), alpha=st.floats(1.01, 2.0))
def test_earlier_violations_and_fewer_give_less(seed, alpha):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 8, 7)
    n, beta = 2000, 1e-4
    bound = violation_time_bound_from_counts(counts.tolist(), n, 6, alpha, beta)
    step = int(rng.integers(1, 7))
    if counts[step]:
        fewer, earlier = counts.copy(), counts.copy()
        fewer[step] -= 1
        earlier[step] -= 1
        earlier[step - 1] += 1
        for less in (fewer, earlier):
            smaller = violation_time_bound_from_counts(less.tolist(), n, 6, alpha, beta)
            assert smaller <= bound * SLACK
    higher = violation_time_bound_from_counts(counts.tolist(), n, 6, alpha * 1.01, beta)
    assert higher * SLACK >= bound
    surer = violation_time_bound_from_counts(counts.tolist(), n, 6, alpha, beta / 10)
    assert surer * SLACK >= bound


@pytest.mark.parametrize("beta", [0.05, 0.4])
@pytest.mark.parametrize("alpha", [1.3, 3.0])
@pytest.mark.parametrize(
    "q", [(0.0, 0.02, 0.1), (0.0, 0.3, 0.01), (0.05, 0.05, 0.05), (0.0, 0.0, 0.1), (0.2, 0.0, 0.0)]
)
def test_its_confidence_is_as_stated(q, alpha, beta):
    """Σ over all outcomes of n = 20 scenarios of P(outcome) · 1{bound below the truth} ≤ β."""
    n, horizon = 20, 2
    truth = violation_time_bound(q, [alpha] * horizon)
    law = stats.multinomial(n, [*q, 1.0 - sum(q)])
    failing = total = 0.0
    for counts in itertools.product(range(n + 1), repeat=3):
        if sum(counts) <= n and all(p > 0.0 or c == 0 for p, c in zip(q, counts, strict=True)):
            chance = float(law.pmf([*counts, n - sum(counts)]))
            total += chance
            if chance > 1e-15:
                bound = violation_time_bound_from_counts(counts, n, horizon, alpha, beta)
                failing += chance * (bound < truth / SLACK)
    assert total == pytest.approx(1.0, abs=1e-9)
    assert failing <= beta


@pytest.mark.parametrize(
    ("counts", "gain"),
    [
        ([0, 9] + [0] * 19, 0.55),
        ([0] * 11 + [9] + [0] * 9, 0.65),
        ([0] + [20] * 20, 0.55),
        ([0, 0, 200] + [0] * 18, 0.25),
    ],
)
def test_early_violations_give_much_less(counts, gain):
    """A certificate's numbers: against α^T ε, and against a bound for each time at once."""
    n, alpha, beta = 10_000, 1.1, 1e-7
    bound = violation_time_bound_from_counts(counts, n, 20, alpha, beta)
    assert bound < gain * ratio_bound(scenario_bound(n, sum(counts), beta), alpha, 20)
    assert bound < abel_bound(counts, n, alpha, beta)


def test_timeouts_alone_gain_nothing():
    counts = [0] * 20 + [9]
    bound = violation_time_bound_from_counts(counts, 10_000, 20, 1.1, 1e-7)
    assert bound == ratio_bound(scenario_bound(10_000, 9, 5e-8), 1.1, 20)


def test_extremes():
    tiny = violation_time_bound_from_counts([0, 3, 0], 100, 2, 1.1, 1e-300)
    assert tiny <= ratio_bound(scenario_bound(100, 3, 5e-301), 1.1, 2)
    assert violation_time_bound_from_counts([0, 3, 0], 100, 2, 1e200, 0.1) == math.inf
    assert violation_time_bound_from_counts([0, 0, 100], 100, 2, 1.5, 0.1) == 2.25
    assert violation_time_bound_from_counts([100, 0, 0], 100, 2, 1.5, 0.1) >= 1.0


def test_many_violations():
    counts = [0] + [400] * 10
    bound = violation_time_bound_from_counts(counts, 10_000, 10, 1.05, 1e-7)
    truth = violation_time_bound([c / 10_000 for c in counts], [1.05] * 10)
    assert truth < bound < 1.1 * truth


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (violation_time_bound, ([0.1], []), "alphas"),
        (violation_time_bound, ([0.1], [1.5]), "q"),
        (violation_time_bound, ([0.1, 1.1], [1.5]), "q"),
        (violation_time_bound, ([0.1, math.nan], [1.5]), "q"),
        (violation_time_bound, ([0.1, 0.1], [0.9]), "alphas"),
        (violation_time_bound_from_counts, ([1, 2], 10, 2, 1.5, 0.1), "counts_by_step"),
        (violation_time_bound_from_counts, ([1, 2, -1], 10, 2, 1.5, 0.1), "counts_by_step"),
        (violation_time_bound_from_counts, ([1, 2, 8], 10, 2, 1.5, 0.1), "counts_by_step"),
        (violation_time_bound_from_counts, ([1, 2, 3], 10, 2, 0.5, 0.1), "alpha"),
        (violation_time_bound_from_counts, ([1, 2, 3], 10, 2, 1.5, 1.0), "beta"),
    ],
)
def test_an_argument_out_of_range_is_named(function, arguments, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        function(*arguments)
