"""The actor's log density is that of the squashed action, and its loss moves the actor alone."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from scipy.stats import norm

from sport_ray.policies import PolicySpec
from sport_ray.soft_actor_critic.module import SoftActorCriticModule


@pytest.fixture
def module() -> SoftActorCriticModule:
    spec = PolicySpec(observation_size=3, action_size=2, hidden=(8,))
    made = SoftActorCriticModule(
        observation_space=gym.spaces.Box(-1, 1, (3,)),
        action_space=gym.spaces.Box(-1, 1, (2,)),
        model_config={"spec": spec.model_dump(mode="json"), "seed": 3},
    )
    made.make_target_networks()
    return made


def batch(rows: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        Columns.OBS: torch.randn(rows, 3, generator=generator),
        Columns.NEXT_OBS: torch.randn(rows, 3, generator=generator),
        Columns.ACTIONS: torch.randn(rows, 2, generator=generator),
    }


def test_the_actor_s_loss_moves_the_actor_alone_and_the_critics_only_themselves(module):
    out = module.forward_train(batch(16))
    (out["logp_resampled"] - out["q_curr"]).mean().backward(retain_graph=True)
    assert all(one.grad is None for one in module.critics.parameters())
    assert all(one.grad is not None for one in module.actor.parameters())
    module.zero_grad()
    (out["qf_preds"] + out["qf_twin_preds"]).sum().backward()
    assert all(one.grad is not None for one in module.critics.parameters())
    assert all(one.grad is None for one in module.actor.parameters())
    assert all(one.grad is None for one in module.targets.parameters())


def test_log_densities_have_the_mean_of_minus_the_entropy(module):
    """Of one observation: E log p = log density integrated, by Gauss–Hermite in each dimension."""
    observation = torch.tensor([[0.3, -0.2, 0.9]])
    with torch.no_grad():
        _, found = module._drawn(observation.repeat(200_000, 1))
        mean, std = (part.double()[0] for part in module.actor(observation).parts)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    expected = 0.0
    for m, s in zip(mean.numpy(), std.numpy(), strict=True):
        u = m + s * nodes
        value = norm.logpdf(u, m, s) - np.log1p(-(np.tanh(u) ** 2))
        expected += float(weights @ value / weights.sum())
    assert found.mean().item() == pytest.approx(expected, abs=0.01)


def test_uniform_actions_are_uniform_after_squashing(module):
    module.uniform = True
    parameters = module.act(torch.zeros(50_000, 3))[Columns.ACTION_DIST_INPUTS]
    squashed = module.sample(parameters).tanh().flatten().double().numpy()
    counts, _ = np.histogram(squashed, bins=20, range=(-1, 1))
    chi2 = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
    assert chi2 < 60.0  # 19 degrees of freedom: above it once in 10⁵
