"""An entropy target: what its coefficient does, and that training reaches it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.families.gaussian.squashed import reparameterised, squashed_entropy
from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.entropy import FIRST_COEFFICIENT, EntropyTarget


def test_the_coefficient_grows_below_the_target_and_falls_above():
    law = Gaussian(torch.zeros(64, 1), torch.full((64, 1), 0.5))
    for target, sign in ((-3.0, 1.0), (0.6, -1.0)):
        one = EntropyTarget(target, seed=0)
        loss, entropy = one.loss(law)
        loss.backward()
        assert one.log_coefficient.grad == pytest.approx(entropy.item() - target, abs=1e-6)
        assert math.copysign(1.0, one.log_coefficient.grad) == sign  # descent: down above, up below
        assert one.coefficient == pytest.approx(FIRST_COEFFICIENT)


def test_the_policys_gradient_is_the_coefficient_times_the_entropys():
    mean = torch.full((512, 1), 0.4, requires_grad=True)
    law = Gaussian(mean, torch.full((512, 1), 0.8))
    loss, _ = EntropyTarget(0.0, seed=1).loss(law)
    (found,) = torch.autograd.grad(loss, mean)
    noise = torch.from_numpy(EntropyTarget(0.0, seed=1)._noise.standard_normal((512, 1))).float()
    entropy = squashed_entropy(law, reparameterised(law, noise)).mean()
    (want,) = torch.autograd.grad(entropy, mean)
    torch.testing.assert_close(found, -FIRST_COEFFICIENT * want)


def config(target: float, squash: str = "tanh", **more) -> ProjectedPPOConfig:
    torch.manual_seed(0)
    bounds = {} if squash == "tanh" else {"action_low": (-1.0, -1.0), "action_high": (1.0, 1.0)}
    spec = PolicySpec(observation_size=44, action_size=2, hidden=(32,), squash=squash, **bounds)
    return (
        ProjectedPPOConfig()
        .environment("sport_ray/PointReachAvoid-v0", env_config={"horizon": 40})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=16)
        .training(
            task=PolicyNetwork(spec),
            constraint=Unconstrained(),
            warmup_env_steps=0,
            lr=3e-3,
            train_batch_size=1_024,
            minibatch_size=128,
            entropy_target=target,
            entropy_lr=3e-2,
            **more,
        )
        .debugging(seed=3, log_level="ERROR")
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"entropy_coeff": 0.01}, "entropy_target = 0 and entropy_coeff = 0.01 are given"),
        ({"squash": "clip"}, "about Gaussian actions squashed by tanh"),
    ],
)
def test_a_target_that_means_nothing_is_refused(more, line):
    with pytest.raises(UserError, match=line):
        config(0.0, **more).validate()


def trained(asked: ProjectedPPOConfig, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Squashed entropy and coefficient, iteration by iteration."""
    algorithm = asked.build_algo()
    try:
        told = [algorithm.train()["learners"]["default_policy"] for _ in range(iterations)]
    finally:
        algorithm.stop()
    names = ("squashed_entropy", "entropy_coefficient")
    entropy, coefficient = np.array([[float(one[name]) for one in told] for name in names])
    return entropy, coefficient


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("bang_bang", [False, True])
def test_training_reaches_the_target(bang_bang):
    """From an untrained policy and, where the gradient is faint, from one that is bang-bang."""
    asked = config(0.5)
    if bang_bang:
        with torch.no_grad():
            asked.task.body[-1].bias += torch.tensor([3.0, -3.0, 0.3, 0.3])
    entropy, coefficient = trained(asked, 60)
    assert entropy[0] < (-5.0 if bang_bang else 0.0)  # of the first iteration
    assert entropy[-15:].mean() == pytest.approx(0.5, abs=0.15)
    assert (coefficient > 0.0).all()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_target_below_what_the_reward_leaves_costs_nothing():
    """The entropy is pushed up alone, never down: the coefficient falls instead."""
    entropy, coefficient = trained(config(-4.0), 15)
    assert (entropy > -4.0).all()
    assert (np.diff(coefficient) < 0.0).all()
    assert coefficient[-1] < 0.1 * coefficient[0]
