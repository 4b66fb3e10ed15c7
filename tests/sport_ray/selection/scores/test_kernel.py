"""The compiled critic gives torch's numbers to rounding, and a row never knows its companions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.policies import Normalization
from sport_ray.selection.scores import Atoms, Critic, ScoreNetwork, ScoreSpec
from sport_ray.selection.scores.kernel import _exponentials
from sport_ray.selection.scores.network import Inputs

SHAPES = [((64,), (64, 64)), ((), (17,)), ((30, 9), (8, 5, 13)), ((256, 256), (128, 64))]


def make(embedding, hidden, **more) -> tuple[ScoreNetwork, Critic]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        spec = ScoreSpec(
            observation_size=7,
            action_size=2,
            atoms=Atoms.of_steps(21),
            embedding=embedding,
            hidden=hidden,
            squash="tanh",
            normalization=Normalization(mean=(0.1,) * 7, scale=(0.5,) * 7, clip=5.0),
            action_mean=(0.2, -0.1),
            action_scale=(0.7, 0.4),
            **more,
        )
        network = ScoreNetwork(spec)
    return network, Critic(network)


def inputs(count: int, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(count, 7)), rng.normal(size=(count, candidates, 2))


@pytest.mark.parametrize("horizon", [None, 50])
@pytest.mark.parametrize(("embedding", "hidden"), SHAPES)
def test_the_laws_are_torchs(embedding, hidden, horizon):
    network, critic = make(embedding, hidden, horizon=horizon)
    observation, candidates = inputs(40, 16)
    taken = np.arange(40)
    found = critic.laws(observation, candidates, taken)
    seen = Inputs(network.spec)
    with torch.no_grad():
        logits = network.double()(
            torch.from_numpy(seen.observations(observation, taken)).double(),
            torch.from_numpy(seen.actions(candidates)).double(),
        )
    wanted = torch.softmax(logits, dim=-1).numpy()
    assert np.ptp(wanted[:, :, 3]) > 1e-3  # they are not all alike
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-7)
    np.testing.assert_allclose(found.sum(-1), 1.0, atol=1e-14)


@pytest.mark.parametrize(("embedding", "hidden"), SHAPES)
def test_a_row_depends_on_itself_alone_to_the_bit(embedding, hidden):
    _, critic = make(embedding, hidden)
    observation, candidates = inputs(65, 33)
    whole = critic.laws(observation, candidates)
    for row in (0, 1, 31, 64):
        one = critic.laws(observation[row : row + 1], candidates[row : row + 1])
        np.testing.assert_array_equal(one[0], whole[row])
        few = critic.laws(observation[row : row + 1], candidates[row : row + 1, 3:6])
        np.testing.assert_array_equal(few[0], whole[row, 3:6])
    backwards = critic.laws(observation[::-1], candidates[::-1, ::-1])
    np.testing.assert_array_equal(backwards[::-1, ::-1], whole)


def test_the_exponential_is_right_to_the_last_bits():
    x = np.concatenate([np.linspace(-700.0, 0.0, 100_001), [-1e300, -np.inf, -1e-300]])
    found = np.empty_like(x)
    _exponentials(x, found)
    np.testing.assert_allclose(found[:-3], np.exp(x[:-3]), rtol=5e-16)
    assert found[-3] == found[-2] == found[0] < 1e-300
    assert found[-1] == 1.0
