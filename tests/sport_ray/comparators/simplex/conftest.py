"""Two policies of the walk, and a monitor that sees how near the hazard is."""

from __future__ import annotations

import copy

import pytest
import torch

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from tests.sport_ray.rollouts.conftest import registered, walk_plan

__all__ = ["registered", "walk_plan"]


@pytest.fixture(scope="session")
def walk_network() -> PolicyNetwork:
    """A policy that goes to the goal."""
    spec = PolicySpec(observation_size=2, action_size=1, hidden=(), log_std_min=-2.0)
    network = PolicyNetwork(spec)
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
        network.layers[-1].bias[0] = 0.1
    return network


@pytest.fixture(scope="session")
def walk_base(walk_network: PolicyNetwork) -> FrozenPolicy:
    """That policy as the base."""
    return FrozenPolicy(walk_network)


@pytest.fixture(scope="session")
def walk_task(walk_network: PolicyNetwork) -> PolicyNetwork:
    """A policy that goes towards the hazard."""
    task = copy.deepcopy(walk_network)
    with torch.no_grad():
        task.layers[-1].bias[0] = -0.5
    return task


@pytest.fixture(scope="session")
def near_monitor() -> PolicyNetwork:
    """P(violation) = σ(−4 x), whatever the time: high beyond 0, where the hazard is."""
    spec = PolicySpec(
        observation_size=3, action_size=1, hidden=(), squash="index",
        action_low=(0.0,), action_high=(1.0,),
    )  # fmt: skip
    monitor = PolicyNetwork(spec)
    with torch.no_grad():
        for value in monitor.parameters():
            value.zero_()
        monitor.layers[-1].weight[1, 0] = -4.0
    return monitor
