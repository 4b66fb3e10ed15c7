"""Streams of training are apart by name; networks draw torch's law from them and nothing else."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from sport_ray.policies.network import mlp
from sport_ray.projected_ppo.streams import (
    critic_network,
    first_weights,
    minibatch_generator,
    noise_generator,
)
from sport_ray.random_streams import stream

SIZES = (44, 64, 32, 1)


def flat(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().ravel() for p in network.parameters()])


def test_streams_are_those_of_their_names():
    for generator, use in (
        (noise_generator(7, 0), "training noise 0"),
        (noise_generator(7, 3), "training noise 3"),
        (noise_generator(7, 3, evaluation=True), "evaluation noise 3"),
        (minibatch_generator(7), "training minibatches"),
    ):
        assert generator.random() == stream(7, use).random()


def test_no_two_streams_are_the_same():
    def first_numbers(seed):
        yield np.random.default_rng(seed).random()
        yield minibatch_generator(seed).random()
        for runner, evaluation in itertools.product(range(3), (False, True)):
            yield noise_generator(seed, runner, evaluation=evaluation).random()

    found = [number for seed in (0, 1, None, None) for number in first_numbers(seed)]
    assert len(set(found)) == len(found) == 32


def test_a_critic_is_the_seeds_whatever_torch_drew_before():
    torch.manual_seed(1)
    first = flat(critic_network(SIZES, "relu", 5))
    torch.manual_seed(2)
    torch.rand(9)
    before = torch.random.get_rng_state()
    assert torch.equal(flat(critic_network(SIZES, "relu", 5)), first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(flat(critic_network(SIZES, "relu", 6)), first)
    assert not torch.equal(
        flat(critic_network(SIZES, "relu", None)), flat(critic_network(SIZES, "relu", None))
    )


def test_networks_of_different_uses_differ():
    with first_weights(5, "actor"):
        actor = mlp(SIZES, "relu")
    assert not torch.equal(flat(actor), flat(critic_network(SIZES, "relu", 5)))


def test_first_weights_are_torchs_own_law():
    """Uniform within ±1/√fan-in, weights and biases: torch's for a linear layer."""
    critic = critic_network((100, 400, 1), "relu", 3)
    for layer in (critic[0], critic[2]):
        bound = 1.0 / math.sqrt(layer.in_features)
        for values in (layer.weight, layer.bias):
            assert values.abs().max().item() <= bound
        assert layer.weight.abs().max().item() > 0.95 * bound
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3.0), rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_critic_is_float32_whatever_torchs_default(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        critic = critic_network(SIZES, "relu", 5)
    finally:
        torch.set_default_dtype(before)
    assert all(p.dtype == torch.float32 for p in critic.parameters())
