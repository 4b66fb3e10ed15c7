"""Blocks without modules: the bits of the network's own forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sport_ray.policies import Normalization, PolicyNetwork, PolicySpec
from sport_ray.policies.blocks import BLOCK, IN_PLACE, BlockPolicy
from sport_ray.policies.network import ACTIVATIONS


def made(**fields: Any) -> PolicyNetwork:
    """A float64 network of float32 numbers, with stds all over their range."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = PolicyNetwork(PolicySpec(observation_size=7, action_size=3, **fields))
        with torch.no_grad():
            for weights in network.parameters():
                weights *= 2.0
            if network.spec.std_head == "constant":
                network.log_std.uniform_(-6.0, 3.0)
    return network.double().requires_grad_(False)


def by_modules(network: PolicyNetwork, observations: np.ndarray) -> np.ndarray:
    """What defines the policy: padded blocks through the modules, rounded to float32."""
    numbers = []
    for first in range(0, len(observations), BLOCK):
        block = torch.zeros((BLOCK, observations.shape[1]), dtype=torch.float64)
        seen = observations[first : first + BLOCK]
        block[: len(seen)] = torch.from_numpy(seen)
        numbers.append(network(block).parameters.float().numpy()[: len(seen)])
    return np.concatenate(numbers)


def seen(count: int, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(count).normal(size=(count, 7))).astype(np.float32)


def test_every_activation_has_a_form_in_place() -> None:
    assert set(IN_PLACE) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("head", ["bounded", "clamped", "constant"])
def test_the_bits_of_the_modules(activation: str, head: str) -> None:
    normal = Normalization(mean=(0.1, -0.2, 0.3), scale=(0.5, 2.0, 1.0), clip=2.0)
    for fields in ({"hidden": (64, 33)}, {"hidden": (256,), "normalization": normal}):
        network = made(activation=activation, std_head=head, **fields)
        blocks = BlockPolicy(network)
        for scale in (0.1, 1.0, 100.0):
            found = blocks.parameters(seen(700, scale))
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, by_modules(network, seen(700, scale)))


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 200])
@pytest.mark.parametrize("hidden", [(), (9,), (256, 256)])
def test_any_number_of_rows_and_layers(count: int, hidden: tuple[int, ...]) -> None:
    network = made(hidden=hidden)
    found = BlockPolicy(network).parameters(seen(count))
    np.testing.assert_array_equal(found, by_modules(network, seen(count)))


def test_where_rounding_is_in_doubt_the_block_itself_decides() -> None:
    """A head that is wrong and says so changes nothing."""
    network = made(hidden=(16,))
    blocks = BlockPolicy(network)

    def doubtful(outputs: np.ndarray, errors: np.ndarray):
        numbers, sure = head(outputs, errors)
        numbers[1, 5] += 1.0
        sure[1, 5] = False
        return numbers, sure

    head, blocks._head = blocks._head, doubtful
    found = blocks.parameters(seen(200))
    np.testing.assert_array_equal(found, by_modules(network, seen(200)))


def test_what_is_not_finite_stays_so() -> None:
    network = made(hidden=(16,))
    network.body[0].weight[0, 0] = torch.inf
    found = BlockPolicy(network).parameters(seen(70))
    np.testing.assert_array_equal(found, by_modules(network, seen(70)))
    assert not np.isfinite(found).all()
