"""The kernel of Adam gives torch's numbers, and leaves networks alone that are not on."""

from __future__ import annotations

import os

import pytest
import torch

from sport_ray.projected_ppo.cohort.device.adam import DeviceAdam
from sport_ray.projected_ppo.stack import Stack

SIZES = (5, 300, 2)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_step_is_torchs():
    generator = torch.Generator().manual_seed(0)
    stack, gradient = Stack(2, SIZES), Stack(2, SIZES)
    stack.flat.copy_(torch.randn(stack.flat.shape, generator=generator))
    single = stack.flat[0].clone().requires_grad_()
    optimizer = torch.optim.Adam([single], lr=1e-2, eps=1e-5)
    adam = DeviceAdam(stack, gradient, numbers(1e-2, 1e-3), numbers(0.5, 0.5))
    for _ in range(5):
        gradient.flat.copy_(torch.randn(gradient.flat.shape, generator=generator))
        single.grad = gradient.flat[0].clone()
        torch.nn.utils.clip_grad_norm_([single], 0.5)
        optimizer.step()
        adam.step(adam.norms(), torch.tensor([True, True]))
    assert torch.allclose(stack.flat[0], single, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="needs a GPU, or Triton's "
                    "interpreter: TRITON_INTERPRET=1")  # fmt: skip
def test_the_kernel_gives_the_same_numbers():
    pytest.importorskip("triton")
    from sport_ray.projected_ppo.cohort.device.adam_kernel import step

    generator = torch.Generator().manual_seed(1)
    stack, gradient = Stack(3, SIZES), Stack(3, SIZES)
    stack.flat.copy_(torch.randn(stack.flat.shape, generator=generator))
    begun, weights = stack.flat.clone(), stack.flat.clone()
    mean, square = torch.zeros_like(weights), torch.zeros_like(weights)
    rates, clip = numbers(1e-3, 1e-2, 1e-3), numbers(0.5, torch.inf, 1.0)
    adam = DeviceAdam(stack, gradient, rates, clip)
    on = torch.tensor([True, True, False])
    for count in range(1, 6):
        gradient.flat.copy_(torch.randn(gradient.flat.shape, generator=generator))
        norms = adam.norms()
        scale = torch.minimum(clip / (norms + 1e-6), torch.ones_like(norms))
        unbias = torch.full_like(norms, (1.0 - 0.999**count) ** -0.5)
        rate = rates / (1.0 - 0.9**count)
        given = torch.stack([scale, rate, unbias, on.double()], dim=1).float()
        step(weights, mean, square, gradient.flat, given)
        adam.step(norms, on)
    assert torch.allclose(weights, stack.flat, rtol=1e-5, atol=1e-6)
    assert torch.equal(weights[2], begun[2])
    assert not torch.equal(weights[1], begun[1])
