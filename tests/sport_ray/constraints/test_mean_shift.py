"""The budget of squared mean shifts: limits, costs, promises, gradient, and hostile paths."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sport_ray.constraints.budget import SPENT
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.errors import UserError
from tests.gaussians import gaussian
from tests.sport_ray.constraints.adversary import hostile_paths

COUNTDOWN = tuple(float(n) for n in range(20, 0, -1))
lefts = st.lists(
    st.one_of(st.floats(0.0, 1e-7), st.floats(0.0, 50.0), st.floats(0.0, 1e12)),
    min_size=1,
    max_size=8,
)


@given(lefts, st.integers(0, 50), st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=5))
def test_limits_squared_are_within_what_is_left(left, taken, table):
    constraint = MeanShiftBudget(1.0, tuple(table))
    state = np.array([[amount, float(taken)] for amount in left])
    limits, features = constraint.limits(state), constraint.features(state)
    assert np.array_equal(limits, limits.astype(np.float32).astype(np.float64))
    little = state[:, 0] < SPENT
    assert not limits[little].any()
    assert (limits[~little] > 0.0).all()
    steps = max(1.0, table[min(taken, len(table) - 1)])
    for limit, amount in zip(limits, state[:, 0], strict=True):
        assert Fraction(limit) ** 2 <= Fraction(amount)
        share = math.sqrt(amount / steps)
        assert limit <= share
        assert limit >= share * (1.0 - 1e-6) or amount < SPENT
    assert np.array_equal(features[:, 0].astype(np.float64), limits)
    assert (features[:, 1].astype(np.float64) <= state[:, 0]).all()


@given(st.floats(0.0, 1e6))
def test_the_start_is_never_above_the_square(mu):
    state = MeanShiftBudget(mu).start(2)
    assert state.shape == (2, 2)
    assert not state[:, 1].any()
    assert 0 <= Fraction(state[0, 0]) <= Fraction(mu) ** 2
    assert state[0, 0] == pytest.approx(mu**2, rel=1e-15, abs=1e-300)


numbers = hnp.arrays(np.float32, (4, 3), elements=st.floats(-50.0, 50.0, width=32))
widths = hnp.arrays(np.float32, (4, 3), elements=st.floats(2**-10, 2**10, width=32))


@given(numbers, numbers, widths)
def test_the_cost_is_the_squared_shift_rounded_up(mean, base_mean, std):
    given = gaussian(mean, std), gaussian(base_mean, std)
    constraint = MeanShiftBudget(1.0)
    cost = constraint.cost(*given, action=np.zeros((4, 3)))
    assert np.array_equal(cost, constraint.cost(*given, action=np.full((4, 3), 7.0)))
    for row, value in enumerate(cost):
        exact = sum(
            ((Fraction(x) - Fraction(m)) / Fraction(s)) ** 2
            for x, s, m in zip(*(one[row].tolist() for one in (mean, std, base_mean)), strict=True)
        )
        assert exact <= Fraction(value) <= exact * (1 + Fraction(1, 10**14)) + Fraction(1, 10**300)


@settings(max_examples=40)
@given(
    st.one_of(st.floats(1e-5, 1e-3), st.floats(1e-2, 8.0), st.floats(1e2, 1e6)),
    st.sampled_from([(1.0,), (5.0, 2.0), COUNTDOWN]),
    st.integers(0, 10**6),
    st.integers(1, 4),
)
def test_no_hostile_path_shifts_by_more_than_mu(mu, table, seed, size):
    constraint = MeanShiftBudget(mu, table)
    paths = hostile_paths(constraint, 60, 12, seed, size)
    assert (paths.squared_shift <= np.longdouble(mu) ** 2).all()
    if constraint.start(1)[0, 0] < SPENT:
        assert paths.moved == 0


@pytest.mark.slow
def test_a_million_episodes_shift_by_no_more_than_mu():
    mu = 1.1
    constraint = MeanShiftBudget(mu, COUNTDOWN)
    most = np.longdouble(0.0)
    for seed in range(50):
        paths = hostile_paths(constraint, 20_000, 20, seed)
        most = max(most, paths.squared_shift.max())
    assert most <= np.longdouble(mu) ** 2
    assert most > mu**2 * (1.0 - 1e-6)  # it was spent to its end


class Careless(MeanShiftBudget):
    """All that is left at once, and not a number rounded downwards."""

    def limits(self, state):
        return np.sqrt(np.maximum(state[:, 0], 0.0))

    def within(self, step, base, limits):
        return torch.ones(len(step), dtype=torch.bool)

    def project(self, base, task, limits=None):
        shift = (task.mean - base.mean) / base.std
        length = torch.linalg.vector_norm(shift, dim=-1)
        scale = torch.clamp(limits.float() / length.clamp(min=1e-30), max=1.0)[..., None]
        return gaussian(base.mean + shift * scale * base.std, base.std)

    def spend(self, state, cost):
        return np.stack([np.maximum(state[:, 0] - cost, 0.0), state[:, 1] + 1.0], axis=1)


def test_the_attack_finds_a_broken_budget():
    paths = hostile_paths(Careless(1.1), 2_000, 20, 1)
    assert (paths.squared_shift > np.longdouble(1.1) ** 2).any()


@settings(max_examples=200)
@given(st.floats(2**-13, 8.0, width=32), st.floats(-8.0, 8.0, width=32))
def test_a_task_exactly_at_the_limit_is_projected_within_it(limit, base):
    """The projection returns what is feasible as it is; its cost is rounded up all the same."""
    base_mean, std = torch.full((1, 1), base), torch.ones(1, 1)
    constraint, limits = MeanShiftBudget(9.0), torch.tensor([limit], dtype=torch.float64)
    for task in (base + limit, base - limit):
        step = constraint.project(
            gaussian(base_mean, std), gaussian(torch.full((1, 1), task), std), limits
        )
        assert constraint.within(step, gaussian(base_mean, std), limits).all()


def test_another_std_or_a_larger_shift_is_not_within():
    constraint = MeanShiftBudget(1.0)
    base = gaussian(torch.zeros(4, 2), torch.ones(4, 2))
    mean, std = base.mean.clone(), base.std.clone()
    mean[1, 0] = 1.0
    std[2, 1] = 0.999
    mean[3, 1] = math.nan
    with pytest.raises(ValueError, match="mean must be finite"):
        constraint.within(gaussian(mean, std), base, torch.ones(4))
    mean[3, 1] = 0.5
    step = gaussian(mean, std)
    within = constraint.within(step, base, torch.tensor([0.0, 0.99, 1.0, 0.5000001]))
    assert within.tolist() == [True, False, False, True]
    assert not constraint.within(step, base, math.nan).any()


def test_the_gradient_is_the_scaled_shift_s_own():
    """Row by row with a limit of its own; inside, at 0 and on the ball; the values stay exact."""
    rng = np.random.default_rng(3)
    base_mean, base_std = torch.from_numpy(rng.normal(size=(6, 3))), torch.full((6, 3), 0.7)
    base_std = base_std.double()
    task = torch.from_numpy(rng.normal(size=(6, 3)) * 2.0)
    limits = torch.tensor([0.0, 0.1, 0.5, 1.0, 1e3, 2e3], dtype=torch.float64)
    constraint = MeanShiftBudget(1.0)

    def mean_at(task):
        base = gaussian(base_mean, base_std)
        return constraint.project(base, gaussian(task, base_std), limits).mean

    given = task.clone().requires_grad_()
    mean = mean_at(given)
    assert torch.equal(mean.detach(), mean_at(task))
    weights = torch.from_numpy(rng.normal(size=(6, 3)))
    (mean * weights).sum().backward()
    for row in range(6):
        for entry in range(3):
            step = torch.zeros(6, 3).double()
            step[row, entry] = 1e-6
            change = ((mean_at(task + step) - mean_at(task - step)) * weights).sum() / 2e-6
            assert float(given.grad[row, entry]) == pytest.approx(float(change), abs=1e-6)
    same = base_mean.clone().requires_grad_()
    mean_at(same).sum().backward()
    assert torch.isfinite(same.grad).all()


@given(st.floats(1e-12, 0.5), st.floats(0.0, 1.0))
def test_the_target_is_kept_and_nearly_attained(evidence, eps_base, share):
    eps_max = max(eps_base, eps_base ** (1.0 - share) * 0.999**share)
    evidence = replace(evidence, eps_base=eps_base)
    constraint = MeanShiftBudget.for_target(evidence, eps_max)
    bound = constraint.prior_bound(evidence)
    assert eps_base <= bound <= eps_max
    assert bound >= eps_max * (1.0 - 1e-9)
    assert constraint.steps_left == evidence.steps_left


@given(st.floats(0.0, 1.0), st.floats(0.0, 1e6))
def test_the_promise_is_at_least_the_base_s(evidence, eps_base, mu):
    evidence = replace(evidence, eps_base=eps_base)
    assert eps_base <= MeanShiftBudget(mu).prior_bound(evidence) <= 1.0
    assert MeanShiftBudget(0.0).prior_bound(evidence) == eps_base


@pytest.mark.parametrize("mu", [-1e-16, math.nan, math.inf, 1e200, 1.1e6, "1", True])
def test_mistakes_name_themselves(mu):
    with pytest.raises(UserError, match="mu must be"):
        MeanShiftBudget(mu)
    with pytest.raises(UserError, match="steps_left must be"):
        MeanShiftBudget(1.0, (-1.0,))
