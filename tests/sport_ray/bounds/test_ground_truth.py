"""Every bound on problems that are solved exactly, and against the worst event there is.

A bound on Q(viol) that uses only what is known about the policies bounds Q(E) for *every* event
E of trajectories with P(E) ≤ ε. So each is held against the event that is worst for it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtr

from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.bounds.gauss_renyi import gauss_renyi_bound, renyi_bound, renyi_cost
from sport_ray.bounds.off_policy import off_policy_bound
from sport_ray.bounds.pathwise import pathwise_bound
from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound
from sport_ray.bounds.violation_time import (
    violation_time_bound,
    violation_time_bound_from_counts,
)
from tests.exact_mdp import (
    TabularEnv,
    TabularMdp,
    TrajectoryLaws,
    first_to_finish,
    keep_ratio,
    late_hazard,
    random_mdp,
    random_task,
    shrink_worst,
    sign_policy,
    trajectory_laws,
    worst_event,
)

SLACK = 1.0 + 1e-9
seeds = st.integers(0, 10**6)
alphas = st.floats(1.0, 3.0)


def ratio_laws(mdp: TabularMdp, alpha: float, horizon: int, seed: int) -> TrajectoryLaws:
    task = random_task(mdp, alpha, horizon, seed)
    return trajectory_laws(mdp, lambda now, state, spent: task[now, state], horizon)


def budget_laws(mdp: TabularMdp, budget: float, horizon: int, seed: int) -> TrajectoryLaws:
    """A policy that may spend what is left at every step, and is refunded what it gives up."""
    other = np.random.default_rng([seed, 2]).dirichlet(
        np.full(mdp.base.shape[1], 0.3), (horizon, len(mdp.base))
    )

    def rule(now: int, state: int, spent: float) -> np.ndarray:
        left = max(budget - spent, 0.0) if spent > -math.inf else budget
        return keep_ratio(mdp.base[state], other[now, state], math.exp(left))

    return trajectory_laws(mdp, rule, horizon)


# --- the ground truth itself: three ways to the same number ------------------------------------


@given(seed=seeds, alpha=alphas, horizon=st.integers(1, 4))
def test_programming_and_enumeration_agree(seed, alpha, horizon):
    mdp = random_mdp(seed, states=4)
    task = random_task(mdp, alpha, horizon, seed)
    laws = ratio_laws(mdp, alpha, horizon, seed)
    assert laws.p.sum() == pytest.approx(1.0)
    assert laws.q.sum() == pytest.approx(1.0)
    for policy, law in ((mdp.base, laws.p), (task, laws.q)):
        times = mdp.violation_times(policy, horizon)
        exact = mdp.violation(policy, horizon)
        assert times.sum() == pytest.approx(exact, rel=1e-10)
        assert law[laws.violated].sum() == pytest.approx(exact, rel=1e-10)
        counted = np.bincount(laws.time[laws.violated], law[laws.violated], horizon + 1)
        assert counted == pytest.approx(times, abs=1e-12)


@given(seed=seeds, eps=st.floats(0.01, 0.9))
def test_the_worst_event_is_the_worst_of_all_subsets(seed, eps):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(8)), rng.dirichlet(np.ones(8))
    subsets = (np.arange(256)[:, None] >> np.arange(8)) & 1
    inside = subsets[subsets @ p <= eps]
    best, worst = (inside @ q).max(), worst_event(p, q, eps)
    assert best <= worst * SLACK
    # Randomising splits one point at most.
    assert worst <= best + q.max() + 1e-12
    assert worst_event(p, q, 1.0) == pytest.approx(1.0)
    assert worst_event(p, p, eps) == pytest.approx(eps)


@pytest.mark.parametrize("seed", [None, 3, 8])
def test_the_gymnasium_environment_is_the_mdp(seed):
    env = TabularEnv(horizon=6, seed=seed, wait=3)
    size = len(env.mdp.start)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=size), rng.uniform(0.5, 1.5, size)
    exact = env.mdp.violation(sign_policy(mean, std), 6)
    violations, episodes = 0, 4000
    for episode in range(episodes):
        seen, info = env.reset(seed=episode)
        ended = False
        while not ended:
            state = int(seen.argmax())
            action = np.array([mean[state] + std[state] * rng.normal()], dtype=np.float32)
            seen, _, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
        violations += info["signals"]["goal"] <= 0.0
    assert stats.binomtest(violations, episodes, exact).pvalue > 1e-4


# --- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("beta", [1e-7, 0.05, 0.5])
def test_a_certificate_fails_at_most_at_its_stated_rate_exactly(p, beta):
    """Σ_k P(k) · 1{bound(k) < p} ≤ β, over all k; and not much less, where n allows."""
    n = 1000
    counts = np.arange(n + 1)
    failing = np.array([scenario_bound(n, int(k), beta) < p for k in counts])
    chance = stats.binom.pmf(counts, n, p)[failing].sum()
    assert chance <= beta * SLACK
    following = int(failing.sum())  # the failing counts are 0 … following − 1
    assert chance + stats.binom.pmf(following, n, p) > beta


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_certificates_of_mdps_cover_in_simulation(seed):
    """3,000 certificates of 200 scenarios each, at β = 0.05, and all that is derived from them."""
    mdp, horizon, n, beta, alpha = random_mdp(seed, states=4), 4, 200, 0.05, 1.2
    times = mdp.violation_times(mdp.base, horizon)
    truth, worst = mdp.violation(mdp.base, horizon), mdp.worst_violation(alpha, horizon)
    rng = np.random.default_rng(seed)
    failures = np.zeros(3)
    repetitions = 3000
    counts = rng.multinomial(n, np.append(times, 1.0 - times.sum()), repetitions)[:, :-1]
    for row in counts:
        eps = scenario_bound(n, int(row.sum()), beta)
        by_time = violation_time_bound_from_counts(row.tolist(), n, horizon, alpha, beta)
        failures += [eps < truth, ratio_bound(eps, alpha, horizon) < worst, by_time < worst]
    for count in failures:
        p_value = stats.binomtest(int(count), repetitions, beta, alternative="greater").pvalue
        assert p_value > 1e-3
    assert failures[0] > 0  # the confidence is spent, not hoarded


def test_the_first_to_finish_are_not_a_sample():
    """Half of all episodes violate, late: of the first 100 to finish in 64 slots, a third."""
    mdp, horizon, n, beta, repetitions = late_hazard(0.5, wait=18), 20, 100, 0.05, 200
    truth = mdp.violation(mdp.base, horizon)
    assert truth == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    biased = [int(first_to_finish(mdp, horizon, 64, n, rng).sum()) for _ in range(repetitions)]
    proper = rng.binomial(n, truth, repetitions)
    failing = [
        sum(scenario_bound(n, int(k), beta) < truth for k in counts) for counts in (biased, proper)
    ]
    assert np.mean(biased) / n < 0.4
    assert failing[0] > 0.5 * repetitions  # instead of 0.05
    assert stats.binomtest(failing[1], repetitions, beta, alternative="greater").pvalue > 1e-3


# --- bounds for any policy within a ratio or a budget ------------------------------------------


@given(seed=seeds, alpha=alphas, horizon=st.integers(1, 4), eps=st.floats(1e-4, 0.9))
def test_ratio_and_violation_time(seed, alpha, horizon, eps):
    mdp = random_mdp(seed, states=4)
    laws = ratio_laws(mdp, alpha, horizon, seed)
    times = mdp.violation_times(mdp.base, horizon)
    eps_base, by_time = times.sum(), violation_time_bound(times, [alpha] * horizon)
    task, worst = laws.q[laws.violated].sum(), mdp.worst_violation(alpha, horizon)
    assert task <= worst * SLACK
    assert worst <= by_time * SLACK
    assert by_time <= ratio_bound(eps_base, alpha, horizon) * SLACK
    # Not only the property of interest: any event, and any that is decided as early.
    assert worst_event(laws.p, laws.q, eps) <= ratio_bound(eps, alpha, horizon) * SLACK
    q_by_time = [
        worst_event(laws.p[at], laws.q[at], min(eps, laws.p[at].sum()))
        for at in (laws.time == t for t in range(horizon + 1))
    ]
    allowed = [min(eps, laws.p[laws.time == t].sum()) for t in range(horizon + 1)]
    assert sum(q_by_time) <= violation_time_bound(allowed, [alpha] * horizon) * SLACK


@given(seed=seeds, budget=st.floats(0.0, 2.0), horizon=st.integers(1, 4), eps=st.floats(1e-4, 0.9))
def test_a_pathwise_budget(seed, budget, horizon, eps):
    mdp = random_mdp(seed, states=4)
    laws = budget_laws(mdp, budget, horizon, seed)
    assert laws.peak.max() <= budget + 1e-9
    bound = pathwise_bound(mdp.violation(mdp.base, horizon), budget)
    assert laws.q[laws.violated].sum() <= bound * SLACK
    assert worst_event(laws.p, laws.q, eps) <= pathwise_bound(eps, budget) * SLACK


def test_a_single_step_may_spend_the_whole_budget():
    """So that the policies above are not ratio-bounded ones in disguise."""
    mdp, budget = random_mdp(0, states=4), 0.4
    assert budget_laws(mdp, budget, 1, 0).peak.max() == pytest.approx(budget)
    laws = budget_laws(mdp, budget, 4, 0)
    assert laws.peak.max() == pytest.approx(budget)


def test_without_a_ratio_bound_the_same_test_fails():
    """The checks above have teeth: a policy of ratio 5 exceeds what holds for 1.05."""
    laws = ratio_laws(late_hazard(0.1, wait=1), 5.0, 2, 1)
    assert worst_event(laws.p, laws.q, 0.1) > ratio_bound(0.1, 1.05, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_off_policy_from_the_base_scenarios_covers_the_task_policy(seed):
    """400 data sets of 250 base trajectories, the task policy's probability known exactly."""
    mdp, horizon, alpha, n, beta, repetitions = random_mdp(seed, 4), 3, 1.3, 250, 0.1, 200
    laws = ratio_laws(mdp, alpha, horizon, seed)
    truth = laws.q[laws.violated].sum()
    log_ratio = np.minimum(laws.log_ratio, horizon * math.log(alpha))
    rng = np.random.default_rng(seed)
    failures = np.zeros(2)
    for _ in range(repetitions):
        drawn = rng.choice(len(laws.p), n, p=laws.p / laws.p.sum())
        for index, limit in enumerate((None, horizon * math.log(alpha))):
            found = off_policy_bound(
                log_ratio[drawn], laws.violated[drawn], beta, log_ratio_limit=limit
            )
            failures[index] += found.bound is not None and found.bound < truth
    for count in failures:
        p_value = stats.binomtest(int(count), repetitions, beta, alternative="greater").pvalue
        assert p_value > 1e-3


