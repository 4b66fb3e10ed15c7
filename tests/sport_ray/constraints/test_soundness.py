"""What is promised holds for the worst event there is, and for a robot that looks for trouble.

Two steps of a Gaussian action, integrated on a grid: the law of the two actions under the base
and under a task policy that reacts to what is left and to what happened, then the event that is
worst for the bound (Neyman and Pearson).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from sport_ray.constraints import Constraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.network import widened
from sport_ray.rollouts import ProjectedBehaviour, ScenarioPlan, run_scenarios
from tests.exact_mdp import TABULAR, TabularEnv, register_tabular, sign_policy, worst_event
from tests.gaussians import gaussian

Array = NDArray[np.float64]
Task = Callable[[Array, Array], tuple[Array, Array]]
"""The task policy: (first action, features) → (mean, std); at step one the action is NaN."""

GRID = np.linspace(-9.0, 9.0, 601)
WEIGHT = stats.norm.pdf(GRID) * (GRID[1] - GRID[0])


class Laws(NamedTuple):
    """Of (a_1, a_2) on the grid, (n, n): probabilities under the base and under the task."""

    base: Array
    task: Array


def two_steps(constraint: Constraint, task: Task) -> Laws:
    """Base N(0, 1) twice; the task policy is projected, charged and sees what is left."""

    def project(first: Array, state: Array) -> tuple[Array, Array]:
        mean, std = task(first, constraint.features(state).astype(np.float64))
        given = gaussian(*(x.astype(np.float32)[:, None] for x in (mean, std)))
        base = gaussian(torch.zeros_like(given.mean), torch.ones_like(given.std))
        limits = torch.from_numpy(constraint.limits(state))
        chosen = constraint.project(base, given, limits)
        assert constraint.within(chosen, base, limits).all()
        return chosen.arrays()

    one = np.ones((len(GRID), 1))
    mean, std = project(np.full(1, np.nan), constraint.start(1))
    first = log_density(mean, std)[0]
    step, base = gaussian(mean * one, std * one), gaussian(0.0 * one, one)
    cost = constraint.cost(step, base, GRID[:, None])
    mean, std = project(GRID, constraint.spend(constraint.start(len(GRID)), cost))
    log_ratio = first[:, None] + log_density(mean, std)
    base = WEIGHT[:, None] * WEIGHT[None, :]
    return Laws(base, base * np.exp(log_ratio))


def log_density(mean: Array, std: Array) -> Array:
    """Log N(a; mean, std)/N(a; 0, 1) on the grid, (rows, n)."""
    return -np.log(std) + 0.5 * GRID**2 - 0.5 * ((GRID - mean) / std) ** 2


def narrow(first: Array, features: Array) -> tuple[Array, Array]:
    """Everything at once, at the first step."""
    return np.full(len(first), 0.3), np.full(len(first), 0.05)


def patient(first: Array, features: Array) -> tuple[Array, Array]:
    """A refund is sought first: where the base seldom goes; what there is then is spent."""
    begin = np.isnan(first)
    return np.where(begin, 1.5, -2.0), np.where(begin, 0.9, 0.2)


def gambler(first: Array, features: Array) -> tuple[Array, Array]:
    """All of what is left if the first action went its way, else nothing."""
    won = np.isnan(first) | (first > 0.5)
    return np.where(won, 3.0, 0.0), np.where(won, 0.4, 1.0)


def reacting(first: Array, features: Array) -> tuple[Array, Array]:
    """More is asked for, and in the other direction, the more is left."""
    left = np.minimum(features[:, 1], 3.0)
    return -4.0 * left, np.exp(-left)


TASKS = [narrow, patient, gambler, reacting]


@pytest.mark.parametrize("rule", ["all", "spread"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("budget", [0.05, 1.0, 3.0])
def test_the_worst_event_under_a_pathwise_budget(evidence, rule, task, budget):
    constraint = PathwiseBudget(budget, rule, (2.0, 1.0))
    laws = two_steps(constraint, task)
    assert laws.base.sum() == pytest.approx(1.0, abs=1e-9)
    assert laws.task.sum() == pytest.approx(1.0, abs=1e-6)  # the charges are those of a law
    assert (laws.task <= math.exp(budget) * laws.base).all()
    for eps in (1e-3, 0.05, 0.3):
        bound = constraint.prior_bound(replace(evidence, eps_base=eps))
        assert worst_event(laws.base.ravel(), laws.task.ravel(), eps) <= bound


def test_a_pathwise_budget_is_nearly_attained(evidence):
    laws = two_steps(PathwiseBudget(1.0, "all"), narrow)
    assert worst_event(laws.base.ravel(), laws.task.ravel(), 0.01) > 0.9 * math.e * 0.01


@pytest.mark.parametrize("table", [(2.0, 1.0), (1.0,), (5.0, 4.0)])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("mu", [0.1, 1.0, 2.0])
def test_the_worst_event_under_a_budget_of_shifts(evidence, table, task, mu):
    constraint = MeanShiftBudget(mu, table)
    laws = two_steps(constraint, task)
    assert laws.task.sum() == pytest.approx(1.0, abs=1e-6)
    for eps in (1e-3, 0.05, 0.3):
        bound = constraint.prior_bound(replace(evidence, eps_base=eps))
        # What the grid may add: with spacing 0.03 its sums err by less.
        assert worst_event(laws.base.ravel(), laws.task.ravel(), eps) <= bound * (1.0 + 1e-4)


def test_a_budget_of_shifts_is_nearly_attained_and_the_check_sees_more(evidence):
    """Equal shifts attain it; the whole budget at every step goes beyond it."""
    push = lambda first, features: (np.full(len(first), 9.0), np.ones(len(first)))  # noqa: E731
    evidence = replace(evidence, eps_base=0.01)
    bound = MeanShiftBudget(1.0).prior_bound(evidence)
    laws = two_steps(MeanShiftBudget(1.0, (2.0, 1.0)), push)
    assert worst_event(laws.base.ravel(), laws.task.ravel(), 0.01) > 0.999 * bound

    class Forgetful(MeanShiftBudget):
        """Charges nothing."""

        def spend(self, state, cost):
            return state

    laws = two_steps(Forgetful(1.0, (1.0,)), push)
    assert worst_event(laws.base.ravel(), laws.task.ravel(), 0.01) > 1.5 * bound


@pytest.mark.slow
@pytest.mark.parametrize("sees", [True, False])
@pytest.mark.parametrize(
    "constraint",
    [
        PathwiseBudget(1.5, "all"),
        PathwiseBudget(1.5, "spread", (4.0, 3.0, 2.0, 1.0)),
        MeanShiftBudget(0.8, (4.0, 3.0, 2.0, 1.0)),
    ],
    ids=["all", "spread", "mean_shift"],
)
def test_an_adversary_on_an_exact_problem(evidence, constraint, sees):
    """The base's violation probability is exact, the adversary's is estimated: 4,000 scenarios."""
    register_tabular()
    env_kwargs = {"seed": 0, "states": 5}
    horizon, count = 4, 4_000
    mdp = TabularEnv(horizon, 0, 5).mdp
    spec = PolicySpec(observation_size=5, action_size=1, hidden=(), squash="none", log_std_min=-3.0)
    base, task = PolicyNetwork(spec), PolicyNetwork(spec)
    # The action that is likelier to lead to the hazard, or away from the goal, in every state.
    value = (np.arange(5) != 0).astype(float)
    worse = np.sign((mdp.step[:, 1] - mdp.step[:, 0]) @ value)
    with torch.no_grad():
        for network in (base, task):
            network.body[0].weight.zero_()
            network.body[0].bias.zero_()
        task.body[0].weight[0] = torch.from_numpy(3.0 * worse)
        task.body[0].bias[1] = -0.5
    frozen = FrozenPolicy(base)
    mean, std = frozen.distribution(np.eye(5)).arrays()
    eps = mdp.violation(sign_policy(mean[:, 0], std[:, 0]), horizon)
    if sees:
        task = widened(task, constraint.num_features)
        with torch.no_grad():
            task.body[0].weight[1, -1] = -0.3  # narrower while there is much left
    plan = ScenarioPlan(
        env_id=TABULAR,
        env_kwargs=env_kwargs,
        property="(!hazard) U goal",
        horizon=horizon,
        root_seed=1,
        purpose="evaluate",
    )
    behaviour = ProjectedBehaviour(frozen, FrozenPolicy(task), constraint)
    table = run_scenarios(plan, behaviour, 0, count)
    found = table.num_violations(horizon)
    interval = stats.binomtest(found, count).proportion_ci(1.0 - 1e-6)
    bound = constraint.prior_bound(replace(evidence, eps_base=eps))
    assert eps < interval.low <= bound  # it does harm, and no more than was promised
