"""It learns, holds the entropy of the squashed action at its target, and repeats to the bit."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

from sport_ray.errors import UserError
from sport_ray.families.gaussian.squashed import squashed_log_density
from sport_ray.policies import PolicySpec
from sport_ray.soft_actor_critic import SoftActorCriticConfig

BANDIT = "tests.sport_ray.soft_actor_critic.test_algorithm:sport_ray_tests/Bandit-v0"


class Bandit(gym.Env):
    """Episodes of one step: reward −10·(action − o)², for o drawn from [−0.5, 0.5]."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.wanted = self.np_random.uniform(-0.5, 0.5, 1).astype(np.float32)
        return self.wanted, {}

    def step(self, action):
        return self.wanted, -10.0 * float((action[0] - self.wanted[0]) ** 2), True, False, {}


gym.register("sport_ray_tests/Bandit-v0", Bandit)


def configured(seed: int = 0, **training: object) -> SoftActorCriticConfig:
    spec = PolicySpec(observation_size=1, action_size=1, hidden=(32, 32))
    return (
        SoftActorCriticConfig()
        .environment(BANDIT)
        .env_runners(num_envs_per_env_runner=4)
        .training(spec=spec, warmup_env_steps=256, train_batch_size_per_learner=64, **training)
        .debugging(seed=seed, log_level="ERROR")
    )


def trained(config: SoftActorCriticConfig, env_steps: int):
    algorithm = config.build_algo()
    try:
        sampled = 0
        while sampled < env_steps:
            result = algorithm.train()
            sampled = int(result["env_runners"]["num_env_steps_sampled_lifetime"])
        return algorithm.task_policy(), result
    finally:
        algorithm.stop()


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.4, -1.0])
def test_it_finds_the_wanted_action_at_the_entropy_that_was_asked_for(local_ray, target):
    policy, _ = trained(configured(entropy_target=target, actor_lr=2e-3, alpha_lr=3e-3), 4_000)
    wanted = torch.linspace(-0.4, 0.4, 9)[:, None]
    with torch.no_grad():
        law = policy(wanted)
        noise = torch.randn(4_000, 9, 1, generator=torch.Generator().manual_seed(0))
        entropy = -squashed_log_density(law, noise).mean().item()
        chosen = (law.mean + law.std * noise).tanh().mean(dim=0)
    assert (chosen - wanted).abs().max().item() < 0.15
    assert entropy == pytest.approx(target, abs=0.15)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(local_ray):
    runs = [trained(configured(seed), 500)[0] for seed in (1, 1, 2)]
    first, again, other = (
        torch.cat([one.flatten() for one in run.state_dict().values()]) for run in runs
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_policy_that_tanh_does_not_squash_is_refused():
    spec = PolicySpec(observation_size=1, action_size=1, hidden=(4,), squash="none")
    with pytest.raises(UserError, match=r"tanh-squashed.*squash is 'none': squash by tanh"):
        configured().training(spec=spec).validate()
    with pytest.raises(UserError, match="no policy"):
        SoftActorCriticConfig().environment(BANDIT).validate()


def test_a_formula_that_cannot_be_read_is_refused_at_once():
    with pytest.raises(UserError, match="!hazard U"):
        configured().training(ends_when_violated="!hazard U")
    assert configured().training(ends_when_violated="!hazard U goal").ends_when_violated == (
        "(!hazard) U goal"
    )
