"""Selection on exact problems: all candidates and indices enumerated, and the worst event found.

The index may depend on all that was drawn before, on the candidates and on what is left of a
budget; no bound is below the truth, and each would be, were it a little smaller.
"""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import pathwise_bound, ratio_bound, two_point_bound, violation_time_bound
from tests.exact_mdp import (
    GOAL,
    HAZARD,
    Choice,
    SelectionLaws,
    TabularMdp,
    TrajectoryLaws,
    keep_within,
    late_hazard,
    random_mdp,
    selection_laws,
    trajectory_laws,
    worst_event,
)

LOGS = 20_000
SLACK = 1.0 + 1e-9
seeds = st.integers(0, 10**6)
counts = st.sampled_from([2, 3])
events = st.floats(1e-4, 0.9)
few = settings(max_examples=12, deadline=None)


def small_mdp(seed: int, count: int) -> tuple[TabularMdp, int]:
    """Few enough outcomes to be enumerated: two actions, two successors that are not absorbing."""
    return random_mdp(seed, 4 if count == 2 else 3, 2), 3 if count == 2 else 2


def harmful(mdp: TabularMdp, horizon: int) -> np.ndarray:
    """(T + 1, S): the base's probability of violating from there, with so many steps left."""
    value = (np.arange(len(mdp.start)) != GOAL).astype(float)
    table = [value]
    for _ in range(horizon):
        value = np.einsum("sa,saz,z->s", mdp.base, mdp.step, value)
        value[GOAL], value[HAZARD] = 0.0, 1.0
        table.append(value)
    return np.array(table)


def weights_of(mdp: TabularMdp, horizon: int, kind: str, seed: int) -> Choice:
    """Wishes before any limit: of chance, of malice, or changing with what was drawn."""
    value = harmful(mdp, horizon)

    def chance(drawn, state, candidates, spent):
        draw = random.Random(hash((seed, drawn, state, candidates)))
        return np.array([draw.gammavariate(0.3, 1.0) + 1e-9 for _ in candidates])

    def malice(drawn, state, candidates, spent):
        left = horizon - len(drawn) - 1
        wished = np.array([mdp.step[state, a] @ value[left] for a in candidates])
        return np.eye(len(candidates))[int(wished.argmax())]

    def fickle(drawn, state, candidates, spent):
        """Malice if the last candidates were alike, else the base; a fixed place after a loss."""
        if drawn and spent < 0.0:
            return np.eye(len(candidates))[0]
        alike = bool(drawn) and len(set(drawn[-1][1])) == 1
        other = chance if alike else malice
        return other(drawn, state, candidates, spent)

    return {"chance": chance, "malice": malice, "fickle": fickle}[kind]


def within(wish: Choice, floor: float, alpha: float) -> Choice:
    return lambda drawn, state, candidates, spent: keep_within(
        wish(drawn, state, candidates, spent), floor, alpha
    )


def budgeted(wish: Choice, budget: float, floor: float = 0.0) -> Choice:
    """Any step may spend all that is left, and is refunded what it gives up."""

    def choice(drawn, state, candidates, spent):
        left = max(budget - spent, 0.0) if spent > -math.inf else budget
        wished = wish(drawn, state, candidates, spent)
        return keep_within(wished, floor, math.exp(min(left, 5.0)))

    return choice


def both(laws: SelectionLaws) -> list[TrajectoryLaws]:
    return [laws.drawn, laws.executed]


kinds = st.sampled_from(["chance", "malice", "fickle"])


@few
@given(seed=seeds, kind=kinds, count=counts, alpha=st.floats(1.0, 3.0))
def test_what_is_executed_is_the_sum_of_what_is_drawn(seed, kind, count, alpha):
    mdp, horizon = small_mdp(seed, count)
    choice = within(weights_of(mdp, horizon, kind, seed), 0.0, alpha)
    laws = selection_laws(mdp, choice, horizon, count)
    base = trajectory_laws(mdp, lambda now, state, spent: mdp.base[state], horizon)
    for law in both(laws):
        assert law.p.sum() == pytest.approx(1.0)
        assert law.q.sum() == pytest.approx(1.0)
        assert law.p[law.violated].sum() == pytest.approx(mdp.violation(mdp.base, horizon))
    # A uniform index gives the base's trajectories, one by one.
    assert sorted(laws.executed.p) == pytest.approx(sorted(base.p))


@few
@given(seed=seeds, kind=kinds, count=counts, q=st.lists(st.floats(0.01, 1.0), min_size=3))
def test_any_fixed_law_of_the_index_is_the_base(seed, kind, count, q):
    """Not uniform, but without a look at the candidates: the action has the base's law."""
    mdp, horizon = small_mdp(seed, count)
    fixed = np.array(q[:count]) / sum(q[:count])
    executed = selection_laws(mdp, lambda *_: fixed, horizon, count).executed
    assert executed.q == pytest.approx(executed.p)


