"""Projected PPO of a policy that sees images: the plain engine, an own critic."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.convolution import SMALL, Convolution
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.acting import OneActor
from sport_ray.projected_ppo.cohort import why_alone
from sport_ray.projected_ppo.streams import critic_of
from sport_ray.soft_actor_critic import SoftActorCriticConfig

SPOT = "sport_ray_tests/Spot-v0"
SPACE = spaces.Box(0, 255, (10, 10, 1), np.uint8)


class Spot(gymnasium.Env[np.ndarray, np.ndarray]):
    """A bright spot on a dark picture, to be pushed to the right."""

    observation_space = SPACE
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, horizon: int = 8) -> None:
        self.horizon = horizon

    def _see(self) -> np.ndarray:
        seen = np.zeros((10, 10, 1), np.uint8)
        seen[self.row, round(self.x)] = 255
        return seen

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.x, self.row, self.steps = 4.0, int(self.np_random.integers(10)), 0
        return self._see(), {}

    def step(self, action: np.ndarray) -> Any:
        before, self.steps = self.x, self.steps + 1
        self.x = float(np.clip(self.x + action[0], 0.0, 9.0))
        return self._see(), self.x - before, False, self.steps >= self.horizon, {}


if SPOT not in gymnasium.registry:
    gymnasium.register(SPOT, Spot)
SPEC = PolicySpec(
    observation_size=100,
    action_size=1,
    hidden=(8,),
    flattening=Flattening.needed(SPOT, SPACE),
    convolution=Convolution.usual(SPACE.shape, "uint8", SMALL),
)


def config_of(network: PolicyNetwork) -> ProjectedPPOConfig:
    config = ProjectedPPOConfig().environment(SPOT).debugging(seed=3)
    config.env_runners(num_envs_per_env_runner=4)
    return config.training(
        base=network,
        alpha=1.5,
        train_batch_size_per_learner=64,
        minibatch_size=32,
        warmup_env_steps=0,
    )


def test_acting_is_the_network():
    network = PolicyNetwork(SPEC)
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (9, 100))).float()
    with torch.no_grad():
        want = network(rows)
        got = OneActor(network)(rows)
    for mine, its in zip(got.parts, want.parts, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-4, atol=1e-5)


def test_the_acting_follows_the_filters():
    network = PolicyNetwork(SPEC)
    rows = torch.full((1, 100), 200.0)
    act = OneActor(network)
    before = act(rows).parts[0].clone()
    with torch.no_grad():
        network.convolution[0].weight += 0.1
    assert not torch.equal(before, act(rows).parts[0])


def test_the_critic_has_filters_of_its_own():
    critic = critic_of(SPEC, 5)
    rows = torch.rand((3, 100)) * 255.0
    assert critic(rows).shape == (3, 1)
    assert sum(p.numel() for p in critic.parameters()) == SPEC.num_parameters - (8 + 1)
    again = critic_of(SPEC, 5)
    assert torch.equal(critic(rows), again(rows))
    critic(rows).sum().backward()
    assert all(p.grad is not None for p in critic.parameters())


def test_cohorts_and_soft_actor_critic_refuse_it_by_name():
    assert why_alone(config_of(PolicyNetwork(SPEC))) == (
        "its policy sees images, which a cohort cannot yet"
    )
    config = SoftActorCriticConfig().environment(SPOT).training(spec=SPEC)
    with pytest.raises(UserError, match="no critic for images: train by PPO"):
        config.validate()


@pytest.mark.slow
def test_iterations_learn_filters_and_keep_to_the_ratio(local_ray):
    base = PolicyNetwork(SPEC)
    algorithm = config_of(base).build_algo()
    try:
        for _ in range(3):
            algorithm.train()
        policy = algorithm.task_policy()
    finally:
        algorithm.stop()
    assert policy.spec == SPEC
    moved = {
        name: not torch.equal(value, base.state_dict()[name])
        for name, value in policy.state_dict().items()
    }
    assert all(moved[name] for name in moved if name.startswith(("convolution", "body")))
    FrozenPolicy(policy).distribution(np.zeros((2, 100)))
