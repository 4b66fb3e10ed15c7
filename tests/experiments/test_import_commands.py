"""sport-ray import-base: what it writes, and what it refuses in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from typer.testing import CliRunner

from experiments.cli import app
from sport_ray.adapters import from_rllib, from_sb3
from sport_ray.errors import UserError
from sport_ray.policies import load_policy, policy_digest


def call(*words: object) -> str:
    """Run a command in this process; its output."""
    done = CliRunner().invoke(app, ["import-base", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def model(tmp_path: Path) -> Any:
    made = PPO("MlpPolicy", "Pendulum-v1", device="cpu", seed=0, policy_kwargs={"net_arch": [4]})
    made.save(tmp_path / "model")
    return made


def test_a_model_s_file_becomes_a_base(model, tmp_path):
    path = tmp_path / "model.zip"
    assert "1 actions by clip" in call("sb3", path, "--out", tmp_path / "a")
    call("sb3", path, "--out", tmp_path / "b", "--env", "Pendulum-v1", "--activation", "tanh")
    found = load_policy(tmp_path / "a")
    assert found.digest == load_policy(tmp_path / "b").digest == policy_digest(from_sb3(model))
    assert found.provenance["command"] == "sport-ray import-base sb3 model.zip"
    assert len(found.provenance["source_sha256"]) == 64
    np.savez(tmp_path / "o.npz", mean=np.ones(3), var=np.ones(3), epsilon=0.0, clip=5.0)
    said = call("sb3", path, "--out", tmp_path / "c", "--normalization", tmp_path / "o.npz")
    assert "observations normalised" in said
    assert load_policy(tmp_path / "c").network.spec.normalization.clip == 5.0
    with pytest.raises(UserError, match="already holds a policy"):
        call("sb3", path, "--out", tmp_path / "a")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["sb3", "model.zip", "--normalization", "vn.pkl"], "is a pickle"),
        (["sb3", "model.zip", "--trust"], "--trust is for rllib"),
        (["sb3", "model.zip", "--env", "CartPole-v1"], "actions in Discrete"),
        (["sb3", "model.zip", "--env", "Nope-v0"], "'Nope-v0' cannot be made"),
        (["npz", "x.npz", "--activation", "relu"], "--activation is for sb3"),
        (["npz", "x.npz", "--normalization", "o.npz"], "holds its own obs_mean"),
        (["npz", "x.npz"], "x.npz does not exist"),
        (["rllib", "."], "give --trust if you made it yourself"),
        (["rllib", ".", "--trust"], "not the checkpoint of one RLModule"),
    ],
)
def test_mistakes(model, tmp_path, monkeypatch, words, reason):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=reason) as caught:
        call(*words, "--out", "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_checkpoint_of_rllib_is_read_only_on_trust(tmp_path):
    from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    environment = gymnasium.make("Pendulum-v1")
    module = DefaultPPOTorchRLModule(
        observation_space=environment.observation_space,
        action_space=environment.action_space,
        model_config=DefaultModelConfig(fcnet_hiddens=[5]),
        inference_only=False,
    )
    module.save_to_path(str(tmp_path / "checkpoint"))
    said = call("rllib", tmp_path / "checkpoint", "--trust", "--out", tmp_path / "base")
    assert "by unit_clip" in said
    base = load_policy(tmp_path / "base")
    assert base.digest == policy_digest(from_rllib(module))
    call("rllib", tmp_path / "checkpoint", "--trust", "--clip-actions", "--out", tmp_path / "c")
    assert load_policy(tmp_path / "c").network.spec.squash == "clip"
    assert all(torch.isfinite(value).all() for value in base.network.parameters())
