"""A family that is no Gaussian goes the whole way: constraints, promises and rollouts.

A coin decides between −1 and +1 (``tests/coins.py``): what asks a policy for a mean or a std would
fail on it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from sport_ray.constraints import Evidence, RatioConstraint
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.errors import UserError
from sport_ray.families import family_named
from sport_ray.policies import PolicySpec
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.testing import Members, family_checks
from tests.coins import Coin, coins
from tests.exact_mdp import REACH_AVOID, TABULAR, late_hazard, register_tabular

HORIZON, COUNT = 12, 3_000
MDP = late_hazard()


class CoinSpec(PolicySpec):
    """Of a policy that tosses coins."""

    @property
    def family(self):
        return Coin


class Table:
    """A coin for every state of the tabular environment."""

    def __init__(self, seed: int, low: float, high: float) -> None:
        states = len(MDP.start)
        self.spec = CoinSpec(observation_size=states, action_size=1, hidden=(), squash="none")
        self.up = np.random.default_rng(seed).uniform(low, high, (states, 1)).astype(np.float32)

    def distribution(self, observation):
        return Coin(torch.from_numpy(self.up.astype(np.float64)[observation.argmax(axis=1)]))

    def recall(self, observation, memory):
        return self.distribution(observation), memory


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register_tabular()


@pytest.fixture(scope="module")
def base() -> Table:
    return Table(0, 0.2, 0.5)


@pytest.fixture(scope="module")
def task() -> Table:
    return Table(1, 0.5, 0.95)


PLAN = ScenarioPlan(
    env_id=TABULAR, property=REACH_AVOID, horizon=HORIZON, root_seed=1, purpose="evaluate"
)


def exact(up: np.ndarray) -> float:
    """P(violation within T) of coins with these probabilities of +1."""
    return MDP.violation(np.concatenate([1.0 - up, up], axis=1), HORIZON)


def evidence(eps_base: float) -> Evidence:
    """What is known of a base whose violation probability is."""
    return Evidence(HORIZON, eps_base, 1e-6, 1, 0, True, (0,) * HORIZON, (20.0,))


def test_the_projection_is_the_closest_coin_within_the_ratio():
    grid = torch.linspace(1e-4, 1.0 - 1e-4, 20_001, dtype=torch.float64)[:, None]
    for known, wanted, limit in (
        (0.3, 0.9, 0.4),
        (0.3, 0.01, 0.1),
        (0.8, 0.7, 0.05),
        (0.5, 0.5, 0),
    ):
        base, task = (Coin(torch.tensor([[x]], dtype=torch.float64)) for x in (known, wanted))
        got = task.projected(base, limit)
        assert got.max_log_ratio(base) <= limit
        within = Coin(grid)[Coin(grid).max_log_ratio(base) <= limit]
        assert not len(within) or got.kl(task) <= within.kl(task).min() + 1e-12


def test_a_constant_ratio_holds_and_its_bound_too(base, task):
    constraint = RatioConstraint(1.1)
    behaviour = ProjectedBehaviour(base, task, constraint)
    step = behaviour.step(np.eye(len(base.up)), np.zeros((len(base.up), 0)))
    assert step.projected.any()
    truth, of_base = exact(step.chosen.arrays()[0]), exact(base.up.astype(np.float64))
    bound = constraint.prior_bound(evidence(of_base))
    assert of_base != truth <= bound
    outcomes = run_scenarios(PLAN, behaviour, 0, COUNT)
    assert stats.binomtest(outcomes.num_violations(HORIZON), COUNT, truth).pvalue > 1e-3
    assert outcomes.max_log_ratio.max() <= math.log(1.1)
    alone = run_scenarios(PLAN, BaseBehaviour(base), 0, COUNT)
    assert stats.binomtest(alone.num_violations(HORIZON), COUNT, of_base).pvalue > 1e-3
    difference = outcomes.sum_realised_log_ratio - outcomes.sum_kl_to_base
    assert stats.ttest_1samp(difference, 0.0).pvalue > 1e-3


@pytest.mark.parametrize("rule", ["all", "spread"])
def test_no_path_exceeds_its_budget(base, task, rule):
    constraint = PathwiseBudget(0.7, rule)
    outcomes = run_scenarios(PLAN, ProjectedBehaviour(base, task, constraint), 0, COUNT)
    assert 0.5 < outcomes.max_prefix_log_ratio.max() <= 0.7
    bound = constraint.prior_bound(evidence(exact(base.up.astype(np.float64))))
    found = outcomes.num_violations(HORIZON)
    assert stats.binomtest(found, COUNT, min(bound, 1.0), alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("constraint", [MeanShiftBudget(1.0), GaussRenyiConstraint(1.1)])
def test_a_theorem_about_gaussians_is_refused(base, task, constraint):
    with pytest.raises(UserError, match=f"constraint '{constraint.name}' .*:coin'.*: choose"):
        ProjectedBehaviour(base, task, constraint)


def test_it_is_known_by_its_name():
    assert family_named("tests.coins:coin") is Coin
    with pytest.raises(UserError, match="unknown family 'dice'; known: categorical, gaussian"):
        family_named("dice")


@pytest.mark.parametrize("check", family_checks(), ids=lambda check: check.__name__)
def test_it_passes_the_checks_of_a_family(check):
    check(Members(coins(1), 1))
