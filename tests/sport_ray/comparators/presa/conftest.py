"""A contextual problem whose best safe action is known, as segments of one step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from sport_ray.comparators.presa import Segments, make_segments
from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.rollouts import ScenarioPlan

UNSAFE_BEYOND = 1.5


def contextual_segments(count: int = 900, seed: int = 0) -> Segments:
    """Contexts s = ±1; a·s ~ N(½, 1) earns as much as it is, and is unsafe beyond 1.5.

    The data's mean is ½, the best safe action 1.5, and preferences alone have no reason to stop.
    """
    rng = np.random.default_rng(seed)
    context = rng.choice([-1.0, 1.0], size=count)
    reward = 0.5 + rng.standard_normal(count)
    pairs = rng.integers(count, size=(3 * count, 2))
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (context[pairs[:, 0]] == context[pairs[:, 1]])]
    worse = reward[pairs[:, 0]] < reward[pairs[:, 1]]
    pairs[worse] = pairs[worse, ::-1]
    return make_segments(
        context[:, None, None],
        (reward * context)[:, None, None],
        pairs,
        reward > UNSAFE_BEYOND,
    )


def contextual_results(network: PolicyNetwork) -> tuple[float, float]:
    """Mean of a·s, and the probability that a·s is unsafe, both exact, over the two contexts."""
    context = torch.tensor([[-1.0], [1.0]])
    with torch.no_grad():
        mean, std = network(context).arrays()
    along = mean * context.numpy()
    return float(along.mean()), float(stats.norm.sf(UNSAFE_BEYOND, along, std).mean())


@pytest.fixture(scope="session")
def contextual() -> Segments:
    """The contextual problem's data."""
    return contextual_segments()


@pytest.fixture(scope="session")
def contextual_base() -> PolicyNetwork:
    """An untrained policy for it."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        spec = PolicySpec(
            observation_size=1, action_size=1, hidden=(16,), activation="tanh", squash="none"
        )
        return PolicyNetwork(spec)


@pytest.fixture
def robot_plan() -> ScenarioPlan:
    """Episodes of the point robot that go on after a violation."""
    return ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "random", "end_on_violation": False},
        property="(!hazard) U goal",
        horizon=22,
        root_seed=9,
        purpose="presa",
    )
