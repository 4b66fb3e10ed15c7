"""docs/onnx.md runs as it stands, on smaller sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sport_ray.policies import load_policy
from tests.pages import blocks, own_project, run

PAGE = "onnx.md"
SMALL = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8, "env_steps": 512,
         "warmup_env_steps": 256}  # fmt: skip


def write_files(folder: Path) -> None:
    """The page's files, smaller."""
    for language, text in blocks(PAGE):
        name = re.match(r"# (\S+\.(?:py|yaml))\n", text)
        if name is None:
            assert language in ("bash", "text")
            continue
        if language == "yaml":
            study = yaml.safe_load(text)
            study["certificate"] |= {"num_scenarios": 300, "beta": 1e-2, "max_horizon": 8}
            study["sweep"] |= {"eps_max": [0.3], "horizons": [8]}
            study["training"] |= SMALL
            study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-2}
            text = yaml.safe_dump(study)
        text = re.sub(r"total_timesteps=[\d_]+", "total_timesteps=4_000", text)
        (folder / name[1]).write_text(text)


@pytest.mark.slow
def test_the_page_from_the_file_to_the_audit(tmp_path):
    for package in ("onnx", "stable_baselines3"):
        pytest.importorskip(package)
    write_files(tmp_path)
    own_project(tmp_path)
    done = run("".join(text for language, text in blocks(PAGE) if language == "bash"), tmp_path)
    said = " ".join(done.split())
    assert "layers [4, 64, 64, 2]; largest difference from" in said
    assert said.count("rad") == 3
    assert "bundle holds" in said
    results = tmp_path / "results" / "cart-pole"
    base = load_policy(results / "base").network.spec
    assert base.outcomes == (2,)
    assert base.body == "mlp"
    cells = pd.read_csv(results / "cells.csv")
    assert (cells["status"] == "finished").all()
