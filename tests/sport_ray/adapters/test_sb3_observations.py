"""Policies of Stable-Baselines3 that see no vectors: the same law at the same raw observation."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.preprocessing import preprocess_obs

from sport_ray.adapters import from_sb3, read_sb3
from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy, policy_digest, save_policy

ODD = "sport_ray_tests/Seen-v0"
CONTINUOUS = spaces.Box(-2.0, 2.0, (2,), np.float32)


class Seen(gymnasium.Env[Any, Any]):
    """Spaces as they are given; nothing happens."""

    def __init__(self, space: spaces.Space, actions: spaces.Space = CONTINUOUS) -> None:
        self.observation_space, self.action_space = space, actions

    def reset(self, **kwargs: Any) -> tuple[Any, dict]:
        super().reset(seed=kwargs.get("seed"))
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self.observation_space.sample(), 0.0, False, True, {}


def image(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


KINDS: dict[str, tuple[Any, str, spaces.Space, spaces.Space, dict[str, Any]]] = {
    "index": (PPO, "MlpPolicy", spaces.Discrete(16), spaces.Discrete(4), {}),
    "indices": (A2C, "MlpPolicy", spaces.MultiDiscrete([3, 2]), CONTINUOUS, {}),
    "bits": (PPO, "MlpPolicy", spaces.MultiBinary(5), CONTINUOUS, {}),
    "matrix": (PPO, "MlpPolicy", spaces.Box(-1, 1, (2, 3)), CONTINUOUS, {}),
    "dict": (
        PPO,
        "MultiInputPolicy",
        spaces.Dict(
            z=spaces.Box(-1, 1, (2, 2)), a=spaces.Discrete(3), m=spaces.MultiBinary(2),
            n=spaces.MultiDiscrete([2, 3]),
        ),
        CONTINUOUS,
        {},
    ),
    "channels last": (PPO, "CnnPolicy", image(40, 36, 3), CONTINUOUS, {}),
    "channels first": (A2C, "CnnPolicy", image(2, 44, 36), spaces.Discrete(3), {}),
    "layers after": (
        PPO, "CnnPolicy", image(36, 36, 1), CONTINUOUS,
        {"net_arch": [6], "activation_fn": torch.nn.ReLU},
    ),
    "own extractors": (
        PPO, "CnnPolicy", image(36, 36, 3), CONTINUOUS, {"share_features_extractor": False},
    ),
    "not divided": (
        PPO, "CnnPolicy", spaces.Box(0, 1, (3, 36, 36), np.float32), CONTINUOUS,
        {"normalize_images": False, "features_extractor_kwargs": {"normalized_image": True}},
    ),
}  # fmt: skip


def model_of(kind: str) -> Any:
    """An untrained model whose weights are larger than at initialisation."""
    algorithm, policy, space, actions, arguments = KINDS[kind]
    model = algorithm(policy, Seen(space, actions), device="cpu", seed=0, policy_kwargs=arguments)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.policy.parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=generator))
    return model


def theirs(model: Any, seen: list[Any]) -> torch.distributions.Distribution:
    """Stable-Baselines3's law at raw observations; its layers in float64."""
    policy = model.policy
    tensors = []
    for one in seen:
        tensor, _ = policy.obs_to_tensor(one)  # transposes images and adds a dimension
        found = preprocess_obs(tensor, model.observation_space, policy.normalize_images)
        tensors.append(found)
    if isinstance(tensors[0], dict):
        both: Any = {name: torch.cat([one[name] for one in tensors]) for name in tensors[0]}
        both = {name: value.double() for name, value in both.items()}
    else:
        both = torch.cat(tensors).double()
    policy.double()
    with torch.no_grad():
        features = policy.pi_features_extractor(both)
        latent = policy.mlp_extractor.forward_actor(features)
        found = policy._get_action_dist_from_latent(latent).distribution
    policy.float()
    return found


