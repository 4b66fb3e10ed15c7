"""sport-ray import-base: what it writes, and what it refuses in one line."""

from __future__ import annotations

import re
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
        (["sb3", "model.zip", "--env", "CartPole-v1"], "not those of a policy with its actions"),
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


def test_a_policy_over_indices_becomes_a_base(tmp_path):
    model = PPO("MlpPolicy", "CartPole-v1", device="cpu", seed=0, policy_kwargs={"net_arch": [4]})
    model.save(tmp_path / "model")
    said = call("sb3", tmp_path / "model.zip", "--out", tmp_path / "a")
    assert "1 actions by index (2 outcomes)" in said
    assert "std" not in said
    call("sb3", tmp_path / "model.zip", "--out", tmp_path / "b", "--env", "CartPole-v1")
    found = {load_policy(tmp_path / name).digest for name in "ab"}
    assert found == {policy_digest(from_sb3(model))}


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


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """A Gaussian and its logits, one linear layer each."""
    pytest.importorskip("onnx")
    from onnx import helper, save

    from tests.sport_ray.policies.graph.onnx_models import constant, model_of, normal

    names = ("mean", "log_std", "logits")
    constants = [constant(f"w_{name}", normal(3, 1 + 4 * (name == "logits"))) for name in names]
    nodes = [helper.make_node("MatMul", ["observation", f"w_{one}"], [one]) for one in names]
    save(model_of(nodes, list(names), constants, shape=("n", 3)), tmp_path / "policy.onnx")
    return tmp_path / "policy.onnx"


def test_an_onnx_file_becomes_a_base(onnx_file, tmp_path):
    bounds = ("--action-low=-2", "--action-high=2")
    said = call("onnx", onnx_file, "--family", "gaussian", "--squash", "clip", *bounds, "--mean",
                "mean", "--out", tmp_path / "a")  # fmt: skip
    assert "1 actions by clip, std clamped" in said
    assert "layers [3, 2]" in said
    assert "on 256 random observations: means" in said
    call("onnx", onnx_file, "--family", "gaussian", "--squash", "clip", "--env", "Pendulum-v1",
         "--mean", "mean", "--log-std", "log_std", "--out", tmp_path / "b")  # fmt: skip
    found = load_policy(tmp_path / "a")
    assert found.digest == load_policy(tmp_path / "b").digest
    assert "largest difference" in found.provenance["agreement"]
    said = call("onnx", onnx_file, "--family", "categorical", "--sizes", "3,2", "--out",
                tmp_path / "c")  # fmt: skip
    assert "2 actions by index (3 + 2 outcomes)" in said
    assert "log probabilities" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "--family gaussian or --family categorical"),
        (["--family", "gaussian"], "--squash tanh"),
        (["--family", "gaussian", "--squash", "clip", "--mean", "mean"], "needs action_low"),
        (["--family", "gaussian", "--squash", "clip", "--action-low", "a"], "expected numbers"),
        (["--family", "gaussian", "--squash", "none", "--sizes", "3"], "--sizes is for categor"),
        (["--family", "gaussian", "--squash", "none", "--mean", "m"], "which is the mean"),
        (["--family", "categorical", "--squash", "none"], "--squash is for real actions"),
        (["--family", "categorical", "--sizes", "3,x"], "positive whole numbers"),
        (["--family", "categorical", "--sizes", "3,1"], "5 logits, the actions 4 outcomes"),
        (["--family", "categorical", "--env", "Pendulum-v1"], "expected indices"),
        (["--family", "categorical", "--env", "CartPole-v1"], "5 logits, the actions 2 outcomes"),
        (["--family", "categorical", "--activation", "relu"], "--activation is for sb3"),
    ],
)
def test_mistakes_with_onnx_files(onnx_file, tmp_path, words, reason):
    said = refused("onnx", onnx_file, *words, "--out", tmp_path / "out")
    assert re.search(reason, said), said
    assert not (tmp_path / "out").exists()


def test_options_of_onnx_are_refused_for_others(tmp_path):
    assert "--family is for onnx" in refused("npz", "x.npz", "--family", "gaussian", "--out", "o")
