"""Conformal choices against exact problems: all samples, all of a list's policies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import multinomial

from sport_ray.bounds import off_policy_bound
from sport_ray.comparators.conformal import (
    OnScenarios,
    conformal_choice,
    controlled_choice,
    controlled_mean,
    weighted_risk,
)
from tests.exact_mdp import keep_ratio, random_mdp, trajectory_laws

Rule = Callable[[list[OnScenarios], float], int]


def chosen_risk(
    p: np.ndarray, ratios: np.ndarray, violated: np.ndarray, n: int, eps: float, rule: Rule
) -> float:
    """The exact mean risk of what a rule chooses from n scenarios; no choice counts as no risk.

    p: (K,), probabilities of the kinds of scenario. ratios: (J, K). violated: (K,).
    """
    risks = ratios @ (p * violated)
    limits = [math.log(row.max()) for row in ratios]
    mean = 0.0
    for counts in itertools.product(range(n + 1), repeat=len(p)):
        if sum(counts) != n:
            continue
        drawn = np.repeat(np.arange(len(p)), counts)
        with np.errstate(divide="ignore"):
            every = [
                OnScenarios(np.log(row[drawn]), violated[drawn], limit)
                for row, limit in zip(ratios, limits, strict=True)
            ]
        passed = rule(every, eps)
        if passed:
            mean += float(multinomial.pmf(counts, n, p)) * risks[passed - 1]
    return mean


def random_list(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kinds of scenario of a base, and a list of policies that each go where they like."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([2.0, 2.0, 1.0, 0.6])
    violated = np.array([0, 0, 1, 1])
    alphas = np.cumprod(1.0 + rng.uniform(0.05, 0.5, 5))
    others = rng.dirichlet(np.full(4, 0.5), 5)
    laws = np.array([keep_ratio(p[None], other[None], alpha)[0]
                     for other, alpha in zip(others, alphas, strict=True)])  # fmt: skip
    return p, laws / p, violated


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("eps", [0.15, 0.3])
def test_the_controlled_rule_keeps_the_expected_risk(seed: int, eps: float) -> None:
    p, ratios, violated = random_list(seed)
    assert chosen_risk(p, ratios, violated, 12, eps, controlled_choice) <= eps


def _adversarial(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each policy of the list violates where another scenario was missed: it passes by luck.

    One rare kind of violation each; on all others a policy does as the base does.
    """
    rare, count = 1.0 / (n + 1), 3
    p = np.append(np.full(count, rare), 1.0 - count * rare)
    violated = np.append(np.ones(count, dtype=int), 0)
    ratios = np.ones((count, count + 1))
    for j in range(count):
        ratios[j, :count] = 0.0
        ratios[j, j] = 4.0
        ratios[j, -1] = (1.0 - 4.0 * rare) / p[-1]
    return p, ratios, violated


def test_lists_that_pass_by_luck() -> None:
    """The controlled rule keeps its mean for any list; without one more violation it would not."""
    n = 9
    p, ratios, violated = _adversarial(n)
    truth = ratios @ (p * violated)
    np.testing.assert_allclose(truth, 0.4)
    for eps in (0.2, 0.39):
        assert chosen_risk(p, ratios, violated, n, eps, controlled_choice) <= eps

    def naive(policies: list[OnScenarios], eps: float) -> int:
        """Wrong on purpose: the weighted mean as it is."""
        passed = 0
        for one in policies:
            if float((np.exp(one.log_ratios) * one.violated).mean()) > eps:
                break
            passed += 1
        return passed

    assert chosen_risk(p, ratios, violated, n, 0.1, naive) > 0.1


