"""docs/tensor-environments.md runs as it stands, on smaller sizes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import yaml

from sport_ray.deploy import load
from sport_ray.envs.making import make_environment
from sport_ray.tensors import require_tensor_environment
from tests.experiments.cli.test_main import sport_ray

PAGE = Path(__file__).parents[1] / "docs" / "tensor-environments.md"
SMALL = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8, "env_steps": 512}


def files() -> dict[str, str]:
    """The page's files by name."""
    found = re.findall(r"^```\w+\n(# (\S+)\n.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.M)
    return {name: text for text, name in found}


def imported(name: str, folder: Path) -> ModuleType:
    """A module of the page's."""
    path = folder / f"{name}.py"
    path.write_text(files()[path.name])
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_hover_task_keeps_to_the_protocol(tmp_path):
    assert set(files()) == {"hover.py", "check_hover.py", "hover.yaml", "cart_task.py"}
    hover = imported("hover", tmp_path).Hover
    for reward in ("climb", "calm"):
        require_tensor_environment(hover, horizon=60, reward=reward)
    (tmp_path / "check_hover.py").write_text(files()["check_hover.py"])
    done = subprocess.run([sys.executable, "check_hover.py"], cwd=tmp_path, check=False)
    assert done.returncode == 0


@pytest.mark.slow
def test_mjlabs_task_keeps_to_the_protocol(tmp_path):
    pytest.importorskip("mjlab", reason="mjlab is not installed: it wants a MuJoCo of its own")
    cart = imported("cart_task", tmp_path).MoveTheCart
    for reward in ("travel", "balance"):
        require_tensor_environment(cart, horizon=20, reward=reward)


def test_mjlabs_task_is_python():
    compile(files()["cart_task.py"], "cart_task.py", "exec")


@pytest.mark.slow
@pytest.mark.long
def test_the_hover_study_from_its_base_to_a_policy_that_acts(tmp_path, monkeypatch):
    (tmp_path / "hover.py").write_text(files()["hover.py"])
    study = yaml.safe_load(files()["hover.yaml"])
    study["base_training"] |= SMALL
    study["certificate"] |= {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 12}
    study["sweep"] |= {"alphas": [1.0, 1.05], "horizons": [8, 12]}
    study["training"] |= SMALL | {"warmup_env_steps": 256}
    study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-3}
    (tmp_path / "hover.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(tmp_path)
    done = sport_ray("run", "hover.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "hover"
    certificate = json.loads((results / "certificate.json").read_text())
    assert "hover" in certificate["code"]  # the task's own module is among the sources
    cells = pd.read_csv(results / "cells.csv")
    assert (cells["status"] == "finished").all()
    assert set(cells["horizon"]) == {8, 12}
    bounded = cells[cells["alpha"].notna()]
    assert (bounded["max_log_ratio"] <= bounded["log_alpha"]).all()
    trained = cells[~cells["projected"]]
    assert (trained["train_violations"] >= 0).all()
    trust = ("--trust-module", "hover")
    verified = sport_ray("verify", results, "--rerun", 60, *trust, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    cell = bounded[(bounded["prior_bound"] < 1) & (bounded["horizon"] == 12)].iloc[0]["cell_id"]
    told = ("--results", results, "--out", "bundle", *trust)
    done = sport_ray("export", cell, *told, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    made = make_environment("hover:my/Hover-v0", {}, 12)
    policy = load(tmp_path / "bundle")
    observation, info = made.reset(seed=4)
    policy.reset(4)
    heights, over = [observation[0]], False
    while not over:
        observation, _, terminated, truncated, info = made.step(policy.act(observation))
        heights.append(observation[0])
        over = terminated or truncated
    policy.end()
    assert info["signals"]["ground"] == -heights[-1]
    assert len(heights) == 13
