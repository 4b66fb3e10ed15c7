"""Policies that remember: the LSTM's equations, the same bits in every batch, one shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.policies import (
    FrozenPolicy,
    Normalization,
    PolicyNetwork,
    PolicySpec,
    load_policy,
    save_policy,
)
from sport_ray.policies.network import widened
from sport_ray.policies.on_device import DevicePolicy
from sport_ray.policies.recurrence import Recurrence

SEEN, D = 3, 2


def network_of(layers: int = 1, **more) -> PolicyNetwork:
    spec = PolicySpec(
        observation_size=SEEN, action_size=D, hidden=(6,),
        recurrence=Recurrence(size=5, layers=layers), **more,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return PolicyNetwork(spec)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def by_hand(network: PolicyNetwork, episode: np.ndarray) -> np.ndarray:
    """Outputs (T, K) of the last layer in float64, by the equations in torch's documentation."""
    w = {name: v.detach().numpy().astype(np.float64) for name, v in network.state_dict().items()}
    layers, size = network.spec.recurrence.layers, network.spec.recurrence.size
    h, c = np.zeros((layers, size)), np.zeros((layers, size))
    outputs = []
    for x in episode:
        for k in range(layers):
            both = (
                w[f"memory.weight_ih_l{k}"] @ x + w[f"memory.bias_ih_l{k}"]
                + w[f"memory.weight_hh_l{k}"] @ h[k] + w[f"memory.bias_hh_l{k}"]
            )  # fmt: skip
            i, f, g, o = np.split(both, 4)
            c[k] = sigmoid(f) * c[k] + sigmoid(i) * np.tanh(g)
            h[k] = sigmoid(o) * np.tanh(c[k])
            x = h[k]
        x = np.maximum(w["body.0.weight"] @ x + w["body.0.bias"], 0.0)
        outputs.append(w["body.2.weight"] @ x + w["body.2.bias"])
    return np.array(outputs)


@pytest.mark.parametrize("layers", [1, 3])
def test_an_episode_is_the_lstms_equations(layers):
    network = network_of(layers)
    frozen = FrozenPolicy(network)
    episode = np.random.default_rng(0).normal(size=(12, SEEN)).astype(np.float32).astype(np.float64)
    with torch.no_grad():
        want = network.double().of_outputs(torch.from_numpy(by_hand(network, episode)))
    memory = np.zeros((1, frozen.spec.memory_size))
    for step, one in enumerate(episode):
        law, memory = frozen.recall(one[None], memory)
        for mine, its in zip(law.parts, want.parts, strict=True):
            torch.testing.assert_close(mine[0], its[step], rtol=2e-7, atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 130), place=st.integers(0, 129), seed=st.integers(0, 99))
def test_a_row_has_the_same_bits_in_every_batch(count, place, seed):
    frozen = FrozenPolicy(network_of(2))
    rng = np.random.default_rng(seed)
    seen, memory = rng.normal(size=(count, SEEN)), rng.normal(size=(count, 20))
    place %= count
    batch, after = frozen.recall(seen, memory)
    alone, own = frozen.recall(seen[place : place + 1], memory[place : place + 1])
    np.testing.assert_array_equal(
        np.asarray(batch.parameters)[place], np.asarray(alone.parameters)[0]
    )
    np.testing.assert_array_equal(after[place], own[0])


def test_normalisation_comes_before_the_memory():
    given = Normalization(mean=(1.0, -2.0, 0.5), scale=(2.0, 4.0, 0.25))
    plain, behind = network_of(), network_of(normalization=given)
    behind.load_state_dict(plain.state_dict())
    seen = np.array([[3.0, 2.0, 1.0]])
    want, _ = FrozenPolicy(plain).recall(np.array([[1.0, 1.0, 2.0]]), np.zeros((1, 10)))
    got, _ = FrozenPolicy(behind).recall(seen, np.zeros((1, 10)))
    np.testing.assert_array_equal(np.asarray(got.parameters), np.asarray(want.parameters))


def test_it_belongs_to_the_file(tmp_path):
    space = spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(-1, 1, (1,)))
    network = network_of(2, flattening=Flattening.needed("e", space))
    digest = save_policy(tmp_path / "it", network, {})
    again = load_policy(tmp_path / "it")
    assert (again.digest, again.network.spec) == (digest, network.spec)
    assert network.spec.num_parameters == sum(p.numel() for p in network.parameters())
    plain = PolicySpec(observation_size=SEEN, action_size=D)
    assert "recurrence" not in plain.model_dump(mode="json")
    assert plain.memory_size == 0
    law, memory = FrozenPolicy(PolicyNetwork(plain)).recall(np.zeros((2, SEEN)), np.zeros((2, 0)))
    assert len(law) == 2
    assert memory.shape == (2, 0)


def test_whoever_asks_for_a_law_without_the_past_is_refused():
    network = network_of()
    frozen = FrozenPolicy(network)
    for refuse in (
        lambda: frozen.distribution(np.zeros((1, SEEN))),
        lambda: network(torch.zeros(1, SEEN)),
        lambda: widened(network, 2),
    ):
        with pytest.raises(UserError, match="recurrent"):
            refuse()
    with pytest.raises(UserError, match="that remember cannot run on meta"):
        DevicePolicy(frozen, torch.device("meta"))
    with pytest.raises(UserError, match="entry 1"):
        frozen.recall(np.array([[0.0, np.nan, 0.0]]), np.zeros((1, 10)))


def test_what_goes_with_no_memory():
    with pytest.raises(ValidationError, match="recurrence goes with layers alone"):
        PolicySpec(observation_size=SEEN, action_size=D, hidden=(), body="graph",
                   recurrence=Recurrence(size=5))  # fmt: skip
    for size, layers in ((0, 1), (9000, 1), (5, 11)):
        with pytest.raises(ValidationError):
            Recurrence(size=size, layers=layers)
