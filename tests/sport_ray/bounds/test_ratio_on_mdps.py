"""The prior bound on small MDPs whose violation probabilities are computed exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from sport_ray.bounds import max_alpha, ratio_bound, scenario_bound

GOAL, HAZARD = 0, 1


class Mdp(NamedTuple):
    """States 0 (goal) and 1 (hazard) absorb; the rest move by ``step`` (S, A, S)."""

    start: NDArray[np.float64]
    step: NDArray[np.float64]
    base: NDArray[np.float64]  # (S, A)

    def violation(self, policy: NDArray[np.float64], horizon: int) -> float:
        """Probability of not being at the goal after ``horizon`` steps, by backward induction."""
        value = (np.arange(len(self.start)) != GOAL).astype(float)
        for _ in range(horizon):
            value = self._absorb(np.einsum("sa,saz,z->s", policy, self.step, value))
        return float(self.start @ value)

    def worst_violation(self, alpha: float, horizon: int) -> float:
        """The largest violation probability over all policies with π ≤ α π_base, at every step."""
        value = (np.arange(len(self.start)) != GOAL).astype(float)
        for _ in range(horizon):
            outcomes = self.step @ value  # (S, A)
            value = self._absorb(
                np.array(
                    [r @ q for r, q in zip(self._greedy(outcomes, alpha), outcomes, strict=True)]
                )
            )
        return float(self.start @ value)

    def _greedy(self, outcomes: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
        """Per state the distribution under α π_base with the largest mean: fill the best first."""
        policy = np.zeros_like(self.base)
        for state, order in enumerate(np.argsort(-outcomes, axis=1)):
            left = 1.0
            for action in order:
                policy[state, action] = min(left, alpha * self.base[state, action])
                left -= policy[state, action]
        return policy

    @staticmethod
    def _absorb(value: NDArray[np.float64]) -> NDArray[np.float64]:
        value[GOAL], value[HAZARD] = 0.0, 1.0
        return value


def random_mdp(seed: int, states: int = 5, actions: int = 3) -> Mdp:
    rng = np.random.default_rng(seed)
    start = np.zeros(states)
    start[2:] = rng.dirichlet(np.ones(states - 2))
    step = rng.dirichlet(np.full(states, 0.4), (states, actions))
    return Mdp(start, step, rng.dirichlet(np.ones(actions), states))


def random_task(mdp: Mdp, alpha: float, seed: int) -> NDArray[np.float64]:
    """A random policy, mixed with the base just so far that no ratio exceeds alpha."""
    rng = np.random.default_rng([seed, 1])
    other = rng.dirichlet(np.full(mdp.base.shape[1], 0.3), len(mdp.base))
    ratio = (other / mdp.base).max(axis=1, keepdims=True)
    weight = np.minimum(1.0, (alpha - 1.0) / np.maximum(ratio - 1.0, 1e-300))
    return (1.0 - weight) * mdp.base + weight * other


@given(seed=st.integers(0, 10**6), alpha=st.floats(1.0, 3.0), horizon=st.integers(1, 6))
def test_no_ratio_bounded_policy_exceeds_the_bound(seed, alpha, horizon):
    mdp = random_mdp(seed)
    eps_base = mdp.violation(mdp.base, horizon)
    task = random_task(mdp, alpha, seed)
    assert (task / mdp.base).max() <= alpha * (1 + 1e-12)
    violation, worst = mdp.violation(task, horizon), mdp.worst_violation(alpha, horizon)
    assert violation <= worst * (1 + 1e-12)
    assert worst <= ratio_bound(eps_base, alpha, horizon) * (1 + 1e-12)


@given(seed=st.integers(0, 10**6), horizon=st.integers(1, 6))
def test_alpha_one_is_the_base_policy(seed, horizon):
    mdp = random_mdp(seed)
    eps_base = mdp.violation(mdp.base, horizon)
    assert mdp.worst_violation(1.0, horizon) == pytest.approx(eps_base, rel=1e-12)


def needle(p: float) -> Mdp:
    """Only the rarer action keeps off the goal: violating means taking it at every step."""
    states = 2 + 1
    step = np.zeros((states, 2, states))
    step[:, 0, GOAL] = 1.0
    step[:, 1, 2] = 1.0
    return Mdp(np.array([0.0, 0.0, 1.0]), step, np.tile([1.0 - p, p], (states, 1)))


@pytest.mark.parametrize("horizon", [1, 2, 5, 20])
@pytest.mark.parametrize("alpha", [1.0, 1.1, 2.0, 4.0])
def test_the_bound_is_attained(alpha, horizon):
    """So knowing the ratio alone, nothing smaller is a bound."""
    mdp = needle(0.25)
    eps_base = mdp.violation(mdp.base, horizon)
    assert eps_base == pytest.approx(0.25**horizon, rel=1e-12)
    bound = ratio_bound(eps_base, alpha, horizon)
    assert mdp.worst_violation(alpha, horizon) == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_alpha_for_a_target_keeps_to_it(seed):
    mdp, horizon = random_mdp(seed), 4
    eps_base = mdp.violation(mdp.base, horizon)
    target = min(2.0 * eps_base, 0.5 * (1.0 + eps_base))
    alpha = max_alpha(eps_base, target, horizon)
    assert alpha > 1.0
    assert mdp.worst_violation(alpha, horizon) <= target


@pytest.mark.parametrize("beta", [0.02, 0.2])
def test_certificate_and_ratio_together_hold_at_the_stated_confidence(beta):
    """10,000 base certificates of the worst case, where α^T costs nothing but what it says."""
    alpha, horizon, n, repetitions = 1.5, 3, 300, 10_000
    mdp = needle(0.3)
    truth = mdp.worst_violation(alpha, horizon)
    eps_base = mdp.violation(mdp.base, horizon)
    found = np.random.default_rng(7).binomial(n, eps_base, repetitions)
    bounds = {
        k: ratio_bound(scenario_bound(n, int(k), beta), alpha, horizon) for k in np.unique(found)
    }
    failures = sum(bounds[k] < truth for k in found)
    assert stats.binomtest(int(failures), repetitions, beta, alternative="greater").pvalue > 1e-3
    assert failures > 0  # the confidence is spent, not hoarded
