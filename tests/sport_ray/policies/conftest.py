"""Small policies with every activation and squashing."""

from __future__ import annotations

import pytest
import torch

from sport_ray.policies import PolicyNetwork, PolicySpec

SPECS = {
    "point robot": PolicySpec(observation_size=44, action_size=2, hidden=(256, 256)),
    "odd sizes": PolicySpec(observation_size=5, action_size=3, hidden=(7, 13), activation="tanh"),
    "one layer": PolicySpec(observation_size=1, action_size=1, hidden=(33,), activation="elu"),
    "linear": PolicySpec(observation_size=4, action_size=2, hidden=(), squash="none"),
}


def make_network(spec: PolicySpec, seed: int = 0) -> PolicyNetwork:
    """A network with weights from a seed, larger than at initialisation."""
    network = PolicyNetwork(spec)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) / value.shape[-1] ** 0.5)
    return network


@pytest.fixture(params=SPECS.values(), ids=SPECS.keys())
def network(request: pytest.FixtureRequest) -> PolicyNetwork:
    """One network per architecture."""
    return make_network(request.param)
