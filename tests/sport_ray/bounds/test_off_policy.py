"""The off-policy bound: its confidence by enumerating every outcome, and what it gains."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.bounds.off_policy import (
    effective_sample_size,
    off_policy_bound,
    off_policy_holds,
)


def shrinking(alpha: float, n: int, horizon: int, seed: int) -> np.ndarray:
    """Log ratios of n paths of standard normals under N(0, 1/α²) at every step."""
    noise = np.random.default_rng(seed).standard_normal((n, horizon))
    return horizon * math.log(alpha) - 0.5 * (alpha**2 - 1.0) * (noise**2).sum(axis=1)


@pytest.mark.parametrize("beta", [0.05, 0.5])
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize(
    ("p", "ratio"),
    [
        ((0.1, 0.6, 0.3), (2.0, 1.0, 2.0 / 3.0)),  # the task violates twice as often
        ((0.3, 0.1, 0.6), (1.0, 6.0, 1.0 / 6.0)),  # the weight lies on a rare safe path
        ((0.05, 0.9, 0.05), (0.0, 1.0, 2.0)),  # the task never violates
        ((0.05, 0.9, 0.05), (18.0, 0.05, 1.1)),  # nearly always
    ],
)
def test_its_confidence_is_as_stated(p, ratio, limited, beta):
    """Paths of three kinds, the first violating: Σ P(outcome) 1{bound below the truth} ≤ β."""
    assert np.dot(p, ratio) == pytest.approx(1.0)
    n = 16
    truth = p[0] * ratio[0]
    limit = math.log(max(ratio)) if limited else None
    law = stats.multinomial(n, p)
    with np.errstate(divide="ignore"):
        log_ratio = np.log(ratio)
    failing = 0.0
    for first, second in itertools.product(range(n + 1), repeat=2):
        if first + second <= n:
            counts = [first, second, n - first - second]
            found = off_policy_bound(
                np.repeat(log_ratio, counts),
                np.repeat([1, 0, 0], counts),
                beta,
                log_ratio_limit=limit,
                min_effective_sample_size=0.0,
            )
            assert found.bound is not None
            failing += float(law.pmf(counts)) * (found.bound < truth - 1e-12)
    assert failing <= beta


@pytest.mark.slow
@pytest.mark.parametrize("limited", [False, True])
def test_it_covers_heavy_weights_in_simulation(limited):
    """400 data sets of 300 paths whose weights have a standard deviation of 2 at mean 1."""
    alpha, horizon, n, beta, repetitions = 1.25, 12, 300, 0.1, 400
    # Violating is |x_1| < r: likelier under the task policy, whose x_1 is N(0, 1/α²).
    radius = 0.15
    truth = 2.0 * stats.norm.cdf(alpha * radius) - 1.0
    failures = 0
    for seed in range(repetitions):
        noise = np.random.default_rng(seed).standard_normal((n, horizon))
        logs = horizon * math.log(alpha) - 0.5 * (alpha**2 - 1.0) * (noise**2).sum(axis=1)
        found = off_policy_bound(
            logs,
            np.abs(noise[:, 0]) < radius,
            beta,
            log_ratio_limit=horizon * math.log(alpha) if limited else None,
            min_effective_sample_size=0.0,
        )
        failures += found.bound < truth
    assert stats.binomtest(failures, repetitions, beta, alternative="greater").pvalue > 1e-3


def test_with_the_base_itself_it_comes_near_the_scenario_bound():
    n, k, beta = 10_000, 37, 1e-7
    flags = np.arange(n) < k
    found = off_policy_bound(np.zeros(n), flags, beta)
    exact = scenario_bound(n, k, beta)
    assert exact < found.bound < 1.2 * exact
    assert found.effective_sample_size == pytest.approx(n)
    assert found.refusal is None


@pytest.mark.parametrize(("alpha", "share"), [(1.05, 0.6), (1.1, 0.35), (1.2, 0.2)])
def test_a_limit_takes_away_most_of_the_noise(alpha, share):
    """Against α^T ε from the same scenarios at the same β."""
    n, horizon, k, beta = 10_000, 21, 37, 1e-7
    logs, flags = shrinking(alpha, n, horizon, seed=1), np.arange(n) < k
    limit = horizon * math.log(alpha)
    bound = off_policy_bound(logs, flags, beta, log_ratio_limit=limit).bound
    assert bound < off_policy_bound(logs, flags, beta).bound
    assert bound < share * ratio_bound(scenario_bound(n, k, beta), alpha, horizon)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_scenarios_does_not_matter_and_violations_do(seed):
    rng = np.random.default_rng(seed)
    logs, flags = shrinking(1.1, 200, 5, seed), rng.random(200) < 0.05
    limit = 5 * math.log(1.1)
    for extra in ({}, {"log_ratio_limit": limit}):
        bound = off_policy_bound(logs, flags, 0.01, **extra).bound
        order = rng.permutation(200)
        assert off_policy_bound(logs[order], flags[order], 0.01, **extra).bound == pytest.approx(
            bound, rel=1e-9
        )
        more = flags.copy()
        more[np.flatnonzero(~flags)[0]] = True
        assert off_policy_bound(logs, more, 0.01, **extra).bound >= bound
        assert off_policy_bound(logs, flags, 0.001, **extra).bound >= bound


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), shift=st.floats(-0.02, 0.02))
def test_one_evaluation_says_whether_the_bound_holds(seed, shift):
    rng = np.random.default_rng(seed)
    logs, flags = shrinking(1.1, 200, 5, seed), rng.random(200) < 0.05
    limit = {"log_ratio_limit": 5 * math.log(1.1)}
    bound = off_policy_bound(logs, flags, 0.01, **limit).bound
    eps = min(max(bound + shift, 0.0), 1.0)
    assert off_policy_holds(logs, flags, 0.01, bound, **limit)
    if abs(shift) > 1e-6:
        assert off_policy_holds(logs, flags, 0.01, eps, **limit) == (eps >= bound)
    assert off_policy_holds(logs, flags, 0.01, 1.0, **limit)
    assert not off_policy_holds(logs, flags, 0.01, 1.0, min_effective_sample_size=1e6)


@pytest.mark.parametrize("beta", [0.05, 0.5])
@pytest.mark.parametrize(
    ("p", "ratio", "capped"),
    [
        ((0.1, 0.6, 0.3), (2.0, 1.0, 2.0 / 3.0), (2.0, 1.0, 2.0 / 3.0)),
        ((0.3, 0.1, 0.6), (1.0, 6.0, 1.0 / 6.0), (1.5, 1.5, 4.0 / 6.0)),
        ((0.3, 0.1, 0.6), (2.0, 0.5, 7.0 / 12.0), (0.0, 1.5, 17.0 / 12.0)),  # wrong where it hurts
    ],
)
def test_with_capped_ratios_its_confidence_is_as_stated(p, ratio, capped, beta):
    """As above; any variable of mean 1 within its cap will do, however ill it follows."""
    assert np.dot(p, ratio) == pytest.approx(1.0)
    assert np.dot(p, capped) == pytest.approx(1.0)
    n, truth, law = 14, p[0] * ratio[0], stats.multinomial(14, p)
    failing = 0.0
    for first, second in itertools.product(range(n + 1), repeat=2):
        if first + second <= n:
            counts = [first, second, n - first - second]
            found = off_policy_holds(
                np.repeat(np.log(ratio), counts),
                np.repeat([1, 0, 0], counts),
                beta,
                truth - 1e-9,
                capped=np.repeat(capped, counts)[:, None],
                caps=[2.0],
                min_effective_sample_size=0.0,
            )
            failing += float(law.pmf(counts)) * found
    assert failing <= beta


def test_truncating_weights_of_safe_paths_only_raises_the_bound():
    logs, flags = shrinking(1.3, 1000, 10, 3), np.arange(1000) < 5
    bound = off_policy_bound(logs, flags, 0.01).bound
    for level in (2.0, 1.0, 0.5):
        assert off_policy_bound(np.minimum(logs, level), flags, 0.01).bound >= bound


def test_too_few_effective_scenarios_are_refused():
    logs = np.zeros(1000)
    logs[0] = 20.0
    found = off_policy_bound(logs, np.zeros(1000), 0.05)
    assert found.bound is None
    assert found.effective_sample_size < 1.01
    assert "effective sample size" in found.refusal
    assert "\n" not in found.refusal
    nothing = off_policy_bound(np.full(10, -math.inf), np.zeros(10), 0.05)
    assert (nothing.bound, nothing.effective_sample_size) == (None, 0.0)


def test_the_effective_sample_size():
    assert effective_sample_size([0.0, 0.0, -math.inf]) == pytest.approx(2.0)
    assert effective_sample_size(np.log([1.0, 3.0])) == pytest.approx(16.0 / 10.0)
    assert effective_sample_size([5000.0, 5000.0]) == pytest.approx(2.0)


def test_a_limit_that_rounding_exceeds_by_a_little_still_holds():
    logs = np.full(200, 0.1 + 1e-15)
    assert off_policy_bound(logs, np.zeros(200), 0.1, log_ratio_limit=0.1).bound < 1.0


def test_extremes():
    floor = {"min_effective_sample_size": 0.0}
    assert off_policy_bound([0.0], [1], 0.05, **floor).bound == 1.0
    assert off_policy_bound([5000.0, -math.inf], [0, 1], 0.05, **floor).bound <= 1.0
    assert off_policy_bound([-math.inf] * 9, [0] * 9, 0.05, **floor).bound == 1.0
    assert off_policy_bound([0.0] * 9, [0] * 9, 0.05, log_ratio_limit=900.0, **floor).bound < 1.0


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"log_ratios": []}, "log_ratios"),
        ({"log_ratios": [[0.0, 0.0]]}, "log_ratios"),
        ({"log_ratios": [0.0, math.nan]}, "log_ratios"),
        ({"log_ratios": [0.0, math.inf]}, "log_ratios"),
        ({"log_ratio_limit": 0.05}, "log_ratios"),
        ({"log_ratio_limit": 0.0}, "log_ratio_limit"),
        ({"violated": [0]}, "violated"),
        ({"violated": [0, 0.5]}, "violated"),
        ({"violated": [0, math.nan]}, "violated"),
        ({"beta": 0.0}, "beta"),
        ({"caps": [2.0]}, "capped"),
        ({"caps": [2.0], "capped": [[1.0], [2.1]]}, "capped"),
        ({"caps": [2.0], "capped": [[1.0], [math.nan]]}, "capped"),
        ({"caps": [2.0], "capped": [[1.0]]}, "capped"),
        ({"caps": [1.0], "capped": [[1.0], [1.0]]}, "caps"),
        ({"min_effective_sample_size": math.nan}, "min_effective_sample_size"),
    ],
)
def test_an_argument_out_of_range_is_named(changed, name):
    good = {"log_ratios": [0.0, 0.1], "violated": [0, 1], "beta": 0.1}
    with pytest.raises(ValueError, match=rf"^{name} must "):
        off_policy_bound(**{**good, **changed})
