"""Random budgets: the bound and the best mixture, and both on MDPs against the worst event."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sport_ray.bounds import pathwise_bound
from sport_ray.bounds.mixture import UNITS, best_mixture, mixture_bound
from tests.exact_mdp import (
    TabularMdp,
    TrajectoryLaws,
    random_mdp,
    trajectory_laws,
    worst_event,
)
from tests.sport_ray.bounds.test_ground_truth import budget_laws

SLACK = 1.0 + 1e-9
seeds = st.integers(0, 10**6)
shares = st.lists(st.integers(0, 10**6), min_size=1, max_size=5).filter(any)
points = st.lists(st.tuples(st.floats(0.0, 1.5), st.floats(-3.0, 3.0)), min_size=1, max_size=7)


def on_grid(parts: list[int]) -> list[float]:
    """Weights in these proportions; the first takes what is left over."""
    units = [part * UNITS // sum(parts) for part in parts]
    units[0] += UNITS - sum(units)
    return [unit / UNITS for unit in units]


@given(parts=shares, data=st.data())
def test_it_is_rounded_up_by_one_unit_at_most(parts, data):
    some = st.floats(0.0, 2.0) | st.just(math.inf)
    bounds = data.draw(st.lists(some, min_size=len(parts), max_size=len(parts)))
    weights = on_grid(parts)
    exact = sum(Fraction(w) * Fraction(min(1.0, b)) for w, b in zip(weights, bounds, strict=True))
    found = mixture_bound(weights, bounds)
    assert exact <= Fraction(found)
    assert found == 0.0 or Fraction(math.nextafter(found, 0.0)) < exact


@given(given_points=points, eps_max=st.floats(1e-6, 1.0, exclude_max=True))
def test_no_mixture_is_better_and_it_keeps_to_the_target(given_points, eps_max):
    bounds = [min(1.0, bound) for bound, _ in given_points]
    gains = np.array([gain for _, gain in given_points])
    if min(bounds) > eps_max:
        with pytest.raises(ValueError, match=r"^eps_max must be at least the least bound"):
            best_mixture(given_points, eps_max)
        return
    weights = best_mixture(given_points, eps_max)
    assert mixture_bound(weights, bounds) <= eps_max
    assert np.count_nonzero(weights) <= 2
    best = linprog(-gains, A_ub=[bounds], b_ub=[eps_max], A_eq=[np.ones(len(gains))], b_eq=[1.0])
    assert best.status == 0
    assert float(gains @ weights) >= -best.fun - 1e-6


def test_the_points_themselves_the_base_and_the_unconstrained_policy():
    table = [(0.02, 0.0), (0.1, 1.0), (0.2, 1.2), (math.inf, 1.6)]
    assert best_mixture(table, 0.02) == (1.0, 0.0, 0.0, 0.0)
    assert best_mixture(table, 0.1) == (0.0, 1.0, 0.0, 0.0)
    low = best_mixture(table, 0.06)
    assert low[:2] == pytest.approx((0.5, 0.5))
    high = best_mixture(table, 0.6)
    assert high[2:] == pytest.approx((0.5, 0.5))
    flip = best_mixture([table[0], table[3]], 0.4)
    assert flip == pytest.approx((0.6 / 0.98, 0.38 / 0.98))  # the coin flip is the worst case


@pytest.mark.parametrize(
    ("weights", "bounds", "name"),
    [
        ([], [], "weights"),
        ([0.1] * 10, [0.1] * 10, "weights"),  # off the grid, and not 1 in floats
        ([0.5, 0.25], [0.1, 0.1], "weights"),
        ([1.5, -0.5], [0.1, 0.1], "weights"),
        ([math.nan, 1.0], [0.1, 0.1], "weights"),
        ([1.0], [0.1, 0.2], "bounds"),
        ([1.0], [-0.1], "bounds"),
        ([1.0], [math.nan], "bounds"),
    ],
)
def test_an_argument_out_of_range_is_named(weights, bounds, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        mixture_bound(weights, bounds)


@pytest.mark.parametrize("gain", [math.nan, math.inf])
def test_a_gain_that_is_no_number_is_named(gain):
    with pytest.raises(ValueError, match=r"^gain must "):
        best_mixture([(0.1, gain)], 0.2)


# --- on MDPs ------------------------------------------------------------------------------------


def mixed(weights: list[float], laws: list[TrajectoryLaws]) -> np.ndarray:
    """The law of a policy that draws one of them at the start; their trajectories are the same."""
    return np.sum([w * law.q for w, law in zip(weights, laws, strict=True)], axis=0)


@settings(max_examples=30)
@given(
    seed=seeds, parts=shares, horizon=st.integers(1, 3), eps=st.floats(1e-3, 0.6), data=st.data()
)
def test_random_budgets_on_random_problems(seed, parts, horizon, eps, data):
    """Each part may spend what is left at every step; one has no limit at all."""
    mdp, weights = random_mdp(seed, states=4), on_grid(parts)
    horizon, some = data.draw(st.integers(1, 3)), st.floats(0.0, 3.0)
    budgets = data.draw(st.lists(some, min_size=len(parts), max_size=len(parts)))
    free = data.draw(st.booleans())
    laws = [budget_laws(mdp, budget, horizon, seed + i) for i, budget in enumerate(budgets)]
    bounds = [pathwise_bound(eps, budget) for budget in budgets]
    if free:
        greedy = np.eye(mdp.base.shape[1])[seed % mdp.base.shape[1]]
        laws[0], bounds[0] = trajectory_laws(mdp, lambda *_: greedy, horizon), math.inf
    assert np.array_equal(laws[0].p, laws[-1].p)
    worst = worst_event(laws[0].p, mixed(weights, laws), eps)
    assert worst <= mixture_bound(weights, bounds) * SLACK


def test_the_promise_is_attained_and_a_smaller_one_is_caught():
    """All parts spend on one event: the mixture is as bad as promised, and no less is a bound.

    The wrong bound e^{E[B]}·ε, a budget in the mean, is below the truth here by half.
    """
    rate, weights, budgets = 0.1, [0.75, 0.25], [0.0, math.log(8.0)]
    p = np.array([1.0 - rate, rate])
    q = [np.array([1.0 - math.exp(b) * rate, math.exp(b) * rate]) for b in budgets]
    worst = worst_event(p, weights[0] * q[0] + weights[1] * q[1], rate)
    promise = mixture_bound(weights, [pathwise_bound(rate, budget) for budget in budgets])
    assert promise * (1.0 - 1e-12) <= worst <= promise * SLACK
    wrong = pathwise_bound(rate, weights[0] * budgets[0] + weights[1] * budgets[1])
    assert wrong < 0.7 * worst


def test_a_part_that_depends_on_the_episode_breaks_it():
    """A negative control: drawn by the first state, with the same shares, it is no mixture."""
    step = np.zeros((4, 2, 4))
    step[2, :, 0] = step[3, 0, 0] = step[3, 1, 1] = 1.0  # only from state 3, by action 1
    mdp = TabularMdp(np.array([0.0, 0.0, 0.75, 0.25]), step, np.tile([0.6, 0.4], (4, 1)))
    eps, budget = mdp.violation(mdp.base, 1), math.log(4.0)
    promise = mixture_bound([0.75, 0.25], [eps, pathwise_bound(eps, budget)])
    bad = np.tile([0.0, 1.0], (4, 1))  # its ratio is 2.5, within the budget
    assert eps == pytest.approx(0.1)
    drawn = 0.75 * eps + 0.25 * mdp.violation(bad, 1)
    assert drawn < promise
    looking = np.where([[True], [True], [True], [False]], mdp.base, bad)  # 0.25 of all episodes
    assert mdp.violation(looking, 1) > 1.4 * promise
