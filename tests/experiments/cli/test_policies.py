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

from sport_ray.adapters import from_rllib, from_sb3
from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app
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
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


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


def refused(*words: object) -> str:
    """The one line of a command that is refused."""
    with pytest.raises(UserError) as caught:
        call(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_with_a_filter_before_the_module_is_refused_without_its_statistics(tmp_path):
    """RLlib's MeanStdFilter: its folder tells, and nothing is unpickled to see it."""
    from gymnasium.spaces import Box
    from ray.rllib.connectors.env_to_module import EnvToModulePipeline, MeanStdFilter

    module = tmp_path / "algorithm" / "learner_group" / "learner" / "rl_module" / "default_policy"
    module.mkdir(parents=True)
    spaces = {"input_observation_space": Box(-1, 1, (3,)), "input_action_space": Box(-1, 1, (1,))}
    running = MeanStdFilter()
    running.input_observation_space = spaces["input_observation_space"]
    for connectors, seen in (([], False), ([running], True)):
        pipeline = EnvToModulePipeline(**spaces, connectors=connectors)
        pipeline.save_to_path(tmp_path / "algorithm" / "env_runner" / "env_to_module_connector")
        said = refused("rllib", module, "--trust", "--out", tmp_path / "base")
        assert ("went through MeanStdFilter" in said) == seen
        assert ("--raw-observations" in said) == seen
    said = refused("rllib", module, "--trust", "--raw-observations", "--out", tmp_path / "base")
    assert "went through" not in said


def test_contradicting_words_on_observations_are_refused(tmp_path):
    both = ("--raw-observations", "--normalization", "x.npz", "--out", tmp_path / "b")
    assert "contradict each other" in refused("sb3", "x.zip", *both)
    assert "says itself" in refused("npz", "x.npz", "--raw-observations", "--out", tmp_path / "b")
