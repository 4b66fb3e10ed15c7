"""The squashed entropy and its gradient against integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from sport_ray.families import Gaussian
from sport_ray.families.gaussian.squashed import (
    reparameterised,
    squashed_entropy,
    squashed_log_density,
)


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
    law = Gaussian(at, wide)
    each = squashed_entropy(law, reparameterised(law, noise))
    each.sum().backward()
    values = each.detach().numpy()
    assert abs(values.mean() - 2 * exact(mean, std)) < 5 * values.std() / math.sqrt(count)
    for parameter, change in ((at, (step, 0.0)), (wide, (0.0, step))):
        up, down = (exact(mean + k * change[0], std + k * change[1]) for k in (1, -1))
        want = (up - down) / (2 * step)
        found = parameter.grad.numpy()
        error = found.std(axis=0) / math.sqrt(count)
        assert (np.abs(found.mean(axis=0) - want) < 5 * error + 1e-6).all()


def test_far_out_it_is_finite_in_float32():
    law = Gaussian(torch.tensor([[0.0, 40.0], [-300.0, 2.0]]), torch.full((2, 2), 7.389))
    drawn = reparameterised(law, torch.tensor([[0.3, -0.2], [1.0, 2.0]]))
    found = squashed_entropy(law, drawn)
    u = np.abs(drawn.double().numpy())
    slope = 2.0 * (math.log(2.0) - u - np.log1p(np.exp(-2.0 * u)))
    want = (math.log(7.389) + 0.5 * math.log(2.0 * math.pi * math.e) + slope).sum(1)
    np.testing.assert_allclose(found, want, rtol=1e-5)


def test_no_squashed_action_has_more_than_the_uniform():
    """Nats: ln 2 per dimension; a std near 0.87 comes close."""
    law = Gaussian(torch.zeros(200_000, 2), torch.full((200_000, 2), 0.87))
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(200_000, 2))).float()
    found = squashed_entropy(law, reparameterised(law, noise)).mean()
    assert 2 * math.log(2.0) - 0.05 < found < 2 * math.log(2.0)


@pytest.mark.parametrize("std", [0.3, 1.0, 3.0])
def test_the_log_density_is_that_of_a_law_on_the_square(std):
    """Its exponential has mass 1 over (−1, 1), and follows the change of variables."""

    def density(a: float) -> float:
        noise = torch.tensor([(math.atanh(a) - 0.2) / std], dtype=torch.float64)
        law = Gaussian(torch.full((1,), 0.2, dtype=torch.float64), torch.full_like(noise, std))
        found = squashed_log_density(law, noise).item()
        by_hand = stats.norm.logpdf(math.atanh(a), 0.2, std) - math.log1p(-(a**2))
        assert found == pytest.approx(by_hand, rel=1e-9, abs=1e-9)
        return math.exp(found)

    mass, _ = integrate.quad(density, -1.0, 1.0, limit=400, points=(-0.999, 0.999))
    assert mass == pytest.approx(1.0, abs=1e-6)
