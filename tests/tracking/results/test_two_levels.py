"""Intervals over bases and seeds: against closed forms, and their coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sport_ray.tracking.results.intervals import estimate
from sport_ray.tracking.results.two_levels import (
    pooled,
    pooled_crossed,
    prediction,
    prediction_crossed,
)

BASES, SEEDS, STUDIES = 3, 10, 1_200


@pytest.mark.parametrize("between", [0.0, 0.1, 0.3, 1.0, 3.0, 10.0])
def test_its_coverage_is_near_nominal_with_three_bases_of_ten_seeds(between: float) -> None:
    """Of one seed of one further base; whatever the share of the bases in the variance."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(STUDIES):
        bases = rng.normal(0.0, between, BASES + 1)
        seeds = bases[:BASES, None] + rng.normal(size=(BASES, SEEDS))
        found = prediction(list(seeds))
        held += found.low <= bases[BASES] + rng.normal() <= found.high
    spread = math.sqrt(0.95 * 0.05 / STUDIES)
    # Satterthwaite's degrees of freedom are an approximation: a percent on either side.
    assert abs(held / STUDIES - 0.95) < 0.01 + 3 * spread


@pytest.mark.parametrize("between", [0.0, 1.0])
def test_the_mean_over_bases_is_covered(between: float) -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(STUDIES):
        bases = rng.normal(0.0, between, BASES)
        found = pooled(list(bases[:, None] + rng.normal(size=(BASES, SEEDS))))
        held += found.low <= 0.0 <= found.high
    assert abs(held / STUDIES - 0.95) < 3 * math.sqrt(0.95 * 0.05 / STUDIES)


def test_the_mean_over_seeds_alone_would_not_do() -> None:
    """What the interval for a further base is for: one over all seeds holds far fewer."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(STUDIES):
        bases = rng.normal(size=BASES + 1)
        seeds = bases[:BASES, None] + 0.3 * rng.normal(size=(BASES, SEEDS))
        naive = estimate(seeds.ravel())
        held += naive.low <= bases[BASES] + 0.3 * rng.normal() <= naive.high
    assert held / STUDIES < 0.6


def test_the_mean_squares_of_a_balanced_design() -> None:
    """The variance is ((k + 1) MSB/k + (n − 1) MSE)/n of the analysis of variance."""
    table = np.random.default_rng(0).normal(size=(4, 5))
    bases, seeds = table.shape
    msb = seeds * table.mean(axis=1).var(ddof=1)
    mse = table.var(axis=1, ddof=1).mean()
    parts = (bases + 1) / bases * msb / seeds, (seeds - 1) / seeds * mse
    degrees = sum(parts) ** 2 / (
        parts[0] ** 2 / (bases - 1) + parts[1] ** 2 / (bases * (seeds - 1))
    )
    half = stats.t.ppf(0.975, degrees) * math.sqrt(sum(parts))
    found = prediction(list(table))
    assert found.value == pytest.approx(table.mean())
    assert found.high - found.value == pytest.approx(half, rel=1e-12)


def test_one_base_predicts_its_own_next_seed() -> None:
    seeds = np.random.default_rng(1).normal(size=8)
    found = prediction([seeds])
    half = stats.t.ppf(0.975, 7) * seeds.std(ddof=1) * math.sqrt(1 + 1 / 8)
    assert found.high - found.value == pytest.approx(half, rel=1e-12)
    assert pooled([seeds]) == estimate(seeds)


def test_bases_of_unequal_seeds_count_alike() -> None:
    groups = [[1.0, 3.0], [4.0] * 9, [6.0]]
    assert prediction(groups).value == pytest.approx(4.0)
    assert pooled(groups).value == pytest.approx(4.0)


def test_one_seed_per_base_leaves_the_bases_spread() -> None:
    found = prediction([[1.0], [2.0], [4.0]])
    half = stats.t.ppf(0.975, 2) * np.std([1, 2, 4], ddof=1) * math.sqrt(1 + 1 / 3)
    assert found.high - found.value == pytest.approx(half, rel=1e-12)


def test_where_nothing_can_be_said() -> None:
    assert math.isnan(prediction([[1.0]]).low)
    assert math.isnan(prediction([]).value)
    assert math.isnan(prediction([[1.0, math.nan], [2.0, 3.0]]).value)
    assert prediction([[2.0, 2.0], [2.0, 2.0]]) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("between", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("policies", [0.0, 0.3, 1.0])
def test_the_same_policies_for_every_base_are_covered(between: float, policies: float) -> None:
    """Of the mean, and of another policy on another base; never far below what is stated."""
    rng = np.random.default_rng(11)
    held, met = 0, 0
    for _ in range(STUDIES):
        bases = rng.normal(0.0, between, BASES + 1)
        seeds = rng.normal(0.0, policies, SEEDS + 1)
        rest = 0.3 * rng.normal(size=(BASES, SEEDS))
        table = list(bases[:BASES, None] + seeds[:SEEDS] + rest)
        found, expected = pooled_crossed(table), prediction_crossed(table)
        new = bases[BASES] + seeds[SEEDS] + 0.3 * rng.normal()
        held += found.low <= 0.0 <= found.high
        met += expected.low <= new <= expected.high
    spread = math.sqrt(0.95 * 0.05 / STUDIES)
    assert min(held, met) / STUDIES > 0.92 - 3 * spread  # Satterthwaite's are an approximation
    assert met / STUDIES < 0.97 + 3 * spread


def test_the_spread_of_the_bases_does_not_show_that_of_shared_policies() -> None:
    """What the crossed interval is for: one over the bases' means misses the mean half the time."""
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(STUDIES):
        seeds = rng.normal(size=SEEDS)
        naive = pooled(list(seeds + 0.1 * rng.normal(size=(BASES, SEEDS))))
        held += naive.low <= 0.0 <= naive.high
    assert held / STUDIES < 0.6


def test_crossed_intervals_where_little_is_known() -> None:
    assert pooled_crossed([[1.0, 2.0, 4.0]]) == pooled([[1.0, 2.0, 4.0]])
    assert prediction_crossed([[1.0, 2.0, 4.0]]) == prediction([[1.0, 2.0, 4.0]])
    assert math.isnan(pooled_crossed([[1.0], [2.0]]).low)
    assert math.isnan(pooled_crossed([[1.0, math.nan], [2.0, 3.0]]).value)
    assert prediction_crossed([[2.0, 2.0], [2.0, 2.0]]) == (2.0, 2.0, 2.0)
