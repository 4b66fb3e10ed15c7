"""A cohort of categorical policies is the single algorithm, cell by cell."""

from __future__ import annotations

import pytest

from sport_ray.policies import PolicyNetwork
from sport_ray.projected_ppo.cohort.device.plan import why_not_together
from tests.exact_discrete import INDEXED, index_spec, register_indexed
from tests.sport_ray.projected_ppo.cohort.test_same_as_single import (
    assert_same_steps,
    compare,
    critic_in,
    critic_of,
    far,
    new_critic,
    weights,
)

STATES = 5
SIZES = [(4,), (3, 2)]
KINDS = {
    "plain": [
        {"name": "ratio", "alpha": 1.6},
        {"name": "two_point", "alpha": 2.0, "kappa": 0.5},
        {"name": "unconstrained"},
        {"name": "violation_time", "alpha": 2.0},
    ],
    "budgets": [
        {"name": "pathwise_all", "log_budget": 1.6},
        {"name": "pathwise", "log_budget": 3.0, "steps_left": [6.0, 4.0]},
    ],
}
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def seeded(spec, scale: float) -> PolicyNetwork:
    network = PolicyNetwork(spec)
    network.load_state_dict({k: scale * v for k, v in network.state_dict().items()})
    return network


@pytest.fixture
def indexed(cell):
    """Cells in the tabular environment, their policies some way from the base."""
    register_indexed()

    def make(sizes, kinds, **training):
        spec = index_spec(STATES, sizes, hidden=(16,))
        base, task = seeded(spec, 1.0), seeded(spec, 1.5)
        kwargs = {"horizon": 6, "sizes": list(sizes), "states": STATES}
        given = {"base": base, "task": task, "copies": 3, "env": INDEXED, "kwargs": kwargs}
        return [cell(seed, kind, **given, **training) for seed, kind in enumerate(kinds)]

    return make


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("gradient", ["paper", "through_projection"])
def test_first_batch_to_the_bit_and_first_update_but_for_rounding(
    build, indexed, kinds, sizes, gradient
):
    configs = indexed(sizes, KINDS[kinds], gradient=gradient, entropy_coeff=0.01)
    sampled = build(configs).env_runner.sample()
    cohort = build(configs)
    result = cohort.train()
    for index, config in enumerate(configs):
        single = build(config)
        fragment = single.env_runner.sample()[0]
        assert fragment.action_dist_inputs.dtype == "float64"
        assert_same_steps(sampled.fragments[index], fragment)
        single = build(config)
        start, first = weights(single.task_policy()), critic_of(single)
        expected = single.train()
        assert far(weights(cohort.policy(index)), weights(single.task_policy()), start) < 1e-3
        critic = critic_in(cohort, index, new_critic(cohort))
        assert far(critic, critic_of(single), first) < 1e-3
        compare(result["cells"][index], expected)


def test_a_device_has_no_form_of_them_and_the_cohort_goes_on_cell_by_cell(indexed):
    configs = indexed((4,), KINDS["plain"])
    reason = why_not_together(configs[0], [one.constraint for one in configs])
    assert reason == "the family 'categorical' has no form on a device yet"
