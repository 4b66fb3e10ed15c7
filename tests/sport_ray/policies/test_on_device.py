"""A frozen policy elsewhere: all of its numbers move, the policy itself stays."""

from __future__ import annotations

import torch

from sport_ray.policies import FrozenGaussian, GaussianNetwork, Normalization, PolicySpec
from sport_ray.policies.on_device import network_on


def test_a_pass_reads_nothing_that_stayed_on_the_host():
    """A number that has to be copied at each pass cannot be part of a CUDA graph."""
    normalization = Normalization(mean=(0.1, 0.2), scale=(2.0, 3.0), clip=1.0)
    spec = PolicySpec(observation_size=3, action_size=1, normalization=normalization)
    policy = FrozenGaussian(GaussianNetwork(spec))
    before, place = policy.fingerprint(), torch.device("meta")
    network = network_on(policy, place)
    held = [*network.parameters(), network._normalizer.mean, network._normalizer.scale]
    assert {one.device for one in held} == {place}
    assert policy.fingerprint() == before
    assert policy.network._normalizer.mean.is_cpu