def test_the_largest_weight_seen_is_not_the_largest_there_is() -> None:
    """A rare violation that a policy makes common is missed: then its mean is far above ε_max."""
    p, violated = np.array([0.005, 0.995]), np.array([1, 0])
    ratios = np.array([[100.0, 0.5 / 0.995]])

    def by_what_is_seen(policies: list[OnScenarios], eps: float) -> int:
        return conformal_choice([one._replace(log_ratio_limit=None) for one in policies], eps)

    assert chosen_risk(p, ratios, violated, 20, 0.1, by_what_is_seen) > 0.4
    for rule in (conformal_choice, controlled_choice):
        assert chosen_risk(p, ratios, violated, 20, 0.1, rule) <= 0.1


@pytest.mark.parametrize("seed", range(3))
def test_on_whole_episodes_of_a_small_problem(seed: int) -> None:
    """Ratios of paths of policies at rising α: drawn many times, the mean of what is chosen."""
    mdp, horizon, n = random_mdp(seed, states=4, actions=2), 2, 60
    rng = np.random.default_rng(seed)
    other = rng.dirichlet(np.full(2, 0.3), len(mdp.base))
    alphas = [1.0, 1.05, 1.1, 1.2, 1.4]
    tasks = [keep_ratio(mdp.base, other, alpha) for alpha in alphas]
    laws = [trajectory_laws(mdp, lambda _t, s, _l, to=to: to[s], horizon) for to in tasks]
    p, violated = laws[0].p, laws[0].violated
    risks = np.array([one.q @ violated for one in laws])
    logs = np.array([one.log_ratio for one in laws])
    limits = [horizon * math.log(alpha) for alpha in alphas]
    eps = float(risks[0] + 0.6 * (risks.max() - risks[0]) + 0.03)
    chosen: tuple[list[float], list[float]] = ([], [])
    for _ in range(2_000):
        drawn = rng.choice(len(p), n, p=p / p.sum())
        every = [
            OnScenarios(row[drawn], violated[drawn], limit)
            for row, limit in zip(logs, limits, strict=True)
        ]
        for found, rule in zip(chosen, (controlled_choice, conformal_choice), strict=True):
            passed = rule(every, eps)
            found.append(risks[passed - 1] if passed else 0.0)
    for found in chosen:
        assert max(found) > 0.0
        error = float(np.std(found)) / math.sqrt(len(found))
        assert float(np.mean(found)) - 4.0 * error <= eps


def test_an_expectation_is_less_than_a_confidence() -> None:
    """Why the two promises are told apart: where a mean passes at once, a confidence needs more."""
    rng = np.random.default_rng(0)
    violated = (rng.random(2_000) < 0.02).astype(int)
    every = [OnScenarios(np.zeros(2_000), violated, 0.0)]
    eps = (violated.sum() + 1.5) / 2_001
    assert controlled_choice(every, eps) == conformal_choice(every, eps) == 1
    assert off_policy_bound(np.zeros(2_000), violated, 1e-7).bound > 1.5 * eps


def test_weights_and_their_limits() -> None:
    assert weighted_risk([0.0] * 4, [0] * 4) == pytest.approx(1 / 5)
    assert weighted_risk([0.0] * 4, [0] * 4, math.log(4.0)) == pytest.approx(1 / 2)
    assert weighted_risk([-math.inf] * 2, [0, 0]) == 1.0
    assert weighted_risk([900.0, -900.0], [0, 1]) == pytest.approx(0.5)
    assert controlled_mean([0.0, 2.0], 2.0) == pytest.approx(4 / 3)
    assert conformal_choice([], 0.1) == controlled_choice([], 0.1) == 0
    with pytest.raises(ValueError, match="log_ratio_limit is missing"):
        controlled_choice([OnScenarios([0.0], [0])], 0.1)
    with pytest.raises(ValueError, match="must be at most"):
        controlled_choice([OnScenarios([0.5], [0], 0.1)], 0.1)
    with pytest.raises(ValueError, match="0 or 1 only"):
        conformal_choice([OnScenarios([0.5], [2])], 0.1)
    with pytest.raises(ValueError, match="eps_max must lie"):
        conformal_choice([], 0.0)
    with pytest.raises(ValueError, match="no loss exceeds"):
        controlled_mean([2.0], 1.0)
