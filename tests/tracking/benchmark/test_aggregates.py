"""Aggregates: against brute force, the definitions, and cases known by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from sport_ray.tracking.benchmark.aggregates import (
    Strata,
    improvement,
    iqm,
    mean,
    profile,
    weighted_iqm,
)
from sport_ray.tracking.results.intervals import interquartile_mean


def strata(*scores, weights=None):
    arrays = tuple(np.asarray(one, dtype=float) for one in scores)
    return Strata(arrays, tuple(weights or [1.0] * len(arrays)))


@pytest.mark.parametrize("count", [4, 8, 40])
def test_with_equal_weights_it_is_rliable_s(count):
    values = np.random.default_rng(count).normal(size=count)
    assert weighted_iqm(values, np.ones(count)) == pytest.approx(stats.trim_mean(values, 0.25))
    assert weighted_iqm(values, np.ones(count)) == pytest.approx(interquartile_mean(values))


def test_a_weight_is_as_many_equal_scores():
    rng = np.random.default_rng(1)
    values, counts = rng.normal(size=7), rng.integers(1, 6, size=7)
    repeated = np.sort(np.repeat(values, 4 * counts))  # a multiple of 4: no score lies across
    cut = repeated.size // 4
    assert weighted_iqm(values, counts) == pytest.approx(repeated[cut:-cut].mean())


def test_each_task_weighs_the_same_however_many_seeds_it_has():
    many, few = np.zeros(40), np.ones(2)
    assert mean(strata(many, few)) == pytest.approx(0.5)
    assert mean(strata(many, few, weights=[1.0, 3.0])) == pytest.approx(0.75)


def test_the_interval_is_that_of_every_possible_draw():
    scores = ([0.0, 0.3, 1.0], [0.2, 0.9])
    first = [np.array(one) for one in itertools.product(scores[0], repeat=3)]
    second = [np.array(one) for one in itertools.product(scores[1], repeat=2)]
    one = strata(*scores)
    every = [weighted_iqm(np.r_[a, b], one.each) for a in first for b in second]
    low, high = np.quantile(every, [0.025, 0.975], method="inverted_cdf")
    found = iqm(one, replicates=40_000)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    assert found.low <= found.value <= found.high


def test_draws_stay_within_their_stratum():
    """Strata without any spread have none, though they differ from each other."""
    found = iqm(strata(np.zeros(5), np.ones(5)))
    assert (found.low, found.high) == (found.value, found.value) == (0.5, 0.5)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, inside = np.random.default_rng(3), 0
    for _ in range(200):
        found = iqm(strata(rng.normal(0.2, 1, 20), rng.normal(0.4, 1, 20)), replicates=400)
        inside += found.low <= 0.3 <= found.high  # symmetric about 0.3, so that is the IQM
    assert 0.87 <= inside / 200 <= 0.99  # percentile intervals from 20 seeds are a little short


def test_the_probability_of_improvement_counts_pairs():
    rng = np.random.default_rng(4)
    x, y = [rng.integers(0, 5, n) for n in (6, 8)], [rng.integers(0, 5, n) for n in (5, 3)]
    pairs = [
        np.mean([(a > b) + 0.5 * (a == b) for a in first for b in second])
        for first, second in zip(x, y, strict=True)
    ]
    found = improvement(strata(*x, weights=[1, 3]), strata(*y))
    assert found.value == pytest.approx((pairs[0] + 3 * pairs[1]) / 4)
    assert found.low < found.value < found.high
    # Mann and Whitney's statistic, over the number of pairs
    u = stats.mannwhitneyu(x[0], y[0]).statistic
    assert pairs[0] == pytest.approx(u / 30)


def test_itself_and_the_clearly_better():
    one = strata([1.0, 2.0, 3.0], [4.0, 5.0])
    assert improvement(one, one).value == 0.5
    better = strata([11.0, 12.0], [14.0, 15.0])
    assert improvement(better, one) == (1.0, 1.0, 1.0)


def test_the_profile_falls_from_all_to_none():
    one = strata([0.0, 0.5, 1.0, 1.0], [0.2, 0.4])
    values = [found.value for found in profile(one, [-1, 0.0, 0.3, 0.99, 1.0])]
    assert values == pytest.approx([1, (3 / 4 + 1) / 2, (3 / 4 + 1 / 2) / 2, 1 / 4, 0])


def test_one_seed_has_no_interval_and_nonsense_is_refused():
    assert np.isnan(iqm(strata([0.4], [0.5, 0.6])).low)
    assert np.isnan(iqm(strata()).value)
    with pytest.raises(ValueError, match="finite"):
        strata([0.1, np.nan])
    with pytest.raises(ValueError, match="strata"):
        improvement(strata([1.0]), strata())