@few
@given(seed=seeds, kind=kinds, count=counts, alpha=st.floats(1.0, 3.0), eps=events)
def test_ratio_and_violation_time(seed, kind, count, alpha, eps):
    mdp, horizon = small_mdp(seed, count)
    choice = within(weights_of(mdp, horizon, kind, seed), 0.0, alpha)
    for laws in both(selection_laws(mdp, choice, horizon, count)):
        assert (laws.log_ratio <= laws.time * math.log(alpha) + 1e-9).all()
        assert worst_event(laws.p, laws.q, eps) <= ratio_bound(eps, alpha, horizon) * SLACK
        times = mdp.violation_times(mdp.base, horizon)
        by_time = violation_time_bound(times, [alpha] * horizon)
        assert laws.q[laws.violated].sum() <= by_time * SLACK
        parts = [laws.time == t for t in range(horizon + 1)]
        allowed = [min(eps, laws.p[part].sum()) for part in parts]
        worst = [worst_event(laws.p[m], laws.q[m], a) for m, a in zip(parts, allowed, strict=True)]
        assert sum(worst) <= violation_time_bound(allowed, [alpha] * horizon) * SLACK


@few
@given(seed=seeds, kind=kinds, count=counts, budget=st.floats(0.0, 2.0), eps=events)
def test_a_pathwise_budget(seed, kind, count, budget, eps):
    mdp, horizon = small_mdp(seed, count)
    choice = budgeted(weights_of(mdp, horizon, kind, seed), budget)
    for laws in both(selection_laws(mdp, choice, horizon, count)):
        assert laws.peak.max() <= budget + 1e-9
        assert worst_event(laws.p, laws.q, eps) <= pathwise_bound(eps, budget) * SLACK


@few
@given(
    seed=seeds,
    kind=kinds,
    count=counts,
    alpha=st.floats(1.0, 3.0),
    kappa=st.floats(0.0, 1.0),
    eps=events,
)
def test_ratios_with_a_floor(seed, kind, count, alpha, kappa, eps):
    mdp, horizon = small_mdp(seed, count)
    choice = within(weights_of(mdp, horizon, kind, seed), kappa, alpha)
    for laws in both(selection_laws(mdp, choice, horizon, count)):
        for level in (eps, mdp.violation(mdp.base, horizon)):
            bound = two_point_bound(min(level, 1.0), alpha, kappa, horizon)
            assert worst_event(laws.p, laws.q, level) <= bound * SLACK


def preferred(kappa: float, horizon: int) -> TrajectoryLaws:
    """Two candidates, α = 2 − κ, the first always preferred: the ratio is α or κ, half and half."""
    choice = lambda *_: np.array([2.0 - kappa, kappa]) / 2.0  # noqa: E731
    return selection_laws(two_actions(horizon, 0.5), choice, horizon, 2).drawn


@pytest.mark.parametrize(("kappa", "horizon"), [(0.8, 4), (0.5, 3), (0.2, 4)])
@pytest.mark.parametrize("eps", [0.01, 0.3, 0.5])
def test_the_floor_s_bound_is_attained_by_a_choice_of_two(kappa, horizon, eps):
    laws = preferred(kappa, horizon)
    bound = two_point_bound(eps, 2.0 - kappa, kappa, horizon)
    assert worst_event(laws.p, laws.q, eps) == pytest.approx(bound, rel=1e-9)


@pytest.mark.parametrize(("kappa", "horizon"), [(0.8, 4), (0.5, 3), (0.2, 4)])
def test_mutated_bounds_are_below_what_is_attained(kappa, horizon):
    eps, alpha = 0.3, 2.0 - kappa
    laws = preferred(kappa, horizon)
    worst = worst_event(laws.p, laws.q, eps) * (1.0 - 1e-4)
    assert two_point_bound(eps, alpha, kappa, horizon - 1) < worst
    assert two_point_bound(eps, alpha, kappa + 0.05, horizon) < worst
    assert two_point_bound(eps, alpha - 0.05, kappa, horizon) < worst
    # A law on {κ, α} of another mean than 1.
    draws = np.array(list(itertools.product([0, 1], repeat=horizon))).sum(axis=1)
    ratio = alpha**draws * kappa ** (horizon - draws)
    right, wrong = 0.5, 0.45
    p = right**draws * (1.0 - right) ** (horizon - draws)
    assert worst_event(p, p * ratio, eps) > worst
    p = wrong**draws * (1.0 - wrong) ** (horizon - draws)
    assert worst_event(p, p * ratio, eps) < worst


def two_actions(horizon: int, rate: float) -> TabularMdp:
    """One state that is left at T only, and a base that takes action 1 with that probability."""
    step = np.zeros((3, 2, 3))
    step[:, :, 2] = 1.0
    return TabularMdp(np.array([0.0, 0.0, 1.0]), step, np.tile([1.0 - rate, rate], (3, 1)))


