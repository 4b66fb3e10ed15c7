"""Stable-Baselines3's policies over indices: the same probabilities, live and from the file."""

from __future__ import annotations

import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, TD3
from stable_baselines3.common.distributions import CategoricalDistribution

from sport_ray.adapters import from_sb3, read_sb3
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, policy_digest

OBS = 5
SPACES = {
    "discrete": spaces.Discrete(4),
    "multi-discrete": spaces.MultiDiscrete([3, 2]),
    "bits": spaces.MultiBinary(3),
}


class Indices(gymnasium.Env[Any, Any]):
    """Nothing happens."""

    def __init__(self, actions: spaces.Space[Any]) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (OBS,), np.float32)
        self.action_space = actions

    def reset(self, **kwargs: Any) -> tuple[Any, dict]:
        super().reset(seed=kwargs.get("seed"))
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self.observation_space.sample(), 0.0, False, True, {}


def model_of(algorithm: Any, space: spaces.Space[Any], **arguments: Any) -> Any:
    """An untrained model whose weights are larger than at initialisation."""
    model = algorithm("MlpPolicy", Indices(space), device="cpu", seed=0, **arguments)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.policy.parameters():
            value.add_(0.3 * torch.randn(value.shape, generator=generator))
    return model


@pytest.fixture(params=itertools.product([PPO, A2C], SPACES), ids=str)
def model(request: pytest.FixtureRequest) -> Any:
    """One model per algorithm and space."""
    algorithm, name = request.param
    return model_of(algorithm, SPACES[name])


def joint_actions(space: spaces.Space[Any]) -> np.ndarray:
    """All of them, (n, K)."""
    if isinstance(space, spaces.Discrete):
        return np.arange(space.n)[:, None]
    sizes = space.nvec if isinstance(space, spaces.MultiDiscrete) else [2] * space.n
    return np.array(list(np.ndindex(*sizes)))


def log_probabilities(model: Any, seen: torch.Tensor, actions: np.ndarray) -> torch.Tensor:
    """As Stable-Baselines3 has them, (n, actions)."""
    with torch.no_grad():
        policy = model.policy  # its get_distribution would round observations to float32
        law = policy._get_action_dist_from_latent(policy.mlp_extractor.forward_actor(seen))
        discrete = isinstance(model.action_space, spaces.Discrete)
        rows = [torch.from_numpy(one) if not discrete else torch.tensor(one[0]) for one in actions]
        return torch.stack([law.log_prob(r.expand(len(seen), *r.shape).to(seen)) for r in rows], -1)


def test_every_action_has_the_probability_that_it_has_there(model, tmp_path):
    network = from_sb3(model)
    model.save(tmp_path / "model")
    assert policy_digest(read_sb3(tmp_path / "model.zip")) == policy_digest(network)
    given = read_sb3(tmp_path / "model.zip", action_space=model.action_space)
    assert policy_digest(given) == policy_digest(network)
    network.spec.action_mapping.require_fits("its environment", model.action_space)
    seen = np.random.default_rng(0).normal(scale=3.0, size=(100, OBS)).astype(np.float32)
    actions = joint_actions(model.action_space)
    single = log_probabilities(model, torch.from_numpy(seen), actions)
    frozen = FrozenPolicy(network).distribution(seen)
    model.policy.double()
    want = log_probabilities(model, torch.from_numpy(seen).double(), actions)
    exact = network.double()(torch.from_numpy(seen).double())
    for column, action in enumerate(actions):
        row = torch.from_numpy(action).expand(len(seen), -1)
        with torch.no_grad():
            got = exact.log_prob(row)
        torch.testing.assert_close(got, want[:, column], rtol=1e-12, atol=1e-11)
        # What acts: float32 log weights, and probabilities on a grid of 2^-52.
        held = frozen.log_prob(row)
        torch.testing.assert_close(held, want[:, column], rtol=2e-6, atol=2e-6)
        torch.testing.assert_close(single[:, column].double(), held, rtol=1e-5, atol=1e-5)


def test_indices_are_those_that_the_environment_gets(model):
    mapping = from_sb3(model).spec.action_mapping
    for action in joint_actions(model.action_space):
        assert mapping(action).tolist() == action.tolist()


@pytest.mark.parametrize(
    "space", [spaces.Discrete(4, start=2), spaces.MultiDiscrete([3, 2], start=[0, 1])]
)
def test_a_space_that_starts_elsewhere_is_refused(space, tmp_path):
    model = model_of(PPO, space)  # its policy hands out 0, 1, …, which that space does not hold
    model.save(tmp_path / "model")
    for read in (lambda: from_sb3(model), lambda: read_sb3(tmp_path / "model.zip")):
        with pytest.raises(UserError, match="indices from 0"):
            read()


@pytest.mark.parametrize(
    ("algorithm", "space", "reason"),
    [
        (DQN, SPACES["discrete"], "softmax of Q would be another policy"),
        (TD3, spaces.Box(-1, 1, (2,), np.float32), "deterministic actor"),
    ],
)
def test_what_has_no_density_is_refused_with_the_reason(algorithm, space, reason, tmp_path):
    model = model_of(algorithm, space, buffer_size=10)
    model.save(tmp_path / "model")
    for read in (lambda: from_sb3(model), lambda: read_sb3(tmp_path / "model.zip")):
        with pytest.raises(UserError, match=reason) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_model_that_draws_otherwise_is_refused():
    model = model_of(PPO, SPACES["multi-discrete"])
    model.policy.action_dist = object()
    with pytest.raises(UserError, match="drawn from object"):
        from_sb3(model)
    gaussian = model_of(PPO, spaces.Box(-1, 1, (2,), np.float32))
    gaussian.policy.action_dist = CategoricalDistribution(2)
    with pytest.raises(UserError, match="drawn from CategoricalDistribution"):
        from_sb3(gaussian)


def altered(path: Path, **fields: Any) -> Path:
    """The file with other text about its action space."""
    other = path.with_name("altered.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "data":
                tree = json.loads(data)
                tree["action_space"] = {**tree["action_space"], **fields}
                data = json.dumps(tree).encode()
            new.writestr(name, data)
    return other


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"nvec": "[3 2 ... 4]"}, "'multi_discrete' cannot be read from its text"),
        ({"nvec": "[[3 2]]"}, "cannot be read from its text"),
        ({"nvec": "[3 -2]"}, "cannot be read from its text"),
        ({"nvec": "[3 0]"}, "cannot be read from its text"),
        ({"nvec": None}, "cannot be read from its text"),
        ({"nvec": "[3 3]"}, "5 outputs, the actions 6 outcomes"),
        ({"nvec": "[99999999999999999999 2]"}, "cannot be read from its text"),
        ({"nvec": "[999999999 2]"}, "needs whole numbers"),
        ({"nvec": "[999999 2]"}, "more than 100000"),
        ({"start": "[0 1]"}, "indices from 0"),
    ],
)
def test_a_damaged_account_of_the_space_is_one_line(fields, reason, tmp_path):
    model_of(PPO, SPACES["multi-discrete"]).save(tmp_path / "model")
    with pytest.raises(UserError, match=reason) as caught:
        read_sb3(altered(tmp_path / "model.zip", **fields))
    assert "\n" not in str(caught.value)


def test_weights_of_other_actions_than_the_file_says_are_refused(tmp_path):
    model_of(PPO, SPACES["discrete"]).save(tmp_path / "model")
    box = spaces.Box(-1, 1, (4,), np.float32)
    with pytest.raises(UserError, match="not those of a policy with its actions"):
        read_sb3(tmp_path / "model.zip", action_space=box)
