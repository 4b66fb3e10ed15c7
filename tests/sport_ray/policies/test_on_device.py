"""A frozen policy elsewhere: all of its numbers move, the policy itself stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.policies import FrozenPolicy, Normalization, PolicyNetwork, PolicySpec
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.on_device import DeviceMapping, network_on


def test_a_pass_reads_nothing_that_stayed_on_the_host():
    """A number that has to be copied at each pass cannot be part of a CUDA graph."""
    normalization = Normalization(mean=(0.1, 0.2), scale=(2.0, 3.0), clip=1.0)
    spec = PolicySpec(observation_size=3, action_size=1, normalization=normalization)
    policy = FrozenPolicy(PolicyNetwork(spec))
    before, place = policy.fingerprint(), torch.device("meta")
    network = network_on(policy, place)
    held = [*network.parameters(), network._normalizer.mean, network._normalizer.scale]
    assert {one.device for one in held} == {place}
    assert policy.fingerprint() == before
    assert policy.network._normalizer.mean.is_cpu


@pytest.mark.parametrize(
    ("squash", "bounds"),
    [("tanh", True), ("tanh", False), ("clip", True), ("unit_clip", True), ("none", False)],
)
def test_actions_are_those_of_arrays(squash, bounds):
    low_high = ((-2.0, 0.5), (2.0, 7.0)) if bounds else ()
    mapping = ActionMapping(squash, *low_high)
    drawn = 3.0 * np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    found = DeviceMapping(mapping, torch.device("cpu"))(torch.from_numpy(drawn))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), mapping(drawn), rtol=1e-15, atol=1e-15)
