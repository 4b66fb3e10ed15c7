"""RecurrentPPO of SB3-contrib: the same law after the same past, from the model and its file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sport_ray.adapters import from_sb3, read_sb3
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.policies import FrozenPolicy, policy_digest
from tests.sport_ray.adapters.test_sb3_observations import CONTINUOUS, Seen, image

contrib = pytest.importorskip("sb3_contrib")

KINDS: dict[str, tuple[str, spaces.Space, spaces.Space, dict[str, Any]]] = {
    "vector": ("MlpLstmPolicy", spaces.Box(-1, 1, (3,)), CONTINUOUS, {"lstm_hidden_size": 8}),
    "two layers, indices": (
        "MlpLstmPolicy", spaces.Discrete(4), spaces.Discrete(3),
        {"lstm_hidden_size": 6, "n_lstm_layers": 2, "net_arch": [5]},
    ),
    "shared": (
        "MlpLstmPolicy", spaces.Box(-1, 1, (3,)), CONTINUOUS,
        {"lstm_hidden_size": 8, "shared_lstm": True, "enable_critic_lstm": False},
    ),
    "dict": (
        "MultiInputLstmPolicy", spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(-1, 1, (2,))),
        CONTINUOUS, {"lstm_hidden_size": 7, "activation_fn": torch.nn.ReLU},
    ),
}  # fmt: skip


def model_of(policy: str, space: spaces.Space, actions: spaces.Space, arguments: Any) -> Any:
    model = contrib.RecurrentPPO(
        policy, Seen(space, actions), device="cpu", seed=0, policy_kwargs=dict(arguments)
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.policy.parameters():
            value.add_(0.2 * torch.randn(value.shape, generator=generator))
    return model


def theirs(model: Any, episode: list[Any]) -> list[torch.distributions.Distribution]:
    """SB3-contrib's laws along an episode, one step after another, in float64."""
    policy = model.policy.double()
    lstm = policy.lstm_actor
    shape = (lstm.num_layers, 1, lstm.hidden_size)
    states = (torch.zeros(shape).double(), torch.zeros(shape).double())
    start, found = torch.ones(1), []
    with torch.no_grad():
        for one in episode:
            seen, _ = policy.obs_to_tensor(one)
            laws, states = policy.get_distribution(_double(seen), states, start)
            found.append(laws.distribution)
            start = torch.zeros(1)
    policy.float()
    return found


def _double(seen: Any) -> Any:
    if isinstance(seen, dict):
        return {name: _double(value) for name, value in seen.items()}
    return seen.double() if seen.is_floating_point() else seen


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_has_the_models_laws(kind, tmp_path, monkeypatch):
    model, space = model_of(*KINDS[kind]), KINDS[kind][1]
    network = from_sb3(model)
    model.save(tmp_path / "model")
    read = read_sb3(
        tmp_path / "model.zip", action_space=model.action_space, observation_space=space
    )
    assert policy_digest(read) == policy_digest(network)
    space.seed(4)
    episode = [space.sample() for _ in range(15)]
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # its preprocessing, exactly
    want = theirs(model, episode)
    monkeypatch.undo()
    frozen = FrozenPolicy(network)
    memory = np.zeros((1, network.spec.memory_size))
    assert network.spec.memory_size == 2 * model.policy.lstm_actor.num_layers * (
        model.policy.lstm_actor.hidden_size
    )
    for one, its in zip(episode, want, strict=True):
        row = network.spec.flattening(one) if network.spec.flattening else one
        law, memory = frozen.recall(np.asarray(row, dtype=np.float64)[None], memory)
        if isinstance(law, Gaussian):
            torch.testing.assert_close(law.parts[0], its.mean, rtol=1e-6, atol=1e-6)
            torch.testing.assert_close(law.parts[1], its.stddev, rtol=1e-6, atol=1e-6)
        else:
            for index in range(its.logits.shape[1]):
                own = law.log_prob(torch.full((1, 1), float(index)))
                torch.testing.assert_close(own, its.logits[:, index], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("policy", "space", "arguments", "says"),
    [
        (
            "MlpLstmPolicy",
            spaces.Box(-1, 1, (3,)),
            {"lstm_kwargs": {"dropout": 0.5}, "n_lstm_layers": 2},
            "lstm_kwargs|expected MlpPolicy",
        ),
        ("CnnLstmPolicy", image(36, 36, 3), {}, "CnnLstmPolicy|RecurrentActorCriticCnn"),
    ],
)
def test_what_is_more_than_an_lstm_is_refused(policy, space, arguments, says, tmp_path):
    model = contrib.RecurrentPPO(
        policy, Seen(space), device="cpu", policy_kwargs={**arguments, "lstm_hidden_size": 8}
    )
    model.save(tmp_path / "model")
    for refuse in (
        lambda: from_sb3(model),
        lambda: read_sb3(tmp_path / "model.zip", observation_space=space),
    ):
        with pytest.raises(UserError, match=says) as error:
            refuse()
        assert "\n" not in str(error.value)
