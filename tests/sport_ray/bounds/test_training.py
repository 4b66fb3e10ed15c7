"""Violations in training: against exact problems whose policies do their worst."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from sport_ray.bounds import (
    anytime_violations_bound,
    episodes_within,
    expected_violations,
    ratio_bound,
    risk_within,
    total_violations_bound,
    violations_bound,
)
from tests.exact_mdp import GOAL, HAZARD, TabularMdp, random_mdp, worst_event

Gain = Callable[[int], float]
"""What so many violations are worth to the adversary."""


def worst_side_by_side(
    mdp: TabularMdp, alpha: float, horizon: int, offset: int, gain: Gain
) -> float:
    """The largest E[gain(number of violations)] of two episodes that learn from each other.

    They take turns; the second begins when the first has taken ``offset`` steps. The policy of
    either knows all that both did, changes at every step, and keeps π ≤ α π_base.
    """

    def over(state: int, now: int) -> bool:
        return state in (GOAL, HAZARD) or now == horizon

    @cache
    def value(one: int, first: int, two: int, second: int, turn: int) -> float:
        """Of places and times of both, before a turn of the first (0) or of the second (1)."""
        ended = over(one, first), over(two, second)
        if all(ended):
            return gain((one != GOAL) + (two != GOAL))
        if first < offset and not ended[0]:
            turn = 0
        if ended[turn]:
            turn = 1 - turn
        outcomes = np.zeros(mdp.base.shape[1])
        state = (one, two)[turn]
        for action in range(len(outcomes)):
            for successor, chance in enumerate(mdp.step[state, action]):
                after = (
                    (successor, first + 1, two, second, 1)
                    if turn == 0
                    else (one, first, successor, second + 1, 0)
                )
                outcomes[action] += chance * value(*after)
        base = mdp.base[state]
        return worst_event(base, outcomes * base, 1.0 / alpha) * alpha

    starts = [(s, float(p)) for s, p in enumerate(mdp.start) if p > 0.0]
    return sum(p * q * value(s, 0, z, 0, 0) for s, p in starts for z, q in starts)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("offset", [0, 1, 2])
def test_episodes_side_by_side_are_dominated_by_the_binomial(seed: int, offset: int) -> None:
    """However the two conspire: no tail, and no other increasing gain, is above the binomial's.

    The binomial at the worst risk of one episode is attained, so nothing smaller would do.
    """
    mdp, alpha, horizon = random_mdp(seed, states=4, actions=2), 1.3, 3
    worst = mdp.worst_violation(alpha, horizon)
    assert worst <= ratio_bound(mdp.violation(mdp.base, horizon), alpha, horizon) * (1 + 1e-12)
    gains: list[Gain] = [lambda k: float(k >= 1), lambda k: float(k >= 2), math.exp]
    for gain in gains:
        dominated = sum(binom.pmf(k, 2, worst) * gain(k) for k in range(3))
        assert worst_side_by_side(mdp, alpha, horizon, offset, gain) == pytest.approx(dominated)


@pytest.mark.parametrize("seed", range(5))
def test_the_bounds_hold_for_the_worst_training(seed: int) -> None:
    """M episodes that each do their worst: exactly binomial, and within mean and quantile."""
    mdp, alpha, horizon, beta = random_mdp(seed), 1.15, 4, 0.05
    base = mdp.violation(mdp.base, horizon)
    promised = min(ratio_bound(base, alpha, horizon), 1.0)
    worst = mdp.worst_violation(alpha, horizon)
    for episodes in (1, 7, 60, 400):
        assert worst * episodes <= expected_violations(promised, episodes)
        bound = violations_bound(promised, episodes, beta)
        assert binom.sf(bound, episodes, worst) <= beta
        # Made wrong on purpose, with the base's risk in place of the promise: caught.
        if episodes == 400:
            assert worst * episodes > base * episodes
            assert binom.sf(violations_bound(base, episodes, beta), episodes, worst) > beta


def _crossing(bounds: list[int], risk: float, adaptive: bool = False) -> float:
    """The largest P(violations exceed bounds[n] at some n), exactly; risks ≤ ``risk`` given all.

    adaptive: each episode's risk is what serves the crossing best, 0 or ``risk``.
    """
    value = np.zeros(len(bounds) + 1)  # by the number of violations, not crossed so far
    for n in reversed(range(1, len(bounds))):
        crossed = np.arange(len(value)) > bounds[n]
        after = np.where(crossed, 1.0, value)
        more = np.append(after[1:], 1.0)
        value = (1.0 - risk) * after + risk * more
        if adaptive:
            value = np.maximum(value, after)
    return float(value[0])


@pytest.mark.parametrize("risk", [0.01, 0.2])
@pytest.mark.parametrize("beta", [0.05, 1e-3])
def test_the_anytime_bound_holds_at_all_numbers_at_once(risk: float, beta: float) -> None:
    """The chance of ever crossing it, by dynamic programming; the quantile's is above β."""
    bounds = [anytime_violations_bound(risk, n, beta) for n in range(601)]
    assert bounds == sorted(bounds)
    assert 0.0 < _crossing(bounds, risk) <= beta
    assert _crossing(bounds, risk, adaptive=True) <= beta
    at_fixed_n = [violations_bound(risk, n, beta) for n in range(601)]
    assert all(a >= b for a, b in zip(bounds, at_fixed_n, strict=True))
    assert _crossing(at_fixed_n, risk) > beta  # so the test can fail
    assert _crossing(bounds, 2.0 * risk) > 3.0 * beta  # a broken promise is seen


