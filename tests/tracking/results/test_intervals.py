"""Student's intervals and Holm's correction: against scipy, by coverage, and by error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sport_ray.tracking.results.intervals import (
    estimate,
    estimate_difference,
    holm,
    interquartile_mean,
    interval_text,
    standard_error,
)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_of_normal_numbers_the_interval_covers_what_it_says(count: int) -> None:
    """The percentile bootstrap covers 0.72 at three seeds; this is 0.95 from two on."""
    rng = np.random.default_rng(count)
    found = [estimate(rng.normal(3.0, 2.0, count)) for _ in range(4000)]
    covered = sum(one.low <= 3.0 <= one.high for one in found)
    assert stats.binomtest(covered, 4000, 0.95).pvalue > 1e-3


def test_it_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=7)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert estimate(values, 0.9)[1:] == pytest.approx((expected.low, expected.high))
    assert standard_error(values) == pytest.approx(stats.sem(values))
    first, second = values[:3], 2 * values[3:]
    welch = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    found = estimate_difference(first, second)
    assert found.value == pytest.approx(second.mean() - first.mean())
    assert found[1:] == pytest.approx((welch.low, welch.high))


def test_one_number_has_no_interval_and_none_no_value() -> None:
    assert estimate([2.0])[0] == 2.0
    assert math.isnan(estimate([2.0]).low)
    assert all(math.isnan(x) for x in (*estimate([]), *estimate([1.0, float("nan")])))
    one_sided = estimate_difference([1.0], [2.0, 3.0])
    assert one_sided.value == 1.5
    assert math.isnan(one_sided.low)
    assert all(math.isnan(x) for x in estimate_difference([], [1.0]))
    assert estimate_difference([1.0, 1.0], [2.0, 2.0]) == (1.0, 1.0, 1.0)
    assert interval_text(1) == "no interval: 1 seed"


def test_interquartile_mean_is_scipys_trimmed_mean() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 3, 4, 7, 10):
        values = rng.normal(size=count)
        assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))
    assert math.isnan(interquartile_mean([]))


def test_weighted_holm_keeps_its_level_where_nothing_is_true() -> None:
    """Independent p-values under the null: any false rejection in at most 5%, of all weights."""
    rng = np.random.default_rng(2)
    for weights in (None, [0.9, 0.05, 0.05]):
        false = sum((holm(rng.uniform(size=3), weights) <= 0.05).any() for _ in range(4000))
        assert stats.binomtest(false, 4000, 0.05, alternative="greater").pvalue > 1e-3


def test_holm_skips_what_was_not_tested_and_passes_weight_on() -> None:
    assert holm([0.01, float("nan"), 0.04])[[0, 2]].tolist() == [0.02, 0.04]
    assert math.isnan(holm([0.01, float("nan")])[1])
    # The second has a tenth of the level until the first is rejected, and then all of it.
    assert holm([0.5, 0.02], [0.9, 0.1]).tolist() == pytest.approx([0.5, 0.2])
    assert holm([0.001, 0.02], [0.9, 0.1])[1] == pytest.approx(0.02)
