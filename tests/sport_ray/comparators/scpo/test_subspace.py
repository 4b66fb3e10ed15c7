"""A network in a few parameters: the base at 0, and each direction as it is described."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.comparators.scpo.subspace import OutputSubspace
from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.policies.store import policy_digest


def outputs(network: PolicyNetwork, observation: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return network.body(observation).double().numpy()


@pytest.fixture(scope="module")
def observation() -> torch.Tensor:
    return torch.randn(7, 44, generator=torch.Generator().manual_seed(0))


def test_zero_is_the_base_to_the_bit(small_base):
    network = OutputSubspace(small_base, 11, 0).network(np.zeros(11))
    assert policy_digest(network) == policy_digest(small_base)


def test_biases_add_and_gains_multiply(small_base, observation):
    subspace, base = OutputSubspace(small_base, 8, 0), outputs(small_base, observation)
    for index, (row, gain, offset) in enumerate(
        [(0, 0, 1), (1, 0, 1), (0, 1, 0), (1, 1, 0), (2, 0, 1), (3, 0, 1), (2, 1, 0), (3, 1, 0)]
    ):
        moved = outputs(subspace.network(0.25 * np.eye(8)[index]), observation)
        expected = base.copy()
        expected[:, row] = (1 + 0.25 * gain) * expected[:, row] + 0.25 * offset
        assert moved == pytest.approx(expected, abs=1e-5)
        untouched = [k for k in range(4) if k != row]
        assert (moved[:, untouched] == base[:, untouched]).all()


def test_random_directions_follow_from_the_seed_and_leave_the_base_alone(small_base):
    before = policy_digest(small_base)
    theta = 0.1 * np.ones(12)
    digests = [
        policy_digest(OutputSubspace(small_base, 12, seed).network(theta)) for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]
    assert policy_digest(small_base) == before


def test_a_constant_std_head():
    spec = PolicySpec(observation_size=3, action_size=2, hidden=(8,), std_head="constant")
    base = PolicyNetwork(spec)
    moved = OutputSubspace(base, 6, 0).network(np.array([0, 0, 0, 0, 0.5, -0.5]))
    assert (moved.log_std - base.log_std).tolist() == [0.5, -0.5]


def test_arguments(small_base):
    subspace = OutputSubspace(small_base, 4, 0)
    with pytest.raises(ValueError, match="theta"):
        subspace.network(np.zeros(3))
    with pytest.raises(ValueError, match="theta"):
        subspace.network(np.full(4, np.nan))
    with pytest.raises(ValueError, match="finite in float32"):
        subspace.network(np.full(4, 1e300))
    with pytest.raises(ValueError, match="dimension"):
        OutputSubspace(small_base, 0, 0)