# --- bounds for Gaussian policies --------------------------------------------------------------


@given(eps=st.floats(1e-8, 0.9), c=st.floats(1e-3, 0.7), horizon=st.integers(1, 60))
def test_gaussians_of_constant_ratio(eps, c, horizon):
    """Shrinking by α at every step: the worst event is a ball, in closed form."""
    alpha = math.exp(c)
    worst = shrink_worst(eps, alpha, horizon)
    bound = gauss_renyi_bound(eps, alpha, horizon)
    assert eps * (1 - 1e-9) <= worst <= bound * SLACK
    assert bound <= ratio_bound(eps, alpha, horizon) * SLACK


def grid(count: int = 1200, reach: float = 8.5) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and edges of cells for one standard normal."""
    edges = np.linspace(-reach, reach, count + 1)
    return 0.5 * (edges[1:] + edges[:-1]), edges


def cells(edges: np.ndarray, mean: np.ndarray | float, std: np.ndarray | float) -> np.ndarray:
    """Probabilities of the cells under N(mean, std²), (..., cells); tails go to the outer ones."""
    mean, std = np.asarray(mean)[..., None], np.asarray(std)[..., None]
    cumulative = ndtr((edges - mean) / std)
    cumulative[..., 0], cumulative[..., -1] = 0.0, 1.0
    return np.diff(cumulative, axis=-1)


@pytest.mark.parametrize("eps", [1e-4, 0.01, 0.2])
@pytest.mark.parametrize("budget", [0.3, 1.0, 2.0])
def test_adaptive_shifts_within_a_budget_of_squares(budget, eps):
    """Step 2 spends all that step 1 left, which step 1's own outcome decided.

    Rounding actions to cells is processing, which cannot raise Q(E); so the worst event over
    cells keeps to the bound exactly, and comes close to it.
    """
    middle, edges = grid()
    p_first = cells(edges, 0.0, 1.0)
    first = 0.6 * budget
    q_first = cells(edges, first, 1.0)
    left = math.sqrt(budget**2 - first**2)
    spends = middle < 0.5  # after a large first action it plays the base
    second = cells(edges, np.where(spends, left, 0.0), 1.0)
    p = p_first[:, None] * p_first[None, :]
    q = q_first[:, None] * second
    worst = worst_event(p.ravel(), q.ravel(), eps)
    bound = gaussian_tradeoff_bound(eps, budget)
    assert eps < worst <= bound * SLACK
    constant = (q_first[:, None] * cells(edges, left, 1.0)[None, :]).ravel()
    assert worst_event(p.ravel(), constant, eps) == pytest.approx(bound, rel=2e-3)


@pytest.mark.parametrize("eps", [1e-4, 0.01, 0.2])
@pytest.mark.parametrize("order", [1.5, 3.0, 8.0])
def test_adaptive_ratios_within_a_renyi_budget(order, eps):
    """The order is fixed first; step 2's ratio is what the budget leaves after step 1's choice.

    Three first states with ratios of their own, as the environment has it; in each, step 2
    shrinks by as much as the rest of the budget allows, found by bisection on ``renyi_cost``.
    """
    middle, edges = grid(500)
    budget = 0.25
    p_parts, q_parts = [], []
    for weight, c in ((0.3, 0.05), (0.5, 0.15), (0.2, 0.0)):
        rest = budget - renyi_cost(order, c)
        low, high = 0.0, 5.0
        for _ in range(60):
            half = 0.5 * (low + high)
            low, high = (half, high) if renyi_cost(order, half) <= rest else (low, half)
        base = cells(edges, 0.0, 1.0)
        first = cells(edges, 0.0, math.exp(-c))
        # And step 2 depends on step 1's action: it shrinks only if that was near the middle.
        std = np.where(np.abs(middle) < 1.0, math.exp(-low), 1.0)
        p_parts.append(weight * (base[:, None] * base[None, :]).ravel())
        q_parts.append(weight * (first[:, None] * cells(edges, 0.0, std)).ravel())
    p, q = np.concatenate(p_parts), np.concatenate(q_parts)
    assert p.sum() == pytest.approx(1.0)
    assert q.sum() == pytest.approx(1.0)
    worst = worst_event(p, q, eps)
    assert eps < worst <= renyi_bound(eps, order, budget) * SLACK
    with np.errstate(divide="ignore", invalid="ignore"):
        moment = np.where(p > 0.0, p * (q / p) ** order, 0.0).sum()
    assert math.log(moment) / (order - 1.0) <= budget * SLACK


# --- all of them together ----------------------------------------------------------------------


@settings(max_examples=40)
@given(eps=st.floats(1e-9, 0.5), alpha=st.floats(1.0, 3.0), horizon=st.integers(1, 40))
def test_all_grow_with_alpha_and_with_the_horizon(eps, alpha, horizon):
    def ladder(alpha: float, horizon: int) -> list[float]:
        times = [0.0] * (horizon + 1)
        times[-1] = eps
        return [
            ratio_bound(eps, alpha, horizon),
            gauss_renyi_bound(eps, alpha, horizon),
            pathwise_bound(eps, horizon * math.log(alpha)),
            violation_time_bound(times, [alpha] * horizon),
            gaussian_tradeoff_bound(eps, math.sqrt(horizon) * math.log(alpha)),
        ]

    here = ladder(alpha, horizon)
    assert all(bound * SLACK >= eps for bound in here)
    for more in (ladder(alpha * 1.05, horizon), ladder(alpha, horizon + 1)):
        assert all(a <= b * SLACK for a, b in zip(here, more, strict=True))
    assert ladder(1.0, horizon) == pytest.approx([eps] * 5, rel=1e-14)