def test_stopping_before_the_planned_number_costs_nothing() -> None:
    """Training that stops when it likes, at most M episodes, still keeps the quantile of M."""
    risk, episodes, beta = 0.1, 80, 0.05
    bound = violations_bound(risk, episodes, beta)
    # The worst rule stops the moment that the bound is exceeded: a constant curve.
    assert _crossing([bound] * (episodes + 1), risk, adaptive=True) == pytest.approx(
        binom.sf(bound, episodes, risk)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-9, 1.0), st.integers(0, 40)), min_size=1, max_size=5),
    st.sampled_from([0.3, 0.05, 1e-4, 1e-7]),
)
def test_of_several_runs_together(runs: list[tuple[float, int]], beta: float) -> None:
    """The exact law of the sum, by convolution, exceeds the bound with at most β."""
    law = np.ones(1)
    for risk, number in runs:
        law = np.convolve(law, binom.pmf(np.arange(number + 1), number, risk))
    bound = total_violations_bound(runs, beta)
    assert law[bound + 1 :].sum() <= beta * (1.0 + 1e-6)
    assert bound >= math.floor(sum(p * m for p, m in runs))


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-6, 1.0), st.integers(0, 10**6), st.sampled_from([0.5, 0.05, 1e-7, 1e-100]))
def test_the_quantile_is_the_least(risk: float, episodes: int, beta: float) -> None:
    bound = violations_bound(risk, episodes, beta)
    assert binom.sf(bound, episodes, risk) <= beta
    if bound > 0:
        assert binom.sf(bound - 1, episodes, risk) > beta * (1.0 - 1e-6)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.0, 500.0), st.floats(1e-6, 1.0), st.one_of(st.none(), st.floats(1e-9, 0.5)))
def test_inverses_keep_to_what_they_invert(
    violations: float, risk: float, beta: float | None
) -> None:
    def cost(risk: float, episodes: int) -> float:
        if beta is None:
            return expected_violations(risk, episodes)
        return violations_bound(risk, episodes, beta)

    most = episodes_within(violations, risk, beta)
    assert cost(risk, most) <= violations < cost(risk, most + 1)
    if most > 0:
        largest = risk_within(violations, most, beta)
        assert largest >= risk * (1.0 - 1e-9)
        assert cost(largest, most) <= violations


def test_limits_and_errors() -> None:
    assert expected_violations(1.0, 12) == violations_bound(1.0, 12, 0.05) == 12
    assert anytime_violations_bound(1.0, 12, 0.05) == 12
    assert violations_bound(0.0, 12, 0.05) == anytime_violations_bound(0.0, 12, 0.05) == 0
    assert violations_bound(0.5, 0, 0.05) == anytime_violations_bound(0.5, 0, 0.05) == 0
    assert total_violations_bound([], 0.05) == total_violations_bound([(0.3, 0)], 0.05) == 0
    assert episodes_within(0.0, 0.1) == 0
    assert episodes_within(3.0, 0.0) == 2**53
    assert risk_within(5, 5) == risk_within(7.5, 5, 0.05) == 1.0
    assert 0.0 < risk_within(0.0, 100, 0.05) <= 1.0 - 0.95 ** (1 / 100)
    with pytest.raises(ValueError, match="risk must lie"):
        violations_bound(1.2, 3, 0.05)
    with pytest.raises(ValueError, match="episodes must be an integer of at least 0"):
        expected_violations(0.1, -1)
    with pytest.raises(ValueError, match="violations must be at least 0"):
        episodes_within(-1.0, 0.1)
