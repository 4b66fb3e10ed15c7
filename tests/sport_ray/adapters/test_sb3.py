"""Stable-Baselines3's policies: the same density, from the live model and from its file."""

from __future__ import annotations

import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize

from sport_ray.adapters import from_sb3, read_normalization, read_sb3
from sport_ray.adapters.parts import box_mapping
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy, policy_digest, save_policy

OBS, ACTIONS = 5, 2
LOW = np.array([-2.0, 0.25], dtype=np.float32)
HIGH = np.array([2.0, 1.75], dtype=np.float32)


class Box(gymnasium.Env[Any, Any]):
    """Spaces of odd shape and range; nothing happens."""

    def __init__(self, observations: spaces.Space | None = None, actions: Any = None) -> None:
        self.observation_space = observations or spaces.Box(-np.inf, np.inf, (OBS,), np.float32)
        self.action_space = actions or spaces.Box(LOW, HIGH)

    def reset(self, **kwargs: Any) -> tuple[Any, dict]:
        super().reset(seed=kwargs.get("seed"))
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self.observation_space.sample(), 0.0, False, True, {}


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ppo": (PPO, {}),
    "ppo, relu": (
        PPO,
        {"activation_fn": torch.nn.ReLU, "net_arch": {"pi": [7, 9], "vf": [3]}, "log_std_init": -1},
    ),
    "ppo, elu, own extractor": (
        PPO,
        {"activation_fn": torch.nn.ELU, "net_arch": [6], "share_features_extractor": False},
    ),
    "ppo, linear": (PPO, {"net_arch": []}),
    "a2c": (A2C, {"net_arch": [8, 8, 8]}),
    "sac": (SAC, {"net_arch": [16, 8]}),
    "sac, silu": (SAC, {"net_arch": [16], "activation_fn": torch.nn.SiLU}),
}


