"""Watched scenarios: the base's own, with the log ratio that another policy would have had."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sport_ray.bounds import off_policy_bound
from sport_ray.constraints import RatioConstraint, constraint_from_json
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, run_scenarios
from sport_ray.rollouts.shadow import watched_scenarios

CONSTRAINTS = [
    RatioConstraint(1.1),
    constraint_from_json({"name": "pathwise", "log_budget": 1.0}),
    constraint_from_json({"name": "mean_shift", "mu": 0.7}),
]


@pytest.fixture
def off_policy_plan(walk_plan):
    return walk_plan.model_copy(update={"purpose": "off_policy"})


@pytest.fixture
def walk_task(walk_base):
    """The walk's policy, leaning towards the hazard."""
    import torch

    from sport_ray.policies import FrozenPolicy, PolicyNetwork

    with torch.random.fork_rng():
        torch.manual_seed(11)
        network = PolicyNetwork(walk_base.spec)
        with torch.no_grad():
            network.body[-1].bias[0].sub_(0.6)
        return FrozenPolicy(network)


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda c: c.name)
def test_the_base_acts_and_nothing_else(off_policy_plan, walk_base, walk_task, constraint):
    watcher = ProjectedBehaviour(walk_base, walk_task, constraint)
    outcomes, ratios, _ = watched_scenarios(off_policy_plan, watcher, 80)
    alone = run_scenarios(off_policy_plan, BaseBehaviour(walk_base), 0, 80)
    for name, values in alone.to_arrays().items():
        np.testing.assert_array_equal(getattr(outcomes, name), values, err_msg=name)
    assert np.isfinite(ratios).all()
    assert ratios.std() > 0
    assert (ratios <= constraint.path_log_ratio_limit(off_policy_plan.horizon)).all()


def test_watching_oneself_is_a_ratio_of_one(off_policy_plan, walk_base, walk_task):
    watcher = ProjectedBehaviour(walk_base, walk_task, RatioConstraint(1.0))
    _, ratios, _ = watched_scenarios(off_policy_plan, watcher, 20)
    assert (ratios == 0.0).all()


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda c: c.name)
def test_weights_reproduce_the_policy_that_never_acted(
    off_policy_plan, walk_base, walk_task, constraint
):
    """E_P[L] = 1 and E_P[L 1{viol}] = Q(viol), against rollouts of the policy itself."""
    watcher = ProjectedBehaviour(walk_base, walk_task, constraint)
    count, horizon = 6_000, off_policy_plan.horizon
    outcomes, ratios, _ = watched_scenarios(off_policy_plan, watcher, count)
    weights, violated = np.exp(ratios), ~outcomes.satisfied_by(horizon)
    assert stats.ttest_1samp(weights, 1.0).pvalue > 1e-3
    acted = run_scenarios(off_policy_plan, watcher, count, count)
    rate = acted.num_violations(horizon) / count
    weighted = weights * violated
    error = np.hypot(weighted.std() / np.sqrt(count), np.sqrt(rate * (1 - rate) / count))
    assert abs(weighted.mean() - rate) < 4 * error
    limit = constraint.path_log_ratio_limit(horizon)
    found = off_policy_bound(
        ratios, violated, 1e-3, log_ratio_limit=limit if np.isfinite(limit) else None
    )
    assert found.bound is not None
    assert rate < found.bound < 1
