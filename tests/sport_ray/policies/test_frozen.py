"""The frozen policy: the same bits for a state in every batch, and nothing that is not finite."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec


def reference(network: PolicyNetwork, observation: NDArray[np.float64]):
    """Mean and std of one observation by plain loops over float64 numpy arrays."""
    spec, value = network.spec, observation.astype(np.float32).astype(np.float64)
    activations = {
        "relu": lambda x: np.maximum(x, 0.0),
        "tanh": np.tanh,
        "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
    }
    layers = [layer for layer in network.body if isinstance(layer, torch.nn.Linear)]
    for index, layer in enumerate(layers):
        weight = layer.weight.detach().numpy().astype(np.float64)
        value = weight @ value + layer.bias.detach().numpy().astype(np.float64)
        if index < len(layers) - 1:
            value = activations[spec.activation](value)
    mean, raw = value[: spec.action_size], value[spec.action_size :]
    middle = 0.5 * (spec.log_std_min + spec.log_std_max)
    half = 0.5 * (spec.log_std_max - spec.log_std_min)
    return mean, np.exp(middle + half * np.tanh(raw))


def observations(network: PolicyNetwork, count: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 2, (count, network.spec.observation_size))


def test_it_is_the_network_in_float64(network):
    obs = observations(network, 40)
    mean, std = FrozenPolicy(network).distribution(obs).arrays()
    assert mean.shape == std.shape == (40, network.spec.action_size)
    for row, got_mean, got_std in zip(obs, mean, std, strict=True):
        want_mean, want_std = reference(network, row)
        np.testing.assert_allclose(got_mean, want_mean, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(got_std, want_std, rtol=1e-6)


def test_its_numbers_are_float32_numbers_in_float64(network):
    for values in FrozenPolicy(network).distribution(observations(network, 70)).arrays():
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values.astype(np.float32).astype(np.float64), values)


@settings(max_examples=30)
@given(data=st.data())
def test_a_row_has_the_same_bits_in_every_batch(data):
    spec = PolicySpec(observation_size=6, action_size=2, hidden=(37, 64), activation="tanh")
    torch.manual_seed(3)
    policy = FrozenPolicy(PolicyNetwork(spec))
    everything = np.random.default_rng(0).normal(0, 3, (300, 6))
    mean, std = policy.distribution(everything).arrays()
    rows = data.draw(st.lists(st.integers(0, 299), min_size=1, max_size=300))
    got_mean, got_std = policy.distribution(everything[rows]).arrays()
    np.testing.assert_array_equal(got_mean, mean[rows])
    np.testing.assert_array_equal(got_std, std[rows])


def rounding_policy() -> FrozenPolicy:
    """A policy whose mean is nothing but rounding: large terms that cancel in pairs.

    Any change in the order of summation changes it in its leading digit, where in an ordinary
    policy the rounding to float32 would hide it nearly always.
    """
    spec = PolicySpec(observation_size=6, action_size=1, hidden=(256,), activation="tanh")
    network = PolicyNetwork(spec)
    generator = torch.Generator().manual_seed(0)
    partner = torch.randperm(256, generator=generator).view(2, 128)
    first, last = network.body[0], network.body[2]
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.randn(value.shape, generator=generator))
        for values in (first.weight, first.bias):
            values[partner[1]] = values[partner[0]]
        last.weight[:, partner[1]] = -last.weight[:, partner[0]]
        last.bias.zero_()
    return FrozenPolicy(network)


def test_not_even_the_order_of_summation_depends_on_the_batch():
    policy = rounding_policy()
    obs = np.random.default_rng(0).normal(size=(200, 6))
    mean, _ = policy.distribution(obs).arrays()
    assert 0.0 < np.abs(mean).max() < 1e-12  # rounding it is
    for size in (1, 2, 3, 8, 63, 64, 65, 130):
        for first in (0, 1, 70 - min(size, 70)):
            part, _ = policy.distribution(obs[first : first + size]).arrays()
            np.testing.assert_array_equal(part, mean[first : first + size])


@pytest.mark.parametrize("threads", [1, 2])
def test_every_batch_size_gives_the_same_bits(network, threads):
    policy, obs = FrozenPolicy(network), observations(network, 300)
    alone = np.stack([policy.distribution(row[None]).parameters[0] for row in obs[:70]])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for size in (1, 2, 63, 64, 65, 127, 129, 300):
            together = policy.distribution(obs[:size]).parameters
            np.testing.assert_array_equal(together[:70], alone[:size])
    finally:
        torch.set_num_threads(before)


def test_the_dtype_and_layout_of_the_observations_do_not_matter(network):
    policy, obs = FrozenPolicy(network), observations(network, 20).astype(np.float32)
    wanted = policy.distribution(obs)
    strided = np.asfortranarray(np.repeat(obs, 2, axis=0))[::2]
    for same in (obs.astype(np.float64), strided):
        assert not policy.distribution(same).differs(wanted).any()


def test_an_empty_batch_is_empty(network):
    mean, std = FrozenPolicy(network).distribution(observations(network, 0)).arrays()
    assert mean.shape == std.shape == (0, network.spec.action_size)


def test_it_is_frozen(network):
    policy, obs = FrozenPolicy(network), observations(network, 5)
    before, fingerprint = policy.distribution(obs), policy.fingerprint()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(1.0)
    assert policy.fingerprint() == fingerprint != FrozenPolicy(network).fingerprint()
    assert not policy.distribution(obs).differs(before).any()


def test_the_input_is_left_alone_and_no_output_is_shared(network):
    policy, obs = FrozenPolicy(network), observations(network, 5)
    copied = copy.deepcopy(obs)
    mean, _ = policy.distribution(obs).arrays()
    mean += 1.0
    np.testing.assert_array_equal(obs, copied)
    np.testing.assert_array_equal(policy.distribution(obs).arrays()[0] + 1.0, mean)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.filterwarnings("error")
def test_an_observation_that_is_not_finite_is_named(network, value):
    obs = observations(network, 80)
    obs[71, -1] = value
    entry = network.spec.observation_size - 1
    with pytest.raises(UserError, match=rf"^observation 71 is .* at entry {entry}: the env"):
        FrozenPolicy(network).distribution(obs)


@pytest.mark.parametrize("shape", [(3,), (), (1, 2, 2), (3, 1_000)])
def test_another_shape_is_refused(network, shape):
    with pytest.raises(UserError, match=r"^observations have") as caught:
        FrozenPolicy(network).distribution(np.zeros(shape))
    assert str(network.spec.observation_size) in str(caught.value)


def test_a_mean_beyond_float32_is_refused_rather_than_infinite():
    network = PolicyNetwork(PolicySpec(observation_size=1, action_size=1, hidden=()))
    with torch.no_grad():
        network.body[0].weight.fill_(1e30)
    with (
        np.errstate(all="raise"),
        pytest.raises(UserError, match=r"distribution is not finite at observation 1 .*inf"),
    ):
        FrozenPolicy(network).distribution(np.array([[1.0], [1e30]]))


def test_damaged_weights_do_not_become_actions():
    network = PolicyNetwork(PolicySpec(observation_size=2, action_size=1, hidden=(3,)))
    with torch.no_grad():
        network.body[0].bias[1] = float("nan")
    with pytest.raises(UserError, match="not finite at observation 0"):
        FrozenPolicy(network).distribution(np.zeros((1, 2)))
