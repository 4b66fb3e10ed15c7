"""Scenarios and certificates against violation probabilities that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.constraints import RatioConstraint
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from tests.exact_mdp import (
    REACH_AVOID,
    TABULAR,
    first_to_finish,
    late_hazard,
    register_tabular,
    sign_policy,
)

HORIZON, COUNT = 12, 3_000


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register_tabular()


def actor(states: int, seed: int, lean: float = 0.0) -> FrozenPolicy:
    """A random policy on one-hot states; the lower ``lean``, the more it avoids the corridor."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        spec = PolicySpec(
            observation_size=states, action_size=1, hidden=(8,), squash="none", log_std_max=0.5
        )
        network = PolicyNetwork(spec)
        with torch.no_grad():
            network.body[-1].weight.mul_(4.0)
            network.body[-1].bias[0].add_(lean)
        return FrozenPolicy(network)


def plan(root_seed: int = 1, **kwargs) -> ScenarioPlan:
    return ScenarioPlan(
        env_id=TABULAR,
        env_kwargs=kwargs,
        property=REACH_AVOID,
        horizon=HORIZON,
        root_seed=root_seed,
        purpose="certify",
    )


def exact(policy: FrozenPolicy) -> float:
    """P(violation within T) of a policy on ``late_hazard()``, by dynamic programming."""
    mdp = late_hazard()
    mean, std = policy.distribution(np.eye(len(mdp.start))).arrays()
    return mdp.violation(sign_policy(mean[:, 0], std[:, 0]), HORIZON)


@pytest.mark.parametrize("seed", range(3))
def test_scenarios_have_the_exact_probability(seed):
    policy = actor(len(late_hazard().start), seed)
    truth = exact(policy)
    violations = run_scenarios(plan(), BaseBehaviour(policy), 0, COUNT).num_violations(HORIZON)
    assert stats.binomtest(violations, COUNT, truth).pvalue > 1e-3


def test_the_first_to_finish_would_not():
    """64 slots, the first 100 episodes that end: too few violations, since those take long."""
    mdp = late_hazard()
    rng = np.random.default_rng(2)
    truth = mdp.violation(mdp.base, HORIZON)
    found = [first_to_finish(mdp, HORIZON, 64, 100, rng).mean() for _ in range(60)]
    assert stats.ttest_1samp(found, truth, alternative="less").pvalue < 1e-9


def test_certificates_fail_no_more_often_than_stated():
    """400 certifications of 40 scenarios each at β = 0.1, through the real scenario runner."""
    policy = actor(len(late_hazard().start), 0)
    truth = exact(policy)
    table = run_scenarios(plan(root_seed=9), BaseBehaviour(policy), 0, 400 * 40)
    violated = ~table.satisfied_by(HORIZON).reshape(400, 40)
    bounds = [scenario_bound(40, int(k), 0.1) for k in violated.sum(axis=1)]
    failures = sum(bound < truth for bound in bounds)
    assert stats.binomtest(failures, 400, 0.1, "greater").pvalue > 1e-3


def test_a_projected_policy_keeps_the_prior_bound():
    states = len(late_hazard().start)
    base, task = actor(states, 0, lean=-1.0), actor(states, 1)
    alpha = 1.02
    behaviour = ProjectedBehaviour(base, task, RatioConstraint(alpha))
    rate = run_scenarios(plan(), behaviour, 0, COUNT).num_violations(HORIZON)
    promised = ratio_bound(exact(base), alpha, HORIZON)
    assert exact(base) < promised < 0.9
    assert stats.binomtest(rate, COUNT, promised, alternative="greater").pvalue > 1e-3
