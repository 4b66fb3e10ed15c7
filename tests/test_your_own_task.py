"""docs/your-own-task.md runs as it stands, on smaller sizes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sport_ray.deploy import load
from sport_ray.policies import FrozenPolicy, load_policy
from tests.pages import blocks, own_project, run

PAGE = "your-own-task.md"
SMALL = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8, "env_steps": 512,
         "warmup_env_steps": 256}  # fmt: skip


def write_files(folder: Path) -> None:
    """The page's files, smaller."""
    for language, text in blocks(PAGE):
        name = re.match(r"# (\S+\.(?:py|yaml))\n", text)
        if name is None:
            continue
        if language == "yaml":
            study = yaml.safe_load(text)
            study["certificate"] |= {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 10}
            study["sweep"] |= {"alphas": [1.0, 1.1], "horizons": [10], "seeds": [0]}
            study["training"] |= SMALL
            study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-3}
            text = yaml.safe_dump(study)
        text, count = re.subn(r"total_timesteps=[\d_]+", "total_timesteps=2_100", text)
        assert count == (1 if name[1].startswith("train_") else 0)
        (folder / name[1]).write_text(text)


def commands(*needed: str) -> str:
    """The page's shell blocks in which one of the words occurs, in order."""
    chosen = [text for language, text in blocks(PAGE) if language == "bash"]
    return "".join(text for text in chosen if any(word in text for word in needed))


@pytest.mark.slow
def test_the_pendulum_of_the_page_from_training_to_acting(tmp_path):
    write_files(tmp_path)
    said = run(commands("PYTHONPATH", "pendulum", "act.py"), tmp_path)
    assert "1 actions by clip" in said
    assert "5 of 5 cells finished" in said
    assert "this episode's largest signal" in said
    results = tmp_path / "results" / "slow-pendulum"
    spec = load_policy(results / "base").network.spec
    assert (spec.action_low, spec.action_high, spec.std_head) == ((-2.0,), (2.0,), "constant")
    certificate = json.loads((results / "certificate.json").read_text())
    assert certificate["base_digest"] == load_policy(tmp_path / "bases" / "pendulum").digest
    cells = pd.read_csv(results / "cells.csv")
    assert len(cells) == 5
    assert (cells["status"] == "finished").all()
    bounded = cells[cells["alpha"].notna()]
    assert (bounded["max_log_ratio"] <= bounded["log_alpha"]).all()
    assert cells[cells["alpha"] == 1.0]["mean_return"].nunique() == 1  # both are the base
    assert "Check failed" not in (results / "report.html").read_text()
    policy = load(tmp_path / "bundle")
    policy.reset(0)
    seen = np.array([0.5, -0.8, 7.9], dtype=np.float32)
    action = policy.act(seen)
    assert -2.0 <= action[0] <= 2.0
    base = FrozenPolicy(load_policy(results / "base").network)
    mean, std = base.distribution(seen[None]).arrays()
    for mine, evaluated in zip(policy.last.base.arrays(), (mean[0], std[0]), strict=True):
        np.testing.assert_array_equal(mine, evaluated)


@pytest.mark.long
@pytest.mark.slow
def test_the_cart_of_the_page_with_normalised_observations(tmp_path):
    pytest.importorskip("mujoco")
    write_files(tmp_path)
    said = run(commands("PYTHONPATH", "cart"), tmp_path)
    assert "observations normalised" in said
    assert "2 of 2 cells finished" in said
    results = tmp_path / "results" / "steady-cart"
    spec = load_policy(results / "base").network.spec
    assert spec.normalization is not None
    assert spec.normalization.clip == 10.0
    cells = pd.read_csv(results / "cells.csv")
    assert (cells["status"] == "finished").all()
    assert cells["mean_return"].between(0.0, 10.0).all()  # 1 for each step that the pole stays up
    page = (results / "report.html").read_text()
    assert "Check failed" not in page
    again = run(f"export PYTHONPATH=$PWD\nsport-ray verify {results} --rerun 40\n", tmp_path)
    assert "40 scenarios run again" in " ".join(again.split())


@pytest.mark.slow
@pytest.mark.long
def test_the_lander_of_the_page_whose_actions_are_indices(tmp_path):
    pytest.importorskip("Box2D")
    write_files(tmp_path)
    own_project(tmp_path)
    said = run(commands("PYTHONPATH", "lander"), tmp_path)
    assert said.count("'crash'") == 3
    assert "bundle holds" in said
    assert "1 actions by index (4 outcomes)" in said
    results = tmp_path / "results" / "lander"
    base = load_policy(results / "base").network.spec
    assert base.outcomes == (4,)
    assert base.family.name == "categorical"
    cells = pd.read_csv(results / "cells.csv")
    assert (cells["status"] == "finished").all()
    assert set(cells["constraint"]) >= {"ratio", "pathwise"}
    bounded = cells[cells["alpha"].notna()]
    assert (bounded["max_log_ratio"] <= bounded["log_alpha"]).all()


def test_every_command_of_the_page_is_run_by_a_test():
    run_by_tests = commands("PYTHONPATH", "pendulum", "act.py") + commands("cart", "lander")
    for language, text in blocks(PAGE):
        assert language != "bash" or text in run_by_tests
        assert language in ("bash", "yaml", "python")
