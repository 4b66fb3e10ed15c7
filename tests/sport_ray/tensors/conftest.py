"""The small world in both forms, under ids, and a policy for it."""

from __future__ import annotations

import pytest
import torch

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour
from tests.sport_ray.tensors import line


@pytest.fixture(scope="session", autouse=True)
def registered() -> None:
    """Both forms of the small world."""
    line.register()


@pytest.fixture(scope="session")
def line_base() -> PolicyNetwork:
    """A policy for it."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return PolicyNetwork(PolicySpec(observation_size=2, action_size=1, hidden=(8,)))


@pytest.fixture(scope="session")
def line_behaviour(line_base: PolicyNetwork) -> BaseBehaviour:
    """That policy as a behaviour."""
    return BaseBehaviour(FrozenPolicy(line_base))
