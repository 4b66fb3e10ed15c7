"""Fewer rows than a block have: the block's numbers, to the bit, or an honest 'not sure'."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.policies.blocks import BLOCK
from sport_ray.policies.few_rows import MOST, FewRows
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.observations import Normalization

SPECS = {
    "bounded": {},
    "clamped": {"std_head": "clamped"},
    "constant": {"std_head": "constant", "hidden": (33, 17)},
    "one layer": {"hidden": ()},
    "normalised": {"normalization": Normalization(mean=(0.3,) * 40, scale=(1.7,) * 40, clip=2.0)},
}


@pytest.fixture(params=list(SPECS), ids=list(SPECS))
def policy(request) -> FrozenPolicy:
    options = {"hidden": (256, 256), **SPECS[request.param]}
    return FrozenPolicy(PolicyNetwork(PolicySpec(observation_size=44, action_size=2, **options)))


def observations(count, scale=1.0):
    rng = np.random.default_rng(count)
    found = scale * rng.standard_normal((count, 44)) * (rng.random((count, 44)) < 0.7)
    return found.astype(np.float32)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_rows_that_are_sure_are_the_blocks(policy, scale):
    few, seen = FewRows(policy._network), observations(500, scale)
    numbers, sure = few.parameters(seen)
    expected = policy._blocks.parameters(seen)
    assert np.array_equal(numbers[sure], expected[sure])
    assert sure.mean() > 0.9


@pytest.mark.parametrize("count", [5, MOST, MOST + 1, BLOCK, BLOCK + 5, 2 * BLOCK + MOST])
def test_a_policy_is_the_same_whatever_the_batch(policy, count):
    seen = observations(count)
    whole = policy.distribution(seen).parameters
    assert np.array_equal(whole.numpy(), policy._blocks.parameters(seen).astype(np.float64))


def test_a_rounding_that_could_differ_is_not_sure():
    """A mean whose exact value lies between two float32 numbers, within any sum's error."""
    network = PolicyNetwork(PolicySpec(observation_size=2, action_size=1, hidden=())).double()
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
        layer = network.body[0]
        layer.weight[0, 0], layer.weight[0, 1] = 1.0, 2.0**-25
    few = FewRows(network.requires_grad_(False))
    # 1 + 2^-24 is the middle between 1 and its neighbour; 1 + 2^-25 is not.
    _, sure = few.parameters(np.array([[1.0, 2.0], [1.0, 1.0]], dtype=np.float32))
    assert sure.tolist() == [False, True]


def test_a_number_that_is_not_finite_is_left_to_the_block(policy):
    with torch.no_grad():
        network = PolicyNetwork(policy.spec).double()
        network.body[0].weight[:] = np.inf
    _, sure = FewRows(network.requires_grad_(False)).parameters(observations(3))
    assert not sure.any()


def test_other_activations_are_not_served(point_robot_spec):
    spec = point_robot_spec.model_copy(update={"activation": "tanh"})
    policy = FrozenPolicy(PolicyNetwork(spec))
    assert not FewRows(policy._network).serves
    seen = observations(20)
    expected = policy._blocks.parameters(seen)
    assert np.array_equal(policy.distribution(seen).parameters.numpy(), expected)
