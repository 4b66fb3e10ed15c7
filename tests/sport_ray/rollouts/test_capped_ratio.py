"""Capped ratios on exact problems: mean 1 under the base, never above the cap, the ratio below."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import off_policy_bound
from sport_ray.rollouts.capped_ratio import CAPS, follow
from tests.exact_mdp import GOAL, HAZARD, keep_ratio, random_mdp

caps_of_tests = np.array([1.2, 2.0, 5.0])


def enumerated(seed: int, alpha: float, horizon: int, actions: int = 3):
    """(p, log ratio, violated, capped (k,)) of every path of a random problem."""
    mdp = random_mdp(seed, states=4, actions=actions)
    rng = np.random.default_rng([seed, 3])
    other = rng.dirichlet(np.full(actions, 0.3), (horizon, len(mdp.base)))
    rows = []

    def walk(state, now, p, total, capped):
        if state in (GOAL, HAZARD) or now == horizon:
            rows.append((p, total, state != GOAL, capped))
            return
        # A rule that looks at what the capped ratio did: it may depend on all of the past.
        bolder = alpha if capped[0] < 1.1 else 1.0 + 0.5 * (alpha - 1.0)
        task = keep_ratio(mdp.base[state], other[now, state], bolder)
        with np.errstate(divide="ignore"):
            log_ratio = np.log(task / mdp.base[state])
        for action, base in enumerate(mdp.base[state]):
            after = follow(
                capped[None], caps_of_tests, log_ratio[action : action + 1], log_ratio.max()[None]
            )[0]
            for successor, chance in enumerate(mdp.step[state, action]):
                if chance * base > 0.0:
                    walk(successor, now + 1, p * base * chance, total + log_ratio[action], after)

    for state, chance in enumerate(mdp.start):
        if chance > 0.0:
            walk(state, 0, chance, 0.0, np.ones(len(caps_of_tests)))
    p, total, violated, capped = zip(*rows, strict=True)
    return np.array(p), np.array(total), np.array(violated), np.array(capped)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), alpha=st.floats(1.01, 6.0), horizon=st.integers(1, 3))
def test_mean_one_and_never_above_the_cap(seed, alpha, horizon):
    p, total, _, capped = enumerated(seed, alpha, horizon)
    assert p.sum() == pytest.approx(1.0)
    assert p @ capped == pytest.approx(1.0, abs=1e-9)
    assert (capped >= 0.0).all()
    assert (capped <= caps_of_tests).all()
    below = alpha**horizon <= caps_of_tests  # nothing to cap: the ratio itself
    np.testing.assert_allclose(
        capped[:, below], np.repeat(np.exp(total)[:, None], below.sum(), axis=1), atol=1e-9
    )


def test_a_cap_that_is_ignored_is_caught():
    """A negative control: truncating the ratio at the cap is no martingale."""
    p, total, _, _ = enumerated(5, 3.0, 3)
    truncated = np.minimum(np.exp(total)[:, None], caps_of_tests)
    assert (p @ truncated < 1.0 - 1e-3).any()


def test_without_a_limit_of_the_step_nothing_is_followed():
    found = follow(np.array([[1.5]]), np.array([2.0]), np.array([0.3]), np.array([math.inf]))
    assert found.tolist() == [[1.5]]


def test_a_path_that_the_policy_never_takes():
    one = follow(
        np.array([[1.0, 1.0]]), np.array([2.0, 50.0]), np.array([-math.inf]), np.array([3.0])
    )
    assert 0.0 < one[0, 0] < 1.0  # the cap was near: only a part was staked
    assert one[0, 1] == 0.0
    again = follow(one, np.array([2.0, 50.0]), np.array([1.0]), np.array([3.0]))
    assert again[0, 1] == 0.0
    assert np.isfinite(again).all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_bound_with_caps_covers_the_worst_event(seed):
    """Repeated draws from all paths of an exact problem, the event at its worst for the bound."""
    p, total, _, capped = enumerated(seed, 2.5, 3)
    q = p * np.exp(total)
    order = np.argsort(-total)
    event = np.zeros(len(p), dtype=bool)
    event[order[np.cumsum(p[order]) <= 0.1]] = True  # Neyman and Pearson
    truth, n, beta = q[event].sum(), 150, 0.1
    rng = np.random.default_rng([seed, 9])
    failures, repetitions = 0, 120
    for _ in range(repetitions):
        rows = rng.choice(len(p), size=n, p=p / p.sum())
        bound = off_policy_bound(
            total[rows],
            event[rows],
            beta,
            log_ratio_limit=3.0 * math.log(2.5),
            capped=capped[rows],
            caps=caps_of_tests.tolist(),
            min_effective_sample_size=0.0,
        ).bound
        failures += bound < truth - 1e-12
    assert stats.binomtest(failures, repetitions, beta, alternative="greater").pvalue > 1e-6


def test_caps_take_away_the_noise_of_large_ratios():
    """Mean shifts, kept within a ratio: the bound with caps against the one without."""
    rng, n, horizon, alpha = np.random.default_rng(1), 10_000, 20, 1.3
    # Two outcomes a step: ratio α with probability p, else what makes the mean 1.
    p = 0.3
    low = (1.0 - p * alpha) / (1.0 - p)
    up = rng.random((n, horizon)) < p
    capped, caps = np.ones((n, len(CAPS))), np.array(CAPS)
    for step in range(horizon):
        log_ratio = np.log(np.where(up[:, step], alpha, low))
        capped = follow(capped, caps, log_ratio, np.full(n, math.log(alpha)))
    total = np.log(np.where(up, alpha, low)).sum(axis=1)
    flags = np.arange(n) < 40
    limit = {"log_ratio_limit": horizon * math.log(alpha)}
    plain = off_policy_bound(total, flags, 1e-7, **limit).bound
    better = off_policy_bound(total, flags, 1e-7, capped=capped, caps=CAPS, **limit).bound
    assert better < 0.5 * plain
    assert abs(capped.mean(axis=0) - 1.0).max() < 0.05
