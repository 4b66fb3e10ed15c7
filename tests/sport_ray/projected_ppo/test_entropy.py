"""The squashed entropy and its gradient against integrals; a target that training reaches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.policies import GaussianNetwork, PolicySpec
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.entropy import FIRST_COEFFICIENT, EntropyTarget, squashed_entropy
from sport_ray.rollouts.base_statistics import squashed_entropy as on_arrays


def exact(mean: float, std: float) -> float:
    """½ ln(2πe std²) + E ln(1 − tanh² u) by quadrature, nats."""
    law = stats.norm(mean, std)

    def integrand(u: float) -> float:
        return law.pdf(u) * 2.0 * (math.log(2.0) - abs(u) - math.log1p(math.exp(-2.0 * abs(u))))

    low, high = mean - 12.0 * std, mean + 12.0 * std
    points = [0.0] if low < 0.0 < high else None
    return float(law.entropy()) + integrate.quad(integrand, low, high, limit=400, points=points)[0]


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.9), (0.7, 0.3), (-2.5, 1.5), (6.0, 4.0)])
def test_the_gradient_is_that_of_the_integral(mean, std):
    """Two equal dimensions: the value adds up, the gradient is of each."""
    count, step = 200_000, 1e-4
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(count, 2)))
    at = torch.full((count, 2), mean, dtype=torch.float64, requires_grad=True)
    wide = torch.full((count, 2), std, dtype=torch.float64, requires_grad=True)
    each = squashed_entropy(Gaussian(at, wide), noise)
    each.sum().backward()
    values = each.detach().numpy()
    assert abs(values.mean() - 2 * exact(mean, std)) < 5 * values.std() / math.sqrt(count)
    for parameter, change in ((at, (step, 0.0)), (wide, (0.0, step))):
        up, down = (exact(mean + k * change[0], std + k * change[1]) for k in (1, -1))
        want = (up - down) / (2 * step)
        found = parameter.grad.numpy()
        error = found.std(axis=0) / math.sqrt(count)
        assert (np.abs(found.mean(axis=0) - want) < 5 * error + 1e-6).all()


def test_far_out_it_is_finite_in_float32_and_what_arrays_say():
    mean = torch.tensor([[0.0, 40.0], [-300.0, 2.0]])
    law = Gaussian(mean, torch.full((2, 2), 7.389))
    noise = torch.tensor([[0.3, -0.2], [1.0, 2.0]])
    found = squashed_entropy(law, noise)
    drawn = (mean + 7.389 * noise).double().numpy()
    np.testing.assert_allclose(found, on_arrays(np.full((2, 2), 7.389), drawn), rtol=1e-5)


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
    loss, _ = EntropyTarget(0.0, seed=1).loss(Gaussian(mean, torch.full((512, 1), 0.8)))
    (found,) = torch.autograd.grad(loss, mean)
    noise = torch.from_numpy(EntropyTarget(0.0, seed=1)._noise.standard_normal((512, 1))).float()
    (want,) = torch.autograd.grad(
        squashed_entropy(Gaussian(mean, torch.full((512, 1), 0.8)), noise).mean(), mean
    )
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
            task=GaussianNetwork(spec),
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
