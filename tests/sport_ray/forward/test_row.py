"""One observation at a time against FrozenGaussian: the same bits for every architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.forward.heads import ROW_ACTIVATIONS, TORCH_ACTIVATIONS, ToAction
from sport_ray.forward.row import RowPolicy
from sport_ray.policies import FrozenGaussian, GaussianNetwork, PolicySpec
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.network import ACTIVATIONS


def pair(seed: int = 0, scale: float = 1.0, **fields: Any) -> tuple[FrozenGaussian, RowPolicy]:
    spec = PolicySpec(observation_size=7, action_size=3, **fields)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = GaussianNetwork(spec)
        with torch.no_grad():
            for weights in network.parameters():
                weights *= scale
            if spec.std_head == "constant":
                network.log_std.uniform_(-6.0, 3.0)
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    return FrozenGaussian(network), RowPolicy(spec.model_dump(mode="json"), weights)


def seen(count: int, scale: float, seed: int = 0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(count, 7))


def require_same(frozen: FrozenGaussian, row: RowPolicy, observations: np.ndarray) -> None:
    mean, std = frozen.distribution(observations).arrays()  # more than FEW, so in blocks
    for index, observation in enumerate(observations):
        alone = frozen.distribution(observation[None])
        np.testing.assert_array_equal(np.concatenate(alone.arrays()), [mean[index], std[index]])
        for mine, its in zip(row.distribution(observation), (mean, std), strict=True):
            np.testing.assert_array_equal(mine, its[index])
        block = row._block(row._normalize(observation.astype(np.float32).astype(np.float64)))
        np.testing.assert_array_equal(block, np.concatenate((mean[index], std[index])))


def test_every_activation_has_both_forms() -> None:
    assert set(ROW_ACTIVATIONS) == set(TORCH_ACTIVATIONS) == set(ACTIVATIONS)


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
        for mine, its in zip(row.distribution(observation), (mean, std), strict=True):
            np.testing.assert_array_equal(mine, its[index])
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
        row.distribution(np.full(7, 3e38))


def test_other_weights_than_the_architecture_has_are_refused() -> None:
    spec = PolicySpec(observation_size=7, action_size=3, hidden=(8,)).model_dump(mode="json")
    state = GaussianNetwork(PolicySpec(observation_size=7, action_size=3, hidden=(8,))).state_dict()
    weights = {name: value.numpy() for name, value in state.items()}
    for change in ({"hidden": [9]}, {"std_head": "constant"}, {"activation": "eval"},
                   {"std_head": "wild"}):  # fmt: skip
        with pytest.raises(ValueError):
            RowPolicy({**spec, **change}, weights)
    with pytest.raises(ValueError, match="shapes"):
        RowPolicy(spec, {**weights, "log_std": np.zeros(3, np.float32)})


@pytest.mark.parametrize(
    "fields",
    [
        {"squash": "tanh"},
        {"squash": "none"},
        {"squash": "tanh", "action_low": [-2.0, 0.0], "action_high": [2.0, 5.0]},
        {"squash": "clip", "action_low": [-2.0, 0.0], "action_high": [2.0, 5.0]},
        {"squash": "unit_clip", "action_low": [-2.0, 0.0], "action_high": [2.0, 5.0]},
    ],
)
def test_actions_are_mapped_as_in_rollouts(fields: dict[str, Any]) -> None:
    drawn = np.random.default_rng(0).normal(size=(500, 2)) * 4.0
    expected = ActionMapping.from_json(fields)(drawn)
    for row, its in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(ToAction(fields)(row), its)
    assert not {"clip", "unit_clip"} & {fields["squash"]} or np.ptp(expected) <= 7.0


def test_a_mapping_that_is_not_known_is_refused() -> None:
    for fields in ({"squash": "eval"}, {"squash": "clip"}):
        with pytest.raises(ValueError):
            ToAction(fields)
