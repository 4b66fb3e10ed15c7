"""The any-time bound on the average of risks that change: exactly, against every adversary."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from sport_ray.bounds import anytime_bound, anytime_lower_bound, scenario_bound

HORIZON = 50
Fails = Callable[[int, int, np.ndarray], np.ndarray]
"""(n, k, averages of the risks) → whether the bound after n episodes and k violations is wrong."""


def chance_of_ever_failing(fails: Fails, low: float, high: float) -> float:
    """P(the bound is wrong after some n ≤ HORIZON episodes) under the worst adversary, exactly.

    The adversary sees all verdicts, and picks each next risk from {low, high}. The state is
    (k, h): violations, and episodes of the high risk.
    """
    value = np.zeros((HORIZON + 2, HORIZON + 2))
    for n in reversed(range(HORIZON + 1)):
        ahead = value
        value = np.zeros_like(ahead)
        h = np.arange(n + 1)
        for k in range(n + 1):
            best = 0.0
            for risk, more in ((low, 0), (high, 1)):
                found = (1 - risk) * ahead[k, h + more] + risk * ahead[k + 1, h + more]
                best = np.maximum(best, found)
            value[k, h] = best
            if n > 0:
                average = (h * high + (n - h) * low) / n
                value[k, h] = np.where(fails(n, k, average), 1.0, value[k, h])
    return float(value[0, 0])


@cache
def known(bound: Callable[[int, int, float], float], n: int, k: int, beta: float) -> float:
    return bound(n, k, beta)


def above(bound: Callable[[int, int, float], float], beta: float) -> Fails:
    return lambda n, k, average: average > known(bound, n, k, beta)


def below(bound: Callable[[int, int, float], float], beta: float) -> Fails:
    return lambda n, k, average: average < known(bound, n, k, beta)


LEVELS = [(0.0, 1.0), (0.0, 0.3), (0.01, 0.1), (0.05, 0.5), (0.3, 0.9)]


@pytest.mark.parametrize("beta", [0.05, 0.3])
@pytest.mark.parametrize(("low", "high"), LEVELS)
def test_no_adversary_makes_it_fail_more_often_than_stated(low, high, beta):
    chance = chance_of_ever_failing(above(anytime_bound, beta), low, high)
    assert chance <= beta
    if 0.3 <= high < 1.0:  # and not by promising nothing
        assert chance > beta / 10
    assert chance_of_ever_failing(below(anytime_lower_bound, beta), low, high) <= beta


def test_the_bound_for_a_fixed_number_is_caught():
    assert chance_of_ever_failing(above(scenario_bound, 0.05), 0.05, 0.5) > 0.15


def test_the_minimum_over_past_looks_is_no_bound_once_risks_change():
    """A hundred episodes without risk, then a hundred that all violate.

    The best look so far says less than 0.1, and the average is a half. The current look is right.
    """
    beta, half = 0.05, 100
    best = min(anytime_bound(n, 0, beta) for n in range(1, half + 1))
    assert best < 0.1
    assert anytime_bound(2 * half, half, beta) >= 0.5

    # The best look there can have been: that before the first violation.
    smallest = np.array([1.0] + [anytime_bound(n, 0, beta) for n in range(1, HORIZON + 1)])

    def minimum(n: int, k: int, average: np.ndarray) -> np.ndarray:
        return average > smallest[n - k]

    assert chance_of_ever_failing(minimum, 0.0, 1.0) == pytest.approx(1.0)