def model_of(kind: str, env: Any = None) -> Any:
    """An untrained model whose weights are larger than at initialisation."""
    algorithm, arguments = KINDS[kind]
    more = {"buffer_size": 10} if algorithm is SAC else {}
    model = algorithm(
        "MlpPolicy", env or Box(), device="cpu", seed=0, policy_kwargs=arguments, **more
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.policy.parameters():
            value.add_(0.3 * torch.randn(value.shape, generator=generator))
    return model


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Any:
    """One model per kind."""
    return model_of(request.param)


def observations(count: int = 200, scale: float = 3.0) -> np.ndarray:
    """Random observations, all float32 numbers."""
    drawn = np.random.default_rng(0).normal(scale=scale, size=(count, OBS))
    return drawn.astype(np.float32)


def source_gaussian(model: Any, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and std as Stable-Baselines3 itself computes them, in the dtype of its weights."""
    policy = model.policy
    with torch.no_grad():
        if isinstance(model, SAC):
            latent = policy.actor.latent_pi(seen)
            mean = policy.actor.mu(latent)
            log_std = torch.clamp(policy.actor.log_std(latent), -20, 2)
        else:
            latent = policy.mlp_extractor.forward_actor(seen)
            chosen = policy._get_action_dist_from_latent(latent).distribution
            return chosen.mean, chosen.stddev
    return mean, log_std.exp()


def require_same(model: Any, network: PolicyNetwork, raw: np.ndarray, seen: np.ndarray) -> None:
    """In float64 to rounding: mean, std and log density of random actions."""
    model.policy.double()
    mean, std = source_gaussian(model, torch.from_numpy(seen).double())
    with torch.no_grad():
        got_mean, got_std = network.double()(torch.from_numpy(raw).double()).parts
    torch.testing.assert_close(got_mean, mean, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(got_std, std, rtol=1e-12, atol=0.0)
    action = mean + 1.5 * std * torch.randn(
        mean.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    want = torch.distributions.Normal(mean, std).log_prob(action).sum(-1)
    got = torch.distributions.Normal(got_mean, got_std).log_prob(action).sum(-1)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-11)


def test_the_live_model_has_the_same_density(model):
    seen = observations()
    network = from_sb3(model)
    assert all(value.dtype == torch.float32 for value in network.parameters())
    require_same(model, network, seen, seen)


def test_in_float32_both_are_right_to_its_rounding(model):
    seen = torch.from_numpy(observations())
    mean, std = source_gaussian(model, seen)
    with torch.no_grad():
        got_mean, got_std = from_sb3(model)(seen).parts
    # Here they are equal to the bit; another machine may sum in another order.
    torch.testing.assert_close(got_mean, mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(got_std, std, rtol=1e-5, atol=0.0)


def test_live_models_that_draw_otherwise_are_refused():
    model = model_of("ppo")
    model.policy.action_dist = SquashedDiagGaussianDistribution(ACTIONS)
    with pytest.raises(UserError, match="drawn from SquashedDiagGaussianDistribution"):
        from_sb3(model)
    model = model_of("ppo")
    model.policy.mlp_extractor.policy_net = model.policy.mlp_extractor.policy_net[:-1]
    with pytest.raises(UserError, match="no activation"):
        from_sb3(model)
    twice = VecNormalize(VecNormalize(DummyVecEnv([Box])))
    with pytest.raises(UserError, match="more than one VecNormalize"):
        from_sb3(model_of("ppo", twice), twice)


def test_integer_actions_are_refused(tmp_path):
    model = model_of("ppo", Box(actions=spaces.Box(-3, 3, (ACTIONS,), np.int32)))
    model.save(tmp_path / "model")
    for read in (
        lambda: from_sb3(model),
        lambda: read_sb3(tmp_path / "model.zip"),
        lambda: read_sb3(tmp_path / "model.zip", action_space=model.action_space),
    ):
        with pytest.raises(UserError, match="actions are int32"):
            read()


def test_an_activation_with_arguments_is_not_taken_for_the_default(tmp_path):
    model = PPO(
        "MlpPolicy", Box(), device="cpu",
        policy_kwargs={"activation_fn": partial(torch.nn.LeakyReLU, negative_slope=0.3)},
    )  # fmt: skip
    model.save(tmp_path / "model")
    with pytest.raises(UserError, match=r"negative_slope=0\.3"):
        read_sb3(tmp_path / "model.zip", activation="leaky_relu")


def test_the_file_holds_the_same_policy(model, tmp_path):
    model.save(tmp_path / "model")
    network = read_sb3(tmp_path / "model.zip")
    assert policy_digest(network) == policy_digest(from_sb3(model))
    digest = save_policy(tmp_path / "base", network, {})
    loaded = load_policy(tmp_path / "base")
    assert loaded.digest == digest
    assert loaded.network.spec == network.spec
    require_same(model, loaded.network, observations(), observations())


def test_nothing_in_the_file_is_unpickled(tmp_path, monkeypatch):
    model = model_of("ppo, relu")
    model.save(tmp_path / "model")
    poisoned = tmp_path / "poisoned.zip"
    with zipfile.ZipFile(tmp_path / "model.zip") as old, zipfile.ZipFile(poisoned, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "data":
                tree = json.loads(data)
                for value in tree.values():
                    if isinstance(value, dict) and ":serialized:" in value:
                        value[":serialized:"] = "bm90IGEgcGlja2xl"
                data = json.dumps(tree).encode()
            new.writestr(name, data)
    assert policy_digest(read_sb3(poisoned)) == policy_digest(from_sb3(model))


def normalized(model_kind: str, **arguments: Any) -> tuple[Any, VecNormalize]:
    """A model in a normalised environment whose statistics are not trivial."""
    vector = VecNormalize(DummyVecEnv([Box]), **arguments)
    rng = np.random.default_rng(3)
    if vector.norm_obs:
        vector.obs_rms.mean = rng.normal(size=OBS)
        vector.obs_rms.var = rng.uniform(0.01, 4.0, size=OBS)
    return model_of(model_kind, vector), vector


@pytest.mark.parametrize("kind", ["ppo", "sac"])
@pytest.mark.parametrize("clip", [10.0, 0.5])
def test_observation_statistics_are_frozen_in(kind, clip, tmp_path):
    model, vector = normalized(kind, clip_obs=clip, epsilon=1e-4)
    network = from_sb3(model, vecnormalize=vector)
    raw = observations()
    seen = vector.normalize_obs(raw)
    assert seen.dtype == np.float32
    assert (np.abs(seen) == np.float32(clip)).any()
    inner = network.normalized(torch.from_numpy(raw).double())
    assert torch.equal(inner, torch.from_numpy(seen).double())  # to the bit
    np.savez(
        tmp_path / "obs.npz", mean=vector.obs_rms.mean, var=vector.obs_rms.var,
        epsilon=vector.epsilon, clip=vector.clip_obs,
    )  # fmt: skip
    model.save(tmp_path / "model")
    statistics = read_normalization(tmp_path / "obs.npz")
    again = read_sb3(tmp_path / "model.zip", normalization=statistics)
    assert policy_digest(again) == policy_digest(network)
    vector.obs_rms.mean = vector.obs_rms.mean + 1.0  # what goes on there moves nothing here
    save_policy(tmp_path / "base", network, {})
    require_same(model, load_policy(tmp_path / "base").network, raw, seen)
    assert load_policy(tmp_path / "base").digest == policy_digest(again)


def test_a_normalised_model_without_its_statistics_is_refused():
    model, vector = normalized("ppo")
    with pytest.raises(UserError, match="VecNormalize: pass vecnormalize="):
        from_sb3(model)
    assert from_sb3(model, vecnormalize=vector).spec.normalization is not None
    rewards_only, vector = normalized("ppo", norm_obs=False)
    assert from_sb3(rewards_only, vecnormalize=vector).spec.normalization is None


def trained(kind: str, env: Any, tmp_path: Path) -> tuple[Any, Path]:
    algorithm, arguments = KINDS[kind]
    more = {"buffer_size": 50, "learning_starts": 5} if algorithm is SAC else {"n_steps": 8}
    model = algorithm("MlpPolicy", env, device="cpu", seed=0, policy_kwargs=arguments, **more)
    model.learn(16)
    model.save(tmp_path / "model")
    return model, tmp_path / "model.zip"


@pytest.mark.parametrize("kind", ["ppo", "a2c"])
def test_a_file_tells_that_it_was_trained_behind_vecnormalize(kind, tmp_path):
    """C25: imported as if it saw observations as they are, it is another policy."""
    plain, path = trained(kind, DummyVecEnv([Box]), tmp_path)
    assert policy_digest(read_sb3(path)) == policy_digest(from_sb3(plain))
    vector = VecNormalize(DummyVecEnv([Box]))
    model, path = trained(kind, vector, tmp_path)
    with pytest.raises(UserError, match=r"VecNormalize.*--normalization.*--raw-observations") as e:
        read_sb3(path)
    assert "\n" not in str(e.value)
    rms = vector.obs_rms
    arrays = {"mean": rms.mean, "var": rms.var, "epsilon": vector.epsilon, "clip": vector.clip_obs}
    np.savez(tmp_path / "obs.npz", **arrays)
    with_them = read_sb3(path, normalization=read_normalization(tmp_path / "obs.npz"))
    assert policy_digest(with_them) == policy_digest(from_sb3(model, vector))
    loaded = type(model).load(path, device="cpu")  # has lost its VecNormalize
    with pytest.raises(UserError, match=r"loaded.*vecnormalize=.*raw_observations=True"):
        from_sb3(loaded)
    assert policy_digest(from_sb3(loaded, vector)) == policy_digest(with_them)


def test_normalised_rewards_alone_change_nothing_and_the_user_says_so(tmp_path):
    model, path = trained("ppo", VecNormalize(DummyVecEnv([Box]), norm_obs=False), tmp_path)
    with pytest.raises(UserError, match="norm_obs=False"):
        read_sb3(path)
    raw = read_sb3(path, raw_observations=True)
    assert raw.spec.normalization is None
    assert policy_digest(raw) == policy_digest(from_sb3(model))
    loaded = PPO.load(path, device="cpu")
    assert policy_digest(from_sb3(loaded, raw_observations=True)) == policy_digest(raw)


@pytest.mark.parametrize("wrap", [lambda env: env, VecNormalize], ids=["plain", "normalised"])
def test_sac_s_file_does_not_tell_and_is_asked_about(wrap, tmp_path):
    model, path = trained("sac", wrap(DummyVecEnv([Box])), tmp_path)
    with pytest.raises(UserError, match="does not tell whether observations went through"):
        read_sb3(path)
    raw = read_sb3(path, raw_observations=True)
    if model.get_vec_normalize_env() is None:
        assert policy_digest(from_sb3(model)) == policy_digest(raw)


def test_what_else_changes_observations_changes_their_shape(tmp_path):
    """VecFrameStack: the policy then sees more entries than the environment gives."""
    stacked, path = trained("ppo", VecFrameStack(DummyVecEnv([Box]), 3), tmp_path)
    assert (
        read_sb3(path).spec.observation_size == from_sb3(stacked).spec.observation_size == 3 * OBS
    )


def test_actions_reach_the_environment_as_there():
    for kind in ("ppo", "sac"):
        model = model_of(kind)
        mapping = from_sb3(model).spec.action_mapping
        drawn = np.random.default_rng(0).normal(scale=2.0, size=(50, ACTIONS)).astype(np.float32)
        if kind == "sac":
            want = model.policy.unscale_action(torch.tanh(torch.from_numpy(drawn)).numpy())
        else:
            want = np.clip(drawn, LOW, HIGH)
        np.testing.assert_allclose(mapping(drawn), want, rtol=0, atol=3e-7)
        assert (mapping(drawn) >= LOW).all()
        assert (mapping(drawn) <= HIGH).all()


def test_sac_s_squashed_density_is_ours_and_the_jacobian_s():
    model = model_of("sac")
    network = from_sb3(model).double()
    model.policy.double()
    seen = torch.from_numpy(observations(20)).double()
    mean, std = network(seen).parts
    drawn = mean + std * torch.tensor([[0.7, -0.4]], dtype=torch.float64)
    mean_, std_ = source_gaussian(model, seen)
    chosen = model.policy.actor.action_dist.proba_distribution(mean_, torch.log(std_))
    want = chosen.log_prob(torch.tanh(drawn), drawn)
    # The library adds 1e-6 to 1 − tanh², against log 0; so does the Jacobian here.
    jacobian = torch.log(1.0 - torch.tanh(drawn) ** 2 + chosen.epsilon).sum(-1)
    got = torch.distributions.Normal(mean, std).log_prob(drawn).sum(-1) - jacobian
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-11)


def test_an_environment_that_its_text_cannot_give_is_named(tmp_path):
    odd = np.array([-0.012345678, -1.0], dtype=np.float32)  # printed to eight digits: not exact
    model = model_of("ppo", Box(actions=spaces.Box(odd, -odd)))
    model.save(tmp_path / "model")
    network = read_sb3(tmp_path / "model.zip")
    with pytest.raises(UserError, match=r"actions with low = \[-0.01234567"):
        network.spec.action_mapping.require_fits("Odd-v0", model.action_space)
    exact = read_sb3(tmp_path / "model.zip", action_space=model.action_space)
    exact.spec.action_mapping.require_fits("Odd-v0", model.action_space)
    assert policy_digest(exact) == policy_digest(from_sb3(model))


class OwnPolicy(PPO.policy_aliases["MlpPolicy"]):  # type: ignore[name-defined]
    """A class of the user's own."""


class OwnExtractor(__import__("stable_baselines3").common.torch_layers.FlattenExtractor):
    """Flattens, it says."""


REFUSED: dict[str, tuple[Any, str, Any, dict[str, Any], str]] = {
    "gSDE, PPO": (PPO, "MlpPolicy", Box(), {"use_sde": True}, "gSDE"),
    "gSDE, SAC": (SAC, "MlpPolicy", Box(), {"use_sde": True, "buffer_size": 10}, "gSDE"),
    "deterministic": (TD3, "MlpPolicy", Box(), {"buffer_size": 10}, "deterministic actor"),
    "values": (
        DQN, "MlpPolicy", Box(actions=spaces.Discrete(3)), {"buffer_size": 10}, "DQN has no density"
    ),
    "own policy": (PPO, OwnPolicy, Box(), {}, "expected MlpPolicy"),
    "own extractor": (
        PPO, "MlpPolicy", Box(), {"policy_kwargs": {"features_extractor_class": OwnExtractor}},
        "features",
    ),
    "activation": (
        PPO, "MlpPolicy", Box(), {"policy_kwargs": {"activation_fn": torch.nn.Softsign}}, "Softsign"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "policy", "env", "arguments", "reason"), REFUSED.values(), ids=REFUSED.keys()
)
def test_what_is_no_diagonal_gaussian_is_refused(
    algorithm, policy, env, arguments, reason, tmp_path
):
    model = algorithm(policy, env, device="cpu", **arguments)
    model.save(tmp_path / "model")
    for refuse in (lambda: from_sb3(model), lambda: read_sb3(tmp_path / "model.zip")):
        with pytest.raises(UserError, match=reason) as caught:
            refuse()
        assert "\n" not in str(caught.value)


def test_an_activation_that_the_file_does_not_tell_is_asked_for(tmp_path):
    model = PPO("MlpPolicy", Box(), device="cpu", policy_kwargs={"activation_fn": relu})
    model.save(tmp_path / "model")
    with pytest.raises(UserError, match=r"activation is not known.*--activation"):
        read_sb3(tmp_path / "model.zip")
    network = read_sb3(tmp_path / "model.zip", activation="relu")
    assert policy_digest(network) == policy_digest(from_sb3(model))
    model_of("ppo").save(tmp_path / "tanh")
    with pytest.raises(UserError, match="its activation is tanh, not relu"):
        read_sb3(tmp_path / "tanh.zip", activation="relu")


def relu() -> torch.nn.Module:
    return torch.nn.ReLU()


def test_files_that_are_no_model(tmp_path):
    (tmp_path / "junk.zip").write_bytes(b"junk")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("data", "{}")
    with zipfile.ZipFile(tmp_path / "pickle.zip", "w") as archive:
        archive.writestr("data", "{}")
        torch.save({"weight": print}, tmp_path / "policy.pth")
        archive.write(tmp_path / "policy.pth", "policy.pth")
    for name, reason in (
        ("nothing.zip", "does not exist"),
        ("junk.zip", "not a model"),
        ("empty.zip", "policy.pth"),
        ("pickle.zip", "more than tensors"),
    ):
        with pytest.raises(UserError, match=reason) as caught:
            read_sb3(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_stock_environment_with_float64_observations(tmp_path: Path):
    pytest.importorskip("mujoco")
    env = FlattenObservation(gymnasium.make("InvertedPendulum-v5"))
    model = PPO("MlpPolicy", env, device="cpu", seed=0)
    network = from_sb3(model)
    network.spec.action_mapping.require_fits("InvertedPendulum-v5", env.action_space)
    assert network.spec.action_low == (-3.0,)
    assert network.spec.observation_size == 4


def test_infinite_bounds_clip_nothing_or_are_refused():
    infinite = (float("-inf"),), (float("inf"),)
    assert box_mapping("x", "clip", *infinite) == {"squash": "none"}
    for kind, low, high in (("clip", (-1.0,), (float("inf"),)), ("tanh", *infinite)):
        with pytest.raises(UserError, match="x: the action space has infinite bounds"):
            box_mapping("x", kind, low, high)


class Images(gymnasium.Env):
    """Squares of bytes that end at ``most``."""

    def __init__(self, most: int) -> None:
        self.observation_space = spaces.Box(0, most, (1, 36, 36), np.uint8)
        self.action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


@pytest.mark.parametrize("most", [100, 255])
def test_bytes_are_divided_only_where_stable_baselines3_divides_them(tmp_path, most):
    env = Images(most)
    model = PPO(
        "CnnPolicy", env, n_steps=8, batch_size=8, seed=1, device="cpu",
        policy_kwargs={"features_extractor_kwargs": {"normalized_image": most != 255}},
    )  # fmt: skip
    model.save(tmp_path / "model.zip")
    own = read_sb3(tmp_path / "model.zip", observation_space=env.observation_space)
    live = from_sb3(model)
    seen = np.stack([env.observation_space.sample() for _ in range(4)])
    with torch.no_grad():
        theirs = model.policy.get_distribution(torch.from_numpy(seen)).distribution.probs.numpy()
    for network in (own, live):
        flat = seen.reshape(len(seen), -1).astype(np.float64)
        found = FrozenPolicy(network).distribution(flat).arrays()[0]
        np.testing.assert_allclose(found, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("trained", "given", "same"),
    [
        (spaces.Discrete(6), spaces.Box(-1, 1, (6,), np.float32), False),
        (spaces.Discrete(6), spaces.Discrete(6, start=3), False),
        (spaces.Discrete(6), spaces.Discrete(6), True),
        (spaces.MultiDiscrete([2, 4]), spaces.MultiDiscrete([4, 2]), False),
        (spaces.Box(-1, 1, (6,), np.float32), spaces.Box(-2, 2, (6,), np.float32), True),
        (
            spaces.Dict({"a": spaces.Discrete(4), "z": spaces.Box(-1, 1, (2,))}),
            spaces.Dict({"a": spaces.Discrete(2), "z": spaces.Box(-1, 1, (4,))}),
            False,
        ),
        (
            spaces.Dict({"a": spaces.Discrete(4), "z": spaces.Box(-1, 1, (2,))}),
            spaces.Dict({"a": spaces.Discrete(4), "z": spaces.Box(-9, 9, (2,))}),
            True,
        ),
    ],
)
def test_another_space_of_the_same_size_is_told(tmp_path, trained, given, same):
    env = Images(255)
    env.observation_space = trained
    kind = "MultiInputPolicy" if isinstance(trained, spaces.Dict) else "MlpPolicy"
    model = PPO(kind, env, n_steps=8, batch_size=8, seed=1, device="cpu")
    model.save(tmp_path / "model.zip")
    if same:
        read_sb3(tmp_path / "model.zip", observation_space=given)
        return
    with pytest.raises(UserError, match="that it was trained in"):
        read_sb3(tmp_path / "model.zip", observation_space=given)
