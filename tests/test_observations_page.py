"""docs/observations.md runs as it stands, on smaller sizes: a Dict and no base, to the audit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sport_ray.deploy import load
from sport_ray.policies import load_policy

PAGE = Path(__file__).parents[1] / "docs" / "observations.md"
SMALL = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8, "env_steps": 512,
         "warmup_env_steps": 256}  # fmt: skip


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each block of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


def write_files(folder: Path) -> None:
    """The page's files, smaller; the base is trained as it is there, since it must arrive."""
    for language, text in blocks():
        name = re.match(r"# (\S+\.(?:py|yaml))\n", text)
        if name is None:
            assert language == "bash"
            continue
        if language == "yaml":
            study = yaml.safe_load(text)
            study["certificate"] |= {"num_scenarios": 300, "beta": 1e-3}
            study["training"] |= SMALL
            study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-3}
            text = yaml.safe_dump(study)
        (folder / name[1]).write_text(text)


@pytest.mark.slow
def test_the_page_from_train_base_to_the_audit(tmp_path):
    write_files(tmp_path)
    script = "".join(text for language, text in blocks() if language == "bash")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"], input=script.replace("PYTHONPATH=$PWD", "PYTHONPATH=$PWD:${PYTHONPATH:-}"),
        cwd=tmp_path, capture_output=True, text=True, timeout=900,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 cells finished" in done.stdout
    assert "promised" in done.stdout
    spec = load_policy(tmp_path / "bases" / "drone").network.spec
    keys = [key for key, _ in spec.flattening.space.spaces]
    assert keys == ["position", "velocity", "weather"]
    assert spec.observation_size == 2 + 2 + 3
    assert load(tmp_path / "drone_bundle").promise["bound"] < 1.0
