"""The pathwise budget: limits, costs, promises, and no prefix of a hostile path above B."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sport_ray.constraints.budget import PACE, SPENT
from sport_ray.constraints.pathwise import PathwiseBudget, PathwiseBudgetAll, PathwiseBudgetSpread
from sport_ray.errors import UserError
from tests.gaussians import gaussian
from tests.sport_ray.constraints.adversary import hostile_paths

MP = mpmath.mp.clone()
MP.dps = 50

budgets = st.one_of(st.floats(0.0, 1e-6), st.floats(0.0, 50.0), st.floats(0.0, 1e300))
rules = st.sampled_from(["spread", "all"])
tables = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=5).map(tuple)


@given(st.lists(budgets, min_size=1, max_size=8), st.integers(0, 50), rules, tables)
def test_limits_are_within_what_is_left(left, taken, rule, table):
    constraint = PathwiseBudget(1.0, rule, table)
    state = np.array([[amount, float(taken)] for amount in left])
    with np.errstate(over="ignore"):
        limits, features = constraint.limits(state), constraint.features(state)
    assert (limits >= 0.0).all()
    assert np.isfinite(limits).all()
    assert np.array_equal(limits, limits.astype(np.float32).astype(np.float64))
    little = state[:, 0] < SPENT
    assert not limits[little].any()
    assert (limits[~little] < state[~little, 0]).all()
    assert (limits[~little] > 0.0).all()
    assert features.dtype == np.float32
    assert features.shape == (len(left), 2)
    assert np.array_equal(features[:, 0].astype(np.float64), limits)
    assert (features[:, 1].astype(np.float64) <= state[:, 0]).all()
    seen = constraint.feature_limits(torch.from_numpy(features))
    assert seen.dtype == torch.float64
    assert np.array_equal(seen.numpy(), limits)


@given(st.floats(1e-3, 50.0), st.integers(0, 9))
def test_the_rules(left, taken):
    table = tuple(float(n) for n in range(8, 0, -1))
    state = np.array([[left, float(taken)]])
    everything = PathwiseBudget(1.0, "all", table).limits(state)[0]
    close = {"rel": 0.0, "abs": 1.1e-9 + 6e-7 * left}
    assert everything == pytest.approx(left, **close)
    spread = PathwiseBudget(1.0, "spread", table).limits(state)[0]
    steps = table[min(taken, 7)]
    assert spread == pytest.approx(min(left, math.sqrt(left / (PACE * steps))), **close)
    assert spread <= everything


numbers = hnp.arrays(np.float32, (4, 3), elements=st.floats(-50.0, 50.0, width=32))
widths = hnp.arrays(np.float32, (4, 3), elements=st.floats(2**-10, 2**10, width=32))


@settings(max_examples=60)
@given(numbers, widths, numbers, widths, numbers)
def test_the_cost_is_the_realised_log_ratio_rounded_up(mean, std, base_mean, base_std, action):
    """Against 50 digits, from the very numbers; by no more than 1e-12 of its terms."""
    given = [x.astype(np.float64) for x in (mean, std, base_mean, base_std, action)]
    cost = PathwiseBudget(1.0).cost(gaussian(mean, std), gaussian(base_mean, base_std), given[4])
    for row, value in enumerate(cost):
        exact, size = MP.mpf(0), MP.mpf(1)
        for x, s, m, b, a in zip(*(one[row].tolist() for one in given), strict=True):
            x, s, m, b, a = map(MP.mpf, (x, s, m, b, a))
            terms = MP.log(b / s), ((a - m) / b) ** 2 / 2, ((a - x) / s) ** 2 / 2
            exact += terms[0] + terms[1] - terms[2]
            size += sum(map(abs, terms))
        assert exact <= MP.mpf(float(value)) <= exact + MP.mpf("1e-12") * size


def test_the_base_costs_exactly_nothing():
    rng = np.random.default_rng(0)
    mean, std, action = rng.normal(size=(9, 2)), rng.uniform(0.1, 2.0, (9, 2)), np.ones((9, 2))
    cost = PathwiseBudget(1.0).cost(gaussian(mean, std), gaussian(mean, std), action)
    assert cost.tolist() == [0.0] * 9


def test_an_action_beyond_all_numbers_is_refused():
    constraint = PathwiseBudget(1.0)
    one = np.ones((1, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        step, base = gaussian(0.5 * one, 0.5 * one), gaussian(0.0 * one, one)
        cost = constraint.cost(step, base, 1e200 * one)
    with pytest.raises(ArithmeticError, match="overspent"):
        constraint.spend(constraint.start(1), cost)


@settings(max_examples=25)
@given(
    st.one_of(st.floats(1e-9, 1e-6), st.floats(1e-3, 8.0), st.floats(1e2, 1e5)),
    rules,
    st.sampled_from([(20.0,), (9.0, 5.0, 2.0, 1.0), (0.5,)]),
    st.integers(0, 10**6),
    st.integers(1, 4),
)
def test_no_prefix_of_a_hostile_path_exceeds_the_budget(budget, rule, table, seed, size):
    """Budgets from below 1e-8, where only the base is played, to where nothing is promised."""
    constraint = PathwiseBudget(budget, rule, table)
    paths = hostile_paths(constraint, 60, 12, seed, size)
    assert (paths.peak_log_ratio <= np.longdouble(budget)).all()
    assert paths.moved == 0 if budget < SPENT else paths.moved > 0 or budget < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["spread", "all"])
def test_a_million_episodes_stay_within_the_budget(rule):
    """The bug that this guards against broke one of 10^5 episodes and none of 10^4."""
    budget = math.log(10.0)
    constraint = PathwiseBudget(budget, rule, tuple(float(n) for n in range(20, 0, -1)))
    peak, emptied = np.longdouble(0.0), 0
    for seed in range(50):
        paths = hostile_paths(constraint, 20_000, 20, seed)
        peak = max(peak, paths.peak_log_ratio.max())
        emptied += int((paths.left < SPENT).sum())
    assert peak <= np.longdouble(budget)
    assert peak > budget - 1e-6  # the budget was spent to its end
    assert emptied > 10_000


class Careless(PathwiseBudget):
    """Offers a hair more than there is, and takes what is overspent for rounding."""

    def limits(self, state):
        left = state[:, 0]
        return np.where(left < SPENT, 0.0, left + 1e-8)

    def spend(self, state, cost):
        return np.stack([np.maximum(state[:, 0] - cost, 0.0), state[:, 1] + 1.0], axis=1)


class Forgetful(PathwiseBudget):
    """Refunds are remembered, one charge in a thousand is not."""

    def spend(self, state, cost):
        forgotten = (cost > 0.0) & (np.arange(len(cost)) % 1000 == 0)
        return super().spend(state, np.where(forgotten, 0.0, cost))


class Rounded(PathwiseBudget):
    """Charges that went through float32."""

    def spend(self, state, cost):
        cost = np.minimum(cost.astype(np.float32).astype(np.float64), state[:, 0])
        return super().spend(state, cost)


@pytest.mark.parametrize("broken", [Careless, Forgetful, Rounded])
def test_the_attack_finds_broken_budgets(broken):
    paths = hostile_paths(broken(2.0, "all"), 5_000, 20, 1)
    assert (paths.peak_log_ratio > 2.0).any()


@given(st.floats(1e-12, 0.5), st.floats(0.0, 1.0))
def test_the_target_is_kept_and_nearly_attained(evidence, eps_base, share):
    eps_max = max(eps_base, eps_base ** (1.0 - share) * 0.999**share)
    evidence = replace(evidence, eps_base=eps_base)
    for kind in (PathwiseBudget, PathwiseBudgetAll, PathwiseBudgetSpread):
        constraint = kind.for_target(evidence, eps_max)
        bound = constraint.prior_bound(evidence)
        assert eps_base <= bound <= eps_max
        assert bound >= eps_max * (1.0 - 1e-12)
        assert constraint.steps_left == evidence.steps_left


@given(st.floats(0.0, 1.0), st.floats(0.0, 1e3))
def test_the_promise_is_at_least_the_base_s(evidence, eps_base, budget):
    evidence = replace(evidence, eps_base=eps_base)
    assert PathwiseBudget(budget).prior_bound(evidence) >= eps_base
    assert PathwiseBudget(0.0).prior_bound(evidence) == eps_base


def test_each_use_gets_its_rule(evidence):
    for trained, rule in ((False, "spread"), (True, "all")):
        assert PathwiseBudget.for_target(evidence, 0.1, trained=trained).rule == rule
        assert PathwiseBudgetAll.for_target(evidence, 0.1, trained=trained).rule == "all"
        assert PathwiseBudgetSpread.for_target(evidence, 0.1, trained=trained).rule == "spread"
    assert (PathwiseBudgetAll(1.0).rule, PathwiseBudget(1.0).rule) == ("all", "spread")


def test_nothing_to_spend_is_the_base_to_the_bit():
    constraint = PathwiseBudget(0.0)
    base = gaussian([[0.3, -2.0]], [[0.7, 1.1]])
    task = gaussian(torch.ones(1, 2), torch.full((1, 2), 0.1))
    assert not constraint.project(base, task).differs(base).any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"log_budget": -1e-16}, "log_budget must be at least 0"),
        ({"log_budget": math.nan}, "log_budget must be a finite number"),
        ({"log_budget": 1.0, "rule": "some"}, "rule 'some' is unknown: choose spread or all"),
        ({"log_budget": 1.0, "steps_left": ()}, "steps_left must be"),
        ({"log_budget": 1.0, "steps_left": (3.0, 0.0)}, "steps_left must be"),
    ],
)
def test_mistakes_name_themselves(parameters, message):
    with pytest.raises(UserError, match=message):
        PathwiseBudget(**parameters)
