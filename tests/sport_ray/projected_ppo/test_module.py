"""The RLModule: every way to act returns the projected policy; only the task policy learns."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

from sport_ray.families import Gaussian
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.store import network_to_bytes
from sport_ray.projected_ppo.distribution import action_distribution
from sport_ray.projected_ppo.module import POLICY_INPUTS, ProjectedPPOModule

ALPHA = 1.3


@pytest.fixture(scope="module")
def task(point_robot_spec) -> PolicyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(8)
        return PolicyNetwork(point_robot_spec)


def make_module(base, task, *, alpha=ALPHA, gradient="paper", inference_only=False, seed=None):
    box = gym.spaces.Box(-np.inf, np.inf, (44,))
    return ProjectedPPOModule(
        observation_space=box,
        action_space=gym.spaces.Box(-np.inf, np.inf, (2,)),
        inference_only=inference_only,
        model_config={
            "spec": base.spec.model_dump(mode="json"),
            "task_weights": None if task is None else network_to_bytes(task),
            "base_weights": network_to_bytes(base),
            "constraint": {"name": "ratio", "alpha": alpha},
            "gradient": gradient,
            "seed": seed,
        },
    )


@pytest.fixture(scope="module")
def observations() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(200, 44)).astype(np.float32))


@pytest.mark.parametrize("way", ["forward_exploration", "forward_inference"])
def test_acting_returns_the_projected_policy(small_base, task, observations, way):
    module = make_module(small_base, task)
    out = getattr(module, way)({Columns.OBS: observations})
    step = Gaussian.from_parameters(out[Columns.ACTION_DIST_INPUTS])
    base, drawn = (Gaussian.from_parameters(x) for x in out[POLICY_INPUTS].chunk(2, dim=-1))
    assert not base.differs(FrozenPolicy(small_base).distribution(observations.numpy())).any()
    assert float(drawn.max_log_ratio(base).min()) > np.log(ALPHA)
    ratio = step.max_log_ratio(base)
    assert float(ratio.max()) <= np.log(ALPHA)
    assert float(ratio.min()) > 0.9 * np.log(ALPHA)  # the constraint binds: it is used
    assert not step.differs(drawn.projected(base, np.log(ALPHA))).any()


def test_alpha_one_is_the_base_to_the_bit(small_base, task, observations):
    module = make_module(small_base, task, alpha=1.0)
    out = module.forward_exploration({Columns.OBS: observations})
    assert torch.equal(out[Columns.ACTION_DIST_INPUTS], out[POLICY_INPUTS][:, :4])


def test_training_sees_the_unprojected_task_policy(small_base, task, observations):
    module = make_module(small_base, task)
    out = module.forward_train({Columns.OBS: observations})
    assert torch.equal(out[Columns.ACTION_DIST_INPUTS], task(observations).parameters)


def test_gradient_through_the_projection(small_base, task, observations):
    module = make_module(small_base, task, gradient="through_projection")
    acted = module.forward_exploration({Columns.OBS: observations})
    batch = {Columns.OBS: observations, POLICY_INPUTS: acted[POLICY_INPUTS]}
    out = module.forward_train(batch)[Columns.ACTION_DIST_INPUTS]
    # Acting sums in an order of its own (sport_ray.projected_ppo.acting).
    expected = acted[Columns.ACTION_DIST_INPUTS]
    torch.testing.assert_close(out.detach(), expected, rtol=1e-5, atol=1e-6)
    out.sum().backward()
    gradients = [p.grad for p in module.actor.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(g.abs().max() > 0 for g in gradients)


def test_the_shared_fallback_is_refused(small_base, task, observations):
    with pytest.raises(RuntimeError, match="no shared forward"):
        make_module(small_base, task)._forward({Columns.OBS: observations})


def test_the_base_is_in_no_state_and_no_optimiser(small_base, task):
    module = make_module(small_base, task)
    assert {name.split(".")[0] for name in module.state_dict()} == {"actor", "critic"}
    assert {name.split(".")[0] for name, _ in module.named_parameters()} == {"actor", "critic"}
    assert not any(p.requires_grad for p in module.base._network.parameters())


def test_only_the_critic_stays_on_the_learner(small_base, task):
    module = make_module(small_base, task)
    assert module.get_non_inference_attributes() == ["critic"]


def test_first_weights_are_the_seeds(small_base):
    """Actor and critic, whatever torch drew before; a given actor is taken as it is."""

    def made(seed, noise, task=None):
        torch.manual_seed(noise)
        return make_module(small_base, task, seed=seed).state_dict()

    def same(one, other, part):
        names = [name for name in one if name.startswith(part)]
        assert names
        return all(torch.equal(one[name], other[name]) for name in names)

    first, again, other = made(3, 1), made(3, 2), made(4, 1)
    given = made(3, 5, small_base)
    for part in ("actor", "critic"):
        assert same(first, again, part)
        assert not same(first, other, part)
    assert same(first, given, "critic")
    assert not same(first, given, "actor")


def test_actions_are_drawn_from_the_generator_that_was_given(small_base, task, observations):
    module = make_module(small_base, task)
    module.draw_from(np.random.default_rng(5))
    found = [
        getattr(module, way)({Columns.OBS: observations})
        for way in ("forward_exploration", "forward_inference")
    ]
    noise = np.random.default_rng(5)
    for out in found:
        inputs = out[Columns.ACTION_DIST_INPUTS]
        mean, std = inputs.double().numpy().reshape(200, 2, 2).swapaxes(0, 1)
        expected = (mean + std * noise.standard_normal((200, 2))).astype(np.float32)
        assert np.array_equal(out[Columns.ACTIONS].numpy(), expected)
        logp = action_distribution(Gaussian).from_logits(inputs).logp(out[Columns.ACTIONS])
        assert torch.equal(out[Columns.ACTION_LOGP], logp)


def test_the_mean_action_is_never_taken():
    dist = action_distribution(Gaussian).from_logits(torch.tensor([[0.0, 1.0, 2.0, 3.0]]))
    assert dist.to_deterministic() is dist
    draws = dist.sample(sample_shape=(20_000,))
    assert torch.allclose(draws.mean(0), torch.tensor([[0.0, 1.0]]), atol=0.1)
    assert torch.allclose(draws.std(0), torch.tensor([[2.0, 3.0]]), atol=0.1)
