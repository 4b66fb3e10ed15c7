"""The stratified bootstrap, against rliable's own code and against enumeration."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import types
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import trim_mean

from tracking.bootstrap import (
    content_seed,
    estimate,
    estimate_difference,
    interquartile_mean,
    mean_of_means,
    percentile_interval,
    resample,
)

SCORES = np.random.default_rng(5).normal([1.0, 4.0, -2.0], [1.0, 0.2, 3.0], size=(5, 3))


@pytest.fixture(scope="module")
def rliable() -> ModuleType:
    """rliable.library, on arch's bootstrap without arch's econometrics.

    rliable needs arch < 8, whose package imports models that pandas 3 breaks; its bootstrap is
    sound. So the package is entered without running its __init__.
    """
    if "arch" not in sys.modules:
        found = importlib.util.find_spec("arch")
        assert found is not None and found.submodule_search_locations is not None
        package = types.ModuleType("arch")
        package.__path__ = list(found.submodule_search_locations)
        package.__spec__ = found
        sys.modules["arch"] = package
    from rliable import library

    return library


def both(scores: np.ndarray) -> np.ndarray:
    strata = [scores[:, task] for task in range(scores.shape[1])]
    return np.array([mean_of_means(strata), interquartile_mean(strata)])


def test_the_aggregates_are_rliables() -> None:
    from rliable import metrics

    rng = np.random.default_rng(0)
    for runs, tasks in itertools.product((1, 2, 3, 4, 5, 7, 10), (1, 2, 6)):
        scores = rng.standard_cauchy(size=(runs, tasks))
        expected = [metrics.aggregate_mean(scores), metrics.aggregate_iqm(scores)]
        np.testing.assert_allclose(both(scores), expected, rtol=1e-13)


def test_from_the_same_draws_the_interval_is_rliables(rliable: ModuleType) -> None:
    resamples = 400
    np.random.seed(11)  # rliable draws from numpy's global generator
    _, intervals = rliable.get_interval_estimates({"a": SCORES}, both, reps=resamples)
    np.random.seed(11)
    tasks = np.arange(SCORES.shape[1])
    draws = [np.random.choice(5, SCORES.shape, replace=True) for _ in range(resamples)]
    drawn = [np.stack([SCORES[draw, tasks][:, task] for draw in draws]) for task in tasks]
    for row, statistic in enumerate((mean_of_means, interquartile_mean)):
        low, high = percentile_interval(statistic(drawn))
        np.testing.assert_allclose([low, high], intervals["a"][:, row], rtol=1e-13)


def test_from_its_own_draws_the_interval_is_rliables_within_its_noise(rliable: ModuleType) -> None:
    np.random.seed(2)
    _, intervals = rliable.get_interval_estimates({"a": SCORES}, both, reps=3000)
    for row, statistic in enumerate((mean_of_means, interquartile_mean)):
        strata = list(SCORES.T)
        drawn = statistic(resample(strata, resamples=20_000))
        # A percentile's own error: how far it moves when its level does by three standard errors.
        error = 3 * np.sqrt(0.025 * 0.975 * (1 / 3000 + 1 / 20_000))
        ours = estimate(strata, statistic, resamples=20_000)
        for level, found, theirs in (
            (0.025, ours.low, intervals["a"][0, row]),
            (0.975, ours.high, intervals["a"][1, row]),
        ):
            assert np.quantile(drawn, level) == pytest.approx(found, rel=1e-12)
            span = np.quantile(drawn, [level - error, level + error])
            assert span[0] <= theirs <= span[1]


def test_rliables_random_state_does_not_make_it_reproducible_but_ours_is(
    rliable: ModuleType,
) -> None:
    def theirs() -> np.ndarray:
        state = np.random.RandomState(1)
        with pytest.warns(FutureWarning):
            found = rliable.get_interval_estimates({"a": SCORES}, both, reps=50, random_state=state)
        return found[1]["a"]

    assert not np.array_equal(theirs(), theirs())
    assert estimate(list(SCORES.T)) == estimate(list(SCORES.T))


def test_the_interval_is_that_of_all_resamples() -> None:
    values = np.array([1.0, 2.0, 4.0, 11.0])
    every = np.array([np.mean(draw) for draw in itertools.product(values, repeat=4)])
    found = estimate([values], resamples=200_000)
    assert found.value == values.mean()
    # 256 equally likely means, so at most neighbours of the exact percentiles.
    for level, one in ((0.025, found.low), (0.975, found.high)):
        near = np.quantile(every, [level - 0.004, level + 0.004])
        assert near[0] <= one <= near[1]


def test_strata_are_resampled_apart_and_never_mixed() -> None:
    strata = [np.array([0.0, 1.0, 2.0]), np.array([10.0, 20.0, 30.0, 40.0])]
    drawn = resample(strata)
    assert [one.shape[1] for one in drawn] == [3, 4]
    assert set(np.unique(drawn[0])) == {0.0, 1.0, 2.0}
    assert set(np.unique(drawn[1])) == {10.0, 20.0, 30.0, 40.0}
    twice = resample([strata[0], strata[0]])
    assert abs(np.corrcoef(twice[0].mean(axis=1), twice[1].mean(axis=1))[0, 1]) < 0.05
    assert float(mean_of_means(strata)) == (1.0 + 25.0) / 2


def test_the_order_of_seeds_is_no_matter_and_their_numbers_are() -> None:
    values = np.array([3.0, 1.0, 2.5, 9.0])
    assert estimate([values]) == estimate([values[::-1]])
    assert content_seed([values]) != content_seed([values + 1e-12])
    assert content_seed([values[:2], values[2:]]) != content_seed([values])


def test_with_fewer_than_three_seeds_there_is_no_interval() -> None:
    for strata in ([[1.0, 2.0]], [[1.0, 2.0, 3.0], [1.0]]):
        found = estimate(strata)
        assert np.isfinite(found.value)
        assert np.isnan([found.low, found.high]).all()
    three = estimate([[1.0, 2.0, 6.0]])
    assert (three.low, three.value, three.high) == (1.0, 3.0, 6.0)  # their range: P(all one) = 1/27


@pytest.mark.parametrize("strata", [[], [[]], [[1.0, 2.0, np.nan]], [[1.0, np.inf, 2.0]]])
def test_nothing_known_gives_nothing(strata: list) -> None:
    assert np.isnan(estimate(strata)).all()
    assert np.isnan(estimate_difference(strata, [[1.0, 2.0, 3.0]])).all()


def test_an_outlier_moves_the_mean_and_not_the_interquartile_mean() -> None:
    values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.0, 500.0]
    assert estimate([values]).value > 60
    middle = estimate([values], interquartile_mean)
    assert middle.value == pytest.approx(trim_mean(values, 0.25), rel=1e-15)
    assert middle.value == pytest.approx(1.0, abs=0.05)


def test_an_unpaired_difference_of_equal_numbers_is_not_certain() -> None:
    """Both sides have the same content; resampled alike, their difference would always be 0."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = estimate_difference([values], [values])
    assert found.value == 0.0
    assert found.low < -1.0 and found.high > 1.0


def test_an_unpaired_difference_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        first, second = rng.normal(0, 1, 30), rng.normal(1, 2, 30)
        found = estimate_difference([first], [second], resamples=500)
        hits += found.low <= 1.0 <= found.high
    assert 0.90 <= hits / 300 <= 0.98
