"""docs/onnx.md runs as it stands, on smaller sizes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sport_ray.policies import load_policy

PAGE = Path(__file__).parents[1] / "docs" / "onnx.md"
SMALL = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8, "env_steps": 512,
         "warmup_env_steps": 256}  # fmt: skip


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each block of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


def write_files(folder: Path) -> None:
    """The page's files, smaller."""
    for language, text in blocks():
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
    script = "".join(text for language, text in blocks() if language == "bash")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"], input=script.replace("PYTHONPATH=$PWD", "PYTHONPATH=$PWD:${PYTHONPATH:-}"),
        cwd=tmp_path, capture_output=True, text=True, timeout=600,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "layers [4, 64, 64, 2]; largest difference from" in said
    assert said.count("rad") == 3
    assert "bundle holds" in said
    results = tmp_path / "results" / "cart-pole"
    base = load_policy(results / "base").network.spec
    assert base.outcomes == (2,)
    assert base.body == "mlp"
    cells = pd.read_csv(results / "cells.csv")
    assert (cells["status"] == "finished").all()
