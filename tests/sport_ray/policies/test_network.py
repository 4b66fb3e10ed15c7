"""The actor network and its specification."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.network import blank_network, widened

SIZES = {"observation_size": 3, "action_size": 2}


def test_shapes_follow_the_specification(network):
    spec = network.spec
    for batch in [(), (5,), (2, 3)]:
        mean, std = network(torch.zeros(*batch, spec.observation_size)).parts
        assert mean.shape == std.shape == (*batch, spec.action_size)


def test_the_std_stays_within_its_bounds_and_reaches_them():
    spec = PolicySpec(**SIZES, hidden=(), log_std_min=-3.0, log_std_max=1.0)
    network = PolicyNetwork(spec)
    with torch.no_grad():
        network.body[0].weight.zero_()
        network.body[0].bias.copy_(torch.tensor([0.5, -0.5, -1e9, 1e9]))
    mean, std = network(torch.zeros(1, 3)).parts
    assert mean.tolist() == [[0.5, -0.5]]
    assert std[0].tolist() == pytest.approx([math.exp(-3.0), math.exp(1.0)])


@pytest.mark.parametrize("limit", [-30.0, 30.0])
def test_the_widest_std_is_a_normal_float32(limit):
    bounds = sorted([limit, 0.0])
    spec = PolicySpec(**SIZES, hidden=(), log_std_min=bounds[0], log_std_max=bounds[1])
    network = PolicyNetwork(spec)
    with torch.no_grad():
        network.body[0].bias.fill_(math.copysign(1e9, limit))
    std = network(torch.zeros(3)).std
    tiny, largest = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max
    assert (std.square() > tiny).all()
    assert (std.square() < largest).all()


@pytest.mark.parametrize(
    "change",
    [
        {"observation_size": 0},
        {"action_size": -1},
        {"hidden": (0,)},
        {"activation": "nn.ReLU"},
        {"activation": "__import__('os')"},
        {"squash": "clip"},
        {"log_std_min": 2.0},
        {"log_std_min": float("nan")},
        {"log_std_min": -float("inf")},
        {"log_std_max": float("inf")},
        {"log_std_max": 89.0},
        {"extra": 1},
    ],
)
def test_a_specification_out_of_range_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        PolicySpec(**{**SIZES, **change})


def test_a_specification_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        PolicySpec(**SIZES).squash = "none"


def test_freezing_a_policy_leaves_the_global_generator_alone():
    network = PolicyNetwork(PolicySpec(observation_size=3, action_size=1, hidden=(4,)))
    before = torch.get_rng_state()
    FrozenPolicy(network)
    blank_network(network.spec)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("extra", [1, 2, 5])
def test_a_widened_policy_ignores_what_was_added_until_it_learns(network, extra):
    wide = widened(network, extra)
    size = network.spec.observation_size
    assert wide.spec == network.spec.model_copy(update={"observation_size": size + extra})
    seen = torch.randn(64, size, generator=torch.Generator().manual_seed(0))
    added = 1e3 * torch.randn(64, extra, generator=torch.Generator().manual_seed(1))
    want = FrozenPolicy(network).distribution(seen.numpy())
    got = FrozenPolicy(wide).distribution(torch.cat([seen, added], dim=1).numpy())
    assert not got.differs(want).any()
    assert not any(p.data_ptr() == q.data_ptr() for p, q in zip_parameters(wide, network))
    wide(torch.cat([seen, added], dim=1)).mean.sum().backward()
    assert wide.body[0].weight.grad[:, size:].abs().max() > 0.0


def zip_parameters(first, second):
    return zip(first.parameters(), second.parameters(), strict=True)


def test_widening_leaves_the_network_and_the_global_generator_alone():
    network = PolicyNetwork(PolicySpec(observation_size=3, action_size=1, hidden=(4,)))
    before, weights = torch.get_rng_state(), network.body[0].weight.clone()
    wide = widened(network, 2)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        wide.body[0].weight.fill_(7.0)
    assert torch.equal(network.body[0].weight, weights)
