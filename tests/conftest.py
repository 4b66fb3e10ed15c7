"""Fixtures shared by all tests: a small network, and a Ray of this process's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sport_ray.policies import PolicyNetwork, PolicySpec


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(autouse=True)
def seeded_torch() -> None:
    """New networks draw from torch's global generator: a test must not hang on who drew before."""
    torch.manual_seed(20251121)  # no seed that a study has


@pytest.fixture(scope="session")
def point_robot_spec() -> PolicySpec:
    """A small network for the point robot."""
    return PolicySpec(observation_size=44, action_size=2, hidden=(32, 32))


@pytest.fixture(scope="session")
def small_base(point_robot_spec: PolicySpec) -> PolicyNetwork:
    """An untrained base policy for the point robot, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return PolicyNetwork(point_robot_spec)


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Ray with two CPUs, started once per session and shut down after it."""
    from sport_ray.experiments.cluster.session import ray_session

    with ray_session(num_cpus=2):
        yield