@pytest.mark.parametrize(("alpha", "kappa"), [(1.1, 0.9), (1.5, 0.6), (4.0, 0.97)])
@pytest.mark.parametrize("eps", [0.003, 0.1, 0.7])
def test_any_pair_is_attained_by_executed_actions(alpha, kappa, eps):
    """A base that takes action 1 with probability q, and a policy that takes it with α q."""
    horizon, rate = 6, (1.0 - kappa) / (alpha - kappa)
    mdp = two_actions(horizon, rate)
    task = np.array([1.0 - alpha * rate, alpha * rate])
    laws = trajectory_laws(mdp, lambda now, state, spent: task, horizon)
    bound = two_point_bound(eps, alpha, kappa, horizon)
    assert worst_event(laws.p, laws.q, eps) == pytest.approx(bound, rel=1e-9)


def test_a_floor_that_is_not_kept_is_not_promised_for():
    """The largest ratio is as promised, and the bound with the floor is exceeded by far."""
    eps, alpha, kappa, horizon = 0.05, 1.2, 0.9, 6
    rate = 1.0 / alpha  # the law on {0, α}: what no floor allows
    task = np.array([0.0, 1.0])
    laws = trajectory_laws(two_actions(horizon, rate), lambda *_: task, horizon)
    worst = worst_event(laws.p, laws.q, eps)
    assert worst > 1.2 * two_point_bound(eps, alpha, kappa, horizon)
    assert worst <= ratio_bound(eps, alpha, horizon) * SLACK


def test_a_choice_above_its_limit_is_caught():
    """The checks above have teeth: malice of ratio 2 exceeds what holds for 1.1."""
    mdp = late_hazard(0.1, wait=1)
    choice = within(weights_of(mdp, 2, "malice", 0), 0.0, 2.0)
    laws = selection_laws(mdp, choice, 2, 2).executed
    eps = mdp.violation(mdp.base, 2)
    assert laws.q[laws.violated].sum() > 1.4 * ratio_bound(eps, 1.1, 2)


def completed_logs(
    mdp: TabularMdp, choice: Choice, horizon: int, seed: int, place: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Base episodes without candidates, then two at each step: the ratio L and the verdict.

    place: of the logged action; None is a fair draw.
    """
    rng = random.Random(seed)
    bad, steps = mdp.base[:, 1].tolist(), mdp.step.cumsum(axis=2).tolist()
    starts = mdp.start.cumsum().tolist()
    ratios, verdicts = np.empty(LOGS), np.empty(LOGS, dtype=bool)

    def drawn_from(cumulative):
        u = rng.random() * cumulative[-1]
        return next(i for i, c in enumerate(cumulative) if u < c)

    for episode in range(LOGS):
        state, log = drawn_from(starts), []
        while state not in (GOAL, HAZARD) and len(log) < horizon:
            action = int(rng.random() < bad[state])
            log.append((state, action))
            state = drawn_from(steps[state][action])
        drawn, ratio = (), 1.0
        for was, action in log:
            index = rng.randrange(2) if place is None else place
            other = int(rng.random() < bad[was])
            candidates = (action, other) if index == 0 else (other, action)
            spent = math.log(ratio) if ratio > 0.0 else -math.inf
            ratio *= 2.0 * float(choice(drawn, was, candidates, spent)[index])
            drawn = (*drawn, (was, candidates, index))
        ratios[episode], verdicts[episode] = ratio, state != GOAL
    return ratios, verdicts


@pytest.mark.parametrize("kind", ["malice", "fickle"])
def test_completed_logs_weigh_as_selection_would(kind):
    """Means of L, and of L where the log violates, against 1 and the exact probability."""
    mdp, horizon = small_mdp(5, 2)
    choice = within(weights_of(mdp, horizon, kind, 5), 0.2, 1.6)
    laws = selection_laws(mdp, choice, horizon, 2).drawn
    truth = laws.q[laws.violated].sum()
    ratios, violated = completed_logs(mdp, choice, horizon, 0, None)
    assert stats.ttest_1samp(ratios, 1.0).pvalue > 1e-3
    assert stats.ttest_1samp(ratios * violated, truth).pvalue > 1e-3
    assert stats.ttest_1samp(violated, truth).pvalue < 1e-4  # unweighted it is the base's


def test_a_log_that_is_always_put_first_weighs_wrongly():
    """J must have the base's law: a choice that prefers the first place would look too likely."""
    mdp, horizon = small_mdp(5, 2)
    first = lambda *_: np.array([0.8, 0.2])  # noqa: E731
    ratios, _ = completed_logs(mdp, first, horizon, 0, 0)
    assert stats.ttest_1samp(ratios, 1.0).pvalue < 1e-9
    ratios, _ = completed_logs(mdp, first, horizon, 0, None)
    assert stats.ttest_1samp(ratios, 1.0).pvalue > 1e-3
