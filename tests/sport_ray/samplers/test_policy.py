"""A Gaussian policy as a sampler: the same actions as by its distribution, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.samplers import PolicySampler
from sport_ray.samplers.trial import require_exchangeable

SHIPPED = Path(__file__).parents[3] / "experiments" / "bases" / "point_reach_avoid"


@pytest.fixture(scope="module")
def policy() -> FrozenPolicy:
    return FrozenPolicy(load_policy(SHIPPED).network)


def test_a_row_depends_on_its_own_observation_and_generator(policy):
    sampler = PolicySampler(policy)
    observations = np.random.default_rng(1).normal(size=(7, sampler.observation_size))
    many = sampler.sample_many(observations, 5, [np.random.default_rng(k) for k in range(7)])
    assert many.shape == (7, 5, sampler.action_size)
    for row, observation in enumerate(observations):
        alone = sampler.sample(observation, 5, np.random.default_rng(row))
        np.testing.assert_array_equal(many[row], alone)


def test_the_actions_have_the_policys_law(policy):
    sampler = PolicySampler(policy)
    observation = np.random.default_rng(2).normal(size=sampler.observation_size)
    drawn = sampler.sample(observation, 4_000, np.random.default_rng(5))
    mean, std = (one[0] for one in policy.distribution(observation[None]).arrays())
    for entry in range(sampler.action_size):
        standard = (drawn[:, entry] - mean[entry]) / std[entry]
        assert kstest(standard, "norm").pvalue > 1e-4
    require_exchangeable(sampler, observation[None], 8, "shipped")
