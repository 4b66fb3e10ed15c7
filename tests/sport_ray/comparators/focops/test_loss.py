"""FOCOPS's loss: a case worked out by hand, what it is least at, and its first step."""

from __future__ import annotations

import pytest
import torch

from sport_ray.comparators.focops import FirstOrder, FirstOrderLoss
from sport_ray.families import Categorical, Gaussian

LOSS = FirstOrderLoss(temperature=2.0, kl_limit=0.1)


def gaussian(*means: float) -> Gaussian:
    mean = torch.tensor(means)[:, None]
    return Gaussian(mean, torch.ones_like(mean))


def test_two_states_by_hand():
    """KL of unit Gaussians is d²/2: 0.02 at distance 0.2, 0.5 at distance 1, which is too far."""
    ratio, advantages = torch.tensor([1.2, 3.0]), torch.tensor([0.5, -1.0])
    found = LOSS.losses(gaussian(0.2, 1.0), gaussian(0.0, 0.0), ratio, advantages)
    assert found.tolist() == pytest.approx([0.02 - 1.2 * 0.5 / 2.0, 0.0], abs=1e-7)


def test_its_mean_is_least_at_the_last_policy_times_the_exponential_of_advantages():
    """π ∝ π_k e^{A/λ}: there the gradient of the mean over a ~ π_k vanishes, nearby it does not."""
    old = torch.tensor([[0.5, 0.3, 0.2]])
    advantages = torch.tensor([0.3, -0.2, 0.1])

    def gradient(logits: torch.Tensor) -> float:
        leaf = logits.clone().requires_grad_()
        now = Categorical.from_numbers(leaf.expand(3, 3))
        every = torch.arange(3)[:, None]
        law = now.learned_law(now.learned)
        ratio = torch.exp(law.log_prob(every).float() - old[0].log())
        before = Categorical.from_numbers(old.log().expand(3, 3))
        mean = (old[0] * LOSS.losses(now, before, ratio, advantages)).sum()
        return float(torch.autograd.grad(mean, leaf)[0].norm())

    best = old.log() + advantages / 2.0
    assert gradient(best) < 1e-6
    assert gradient(old.log()) > 1e-2
    assert gradient(best + torch.tensor([[0.05, 0.0, 0.0]])) > 1e-3


def test_its_first_step_is_the_policy_gradient():
    mean = torch.zeros((1, 1), requires_grad=True)
    now = Gaussian(mean, torch.ones((1, 1)))
    action, advantage = torch.tensor([[0.7]]), torch.tensor([1.5])
    logp = now.log_prob(action)
    loss = LOSS.losses(now, gaussian(0.0), torch.exp(logp - logp.detach()), advantage)
    (found,) = torch.autograd.grad(loss.sum(), mean)
    assert found.item() == pytest.approx(-1.5 * 0.7 / 2.0)


def test_the_objective_prices_violations_and_has_this_loss():
    objective = FirstOrder(0.1, 0.5, 2.0, 10.0, temperature=2.0, kl_limit=0.1)
    assert objective.surrogate == LOSS
    assert objective.begin().told == {"violation_price": 2.0}