def require_same(model: Any, network: PolicyNetwork, space: spaces.Space) -> None:
    space.seed(4)
    seen = [space.sample() for _ in range(20)]
    want = theirs(model, seen)
    flattening = Flattening.needed("e", space)
    assert network.spec.flattening == flattening
    rows = np.stack([flattening(one) for one in seen])
    with torch.no_grad():
        got = network.double()(torch.from_numpy(rows).double())
    network.float()
    frozen = FrozenPolicy(network).distribution(rows.astype(np.float64))
    if isinstance(got, Gaussian):
        torch.testing.assert_close(got.parts[0], want.mean, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(got.parts[1], want.stddev, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(frozen.parts[0], want.mean, rtol=1e-6, atol=1e-6)
    else:
        for index in range(want.logits.shape[1]):
            own = frozen.log_prob(torch.full((len(rows), 1), float(index)))
            torch.testing.assert_close(
                torch.as_tensor(own), want.logits[:, index], rtol=1e-6, atol=1e-6
            )


@pytest.mark.parametrize("kind", KINDS)
def test_the_law_is_the_models_from_the_live_one_and_from_its_file(kind, tmp_path):
    model, space = model_of(kind), KINDS[kind][2]
    network = from_sb3(model)
    require_same(model, network, space)
    model.save(tmp_path / "model")
    read = read_sb3(
        tmp_path / "model.zip", action_space=model.action_space, observation_space=space
    )
    assert policy_digest(read) == policy_digest(network)
    digest = save_policy(tmp_path / "base", read, {})
    assert load_policy(tmp_path / "base").digest == digest


@pytest.mark.parametrize("kind", ["index", "indices", "bits", "matrix"])
def test_the_file_alone_tells_what_a_plain_space_is(kind, tmp_path):
    model = model_of(kind)
    model.save(tmp_path / "model")
    read = read_sb3(tmp_path / "model.zip", action_space=model.action_space)
    assert policy_digest(read) == policy_digest(from_sb3(model))


@pytest.mark.parametrize(
    ("kind", "says"), [("dict", "name the environment with --env"), ("channels last", "--env")]
)
def test_what_the_file_does_not_tell_is_asked_for(kind, says, tmp_path):
    model_of(kind).save(tmp_path / "model")
    with pytest.raises(UserError, match=says):
        read_sb3(tmp_path / "model.zip", action_space=CONTINUOUS)


def test_an_environment_with_other_images_is_refused(tmp_path):
    model = model_of("channels last")
    model.save(tmp_path / "model")
    for space, says in (
        (image(36, 36, 4), "takes 3 channels, images in .* have 4"),
        (spaces.Box(-1, 1, (4,)), "name the environment"),
        (image(80, 36, 3), "other shapes"),
    ):
        with pytest.raises(UserError, match=says) as error:
            read_sb3(
                tmp_path / "model.zip", action_space=model.action_space, observation_space=space
            )
        assert "\n" not in str(error.value)


def refused(kind: str) -> Any:
    if kind == "tanh after":
        return PPO("CnnPolicy", Seen(image(36, 36, 3)), policy_kwargs={"net_arch": [5]})
    if kind == "images in a dict":
        space = spaces.Dict(a=image(36, 36, 3), b=spaces.Discrete(2))
        return PPO("MultiInputPolicy", Seen(space))
    if kind == "an MLP of images":
        return PPO("MlpPolicy", Seen(image(36, 36, 3)))
    return SAC("CnnPolicy", Seen(image(36, 36, 3)), buffer_size=10)


@pytest.mark.parametrize(
    ("kind", "says"),
    {
        "tanh after": "layers of tanh after NatureCNN's, which are of relu",
        "images in a dict": "images among the parts of a Dict",
        "an MLP of images": "an MLP of images in .*CnnPolicy",
        "SAC": "images|features extractor|CnnPolicy|NatureCNN",
    }.items(),
)
def test_what_cannot_be_a_base_is_refused_with_the_reason(kind, says, tmp_path):
    model = refused(kind)
    model.save(tmp_path / "model")
    space = model.env.envs[0].observation_space if hasattr(model.env, "envs") else None
    space = model.observation_space if space is None else space
    for refuse in (
        lambda: from_sb3(model),
        lambda: read_sb3(tmp_path / "model.zip", observation_space=space),
    ):
        with pytest.raises(UserError, match=says) as error:
            refuse()
        assert "\n" not in str(error.value)
