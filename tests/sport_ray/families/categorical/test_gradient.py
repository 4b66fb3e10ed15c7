"""Derivatives of the projection and of the rounding, against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sport_ray.families import Categorical


def base_of(count: int, size: int, even: bool) -> Categorical:
    """A base in tensors, uniform or not."""
    if even:
        return Categorical(torch.from_numpy(Categorical.uniform(count, size).arrays()[0]))
    generator = torch.Generator().manual_seed(1)
    logq = torch.randn(count, size, generator=generator, dtype=torch.float64)
    return Categorical.of_log_weights(logq)


def weights(count: int, size: int, scale: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    logw = scale * torch.randn(count, size, generator=generator, dtype=torch.float64)
    return logw.requires_grad_()


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("floor", [0.0, 0.6])
@pytest.mark.parametrize("limit", [0.1, 0.5, 1.5, math.inf])
def test_it_is_that_of_differences(even, floor, limit):
    base = base_of(6, 7, even)

    def projected(logw: torch.Tensor) -> torch.Tensor:
        return Categorical.of_log_weights(logw).projected_within(base, floor, limit).parts[0]

    assert torch.autograd.gradcheck(projected, weights(6, 7, 1.0), eps=1e-5, atol=1e-8)


def test_a_limit_for_each_row_and_one_row_of_weights():
    base, limits = base_of(3, 5, True), torch.tensor([0.0, 0.2, 0.9], dtype=torch.float64)
    logw = weights(1, 5, 1.0)[0].detach().requires_grad_()

    def projected(logw: torch.Tensor) -> torch.Tensor:
        return Categorical.of_log_weights(logw).projected(base, limits).parts[0]

    assert torch.autograd.gradcheck(projected, logw, eps=1e-5, atol=1e-8)
    (back,) = torch.autograd.grad(projected(logw)[0] @ torch.arange(5.0).double(), logw)
    assert (back == 0.0).all()  # limit 0: the base does not move


def test_capped_outcomes_have_none_and_the_others_are_a_softmax():
    logw = torch.tensor([[3.0, 2.9, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    found = Categorical.of_log_weights(logw).projected(base_of(1, 4, True), math.log(1.6))
    p = found.parts[0][0]
    assert p[:2].tolist() == pytest.approx([0.4, 0.4])
    rest = 0.2 * torch.softmax(logw.detach()[0, 2:], 0)
    assert p[2:].tolist() == pytest.approx(rest.tolist())
    (back,) = torch.autograd.grad(p[2], logw)
    wanted = (rest[0] * rest[1] / 0.2).item()
    assert back[0].tolist() == pytest.approx([0.0, 0.0, wanted, -wanted])


def test_the_densities_and_the_divergence_learn_too():
    logw, base = weights(4, 6, 1.0), base_of(4, 6, False)
    action = torch.tensor([[0.0], [5.0], [2.0], [2.0]], dtype=torch.float64)

    def of_projection(logw: torch.Tensor) -> tuple[torch.Tensor, ...]:
        task = Categorical.of_log_weights(logw)
        found = task.projected(base, 0.3)
        return task.log_prob(action), found.log_prob(action), found.kl(base), found.kl(task)

    assert torch.autograd.gradcheck(of_projection, logw, eps=1e-5, atol=1e-8)


def test_weights_that_vanish_give_no_nan():
    logw = torch.tensor([[0.0, -1e3, -torch.inf, 1.0]], dtype=torch.float64, requires_grad=True)
    found = Categorical.of_log_weights(logw).projected(base_of(1, 4, True), 0.5)
    (found.parts[0] * torch.arange(4.0)).sum().backward()
    assert torch.isfinite(logw.grad).all()


def test_probabilities_learn_where_no_log_weights_are():
    base = base_of(1, 3, True)
    p = torch.tensor([[0.5, 0.375, 0.125]], dtype=torch.float64, requires_grad=True)
    found = Categorical(p).projected(base, math.log(1.4))
    (back,) = torch.autograd.grad(found.parts[0][0, 1], p)
    rest = 1.0 - 1.4 / 3.0
    share = 0.375 / 0.5
    slope = rest * share * (1.0 - share)
    assert back[0].tolist() == pytest.approx([0.0, slope / 0.375, -slope / 0.125])


def test_without_a_gradient_there_is_none():
    base = base_of(2, 5, True)
    with torch.no_grad():
        found = Categorical.of_log_weights(weights(2, 5, 1.0)).projected(base, 0.1)
    assert not found.parts[0].requires_grad
    arrays = Categorical.of_log_weights(weights(2, 5, 1.0).detach().numpy())
    got = arrays.projected(Categorical.uniform(2, 5), 0.1)
    np.testing.assert_array_equal(got.arrays()[0], found.arrays()[0])
