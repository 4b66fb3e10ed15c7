"""One observation at a time against FrozenPolicy: the same bits for every architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.heads import ROW_ACTIVATIONS
from sport_ray.policies.network import ACTIVATIONS
from sport_ray.policies.row import RowPolicy


def pair(seed: int = 0, scale: float = 1.0, **fields: Any) -> tuple[FrozenPolicy, RowPolicy]:
    spec = PolicySpec(observation_size=7, action_size=3, **fields)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = PolicyNetwork(spec)
        with torch.no_grad():
            for weights in network.parameters():
                weights *= scale
            if spec.std_head == "constant":
                network.log_std.uniform_(-6.0, 3.0)
    frozen = FrozenPolicy(network)
    return frozen, frozen._row


def seen(count: int, scale: float, seed: int = 0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(count, 7))


def require_same(frozen: FrozenPolicy, row: RowPolicy, observations: np.ndarray) -> None:
    mean, std = frozen.distribution(observations).arrays()  # more than FEW, so in blocks
    for index, observation in enumerate(observations):
        alone = frozen.distribution(observation[None])
        np.testing.assert_array_equal(np.concatenate(alone.arrays()), [mean[index], std[index]])
        np.testing.assert_array_equal(row.parameters(observation), [*mean[index], *std[index]])
        block = row._block(observation.astype(np.float32).astype(np.float64))
        np.testing.assert_array_equal(block, np.concatenate((mean[index], std[index])))


def test_every_activation_has_both_forms() -> None:
    assert set(ROW_ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("head", ["bounded", "clamped", "constant"])
def test_the_same_bits_as_in_rollouts(activation: str, head: str) -> None:
    frozen, row = pair(activation=activation, std_head=head, hidden=(64, 64))
    for scale in (0.1, 1.0, 100.0):
        require_same(frozen, row, seen(60, scale))


def test_the_same_bits_at_256_and_a_block_is_rarely_needed() -> None:
    frozen, row = pair()
    mean, std = frozen.distribution(observations := seen(1000, 1.0)).arrays()
    for index, observation in enumerate(observations):
        np.testing.assert_array_equal(row.parameters(observation), [*mean[index], *std[index]])
    assert 0 <= row.blocks < 50


def test_what_observations_are_normalised_by_is_part_of_it() -> None:
    normalization = {"mean": [0.5] * 6, "scale": [0.3] * 6, "clip": 2.0}
    frozen, row = pair(normalization=normalization, hidden=(32,))
    require_same(frozen, row, seen(100, 1.0))


@settings(max_examples=40)
@given(st.integers(0, 999), st.floats(0.01, 30.0), st.floats(1e-6, 1e6))
def test_the_error_bound_covers_what_a_block_sums_otherwise(
    seed: int, weights: float, observations: float
) -> None:
    frozen, row = pair(seed, weights, hidden=(48, 48))
    require_same(frozen, row, seen(10, observations, seed))


def test_a_mean_that_overflows_is_an_error() -> None:
    _, row = pair(scale=1e12, hidden=(8, 8))
    with pytest.raises(ArithmeticError, match="not finite"):
        row.parameters(np.full(7, 3e38))


def test_weights_in_memory_cannot_be_written() -> None:
    frozen, row = pair(hidden=(8,))
    with pytest.raises(ValueError, match="read-only"):
        row._layers[0][0][0, 0] = 1.0
    for owner, name in ((frozen, "spec"), (frozen, "distribution"), (row, "_layers")):
        with pytest.raises(AttributeError, match="a promise rests on it"):
            setattr(owner, name, None)
