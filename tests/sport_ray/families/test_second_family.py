"""A family that is no Gaussian goes the whole way: constraints, promises and rollouts.

A coin decides between −1 and +1. It is known nowhere but here: what asks a policy for a mean or a
std would fail on it.
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
from sport_ray.families import Distribution, family_named
from sport_ray.policies import PolicySpec
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from tests.exact_mdp import REACH_AVOID, TABULAR, late_hazard, register_tabular

HORIZON, COUNT = 12, 3_000
MDP = late_hazard()


class Coin(Distribution):
    """+1 with probability ``up`` (..., 1), else −1."""

    name = "coin"
    part_names = ("up",)

    @classmethod
    def num_parameters(cls, action_size):
        return action_size

    @classmethod
    def noise_size(cls, action_size):
        return action_size

    @classmethod
    def draw_noise(cls, generator, steps, action_size):
        return generator.random((steps, action_size))

    def valid(self):
        return super().valid() & ((self.parts[0] >= 0.0) & (self.parts[0] <= 1.0)).all(-1)

    def agrees(self, other, base):
        return ((self.parts[0] - other.parts[0]).abs() <= 1e-6).all(-1)

    def sample(self, noise):
        return np.where(noise < self.arrays()[0], 1.0, -1.0)

    def log_prob(self, action):
        (up,) = self.parts
        return torch.log(torch.where(action > 0, up, 1.0 - up)).sum(-1)

    def torch_distribution(self):
        return torch.distributions.Independent(torch.distributions.Bernoulli(self.parts[0]), 1)

    def log_ratio(self, base, action):
        drawn = torch.from_numpy(action)
        return (self.to(torch.float64).log_prob(drawn) - base.log_prob(drawn)).numpy()

    def log_ratio_above(self, base, action):
        ratio = self.log_ratio(base, action)
        return np.where(self.differs(base).numpy(), ratio + 1e-12 * (1.0 + np.abs(ratio)), 0.0)

    def max_log_ratio(self, base):
        up, known = self.parts[0].double(), base.parts[0].double()
        return torch.log(torch.maximum(up / known, (1.0 - up) / (1.0 - known))).sum(-1)

    def kl(self, other):
        up, its = self.parts[0].double(), other.parts[0].double()
        return (torch.xlogy(up, up / its) + torch.xlogy(1 - up, (1 - up) / (1 - its))).sum(-1)

    def projected(self, base, limit):
        most = torch.as_tensor(limit, dtype=torch.float64)
        known, alpha = base.parts[0].double(), torch.exp(most)[..., None]
        up = self.parts[0].double().clamp(1.0 - alpha * (1.0 - known), alpha * known)
        found = Coin(up.to(self.parts[0]))
        while (outside := found.max_log_ratio(base) > most).any():  # rounded outwards
            inwards = torch.nextafter(found.parts[0], base.parts[0])
            found = Coin(torch.where(outside[..., None], inwards, found.parts[0]))
        return found


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
    assert family_named(f"{__name__}:coin") is Coin
    with pytest.raises(UserError, match="unknown family 'dice'; known: categorical, gaussian"):
        family_named("dice")
