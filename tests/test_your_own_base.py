"""docs/your-own-base.md runs as it stands, on smaller sizes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sport_ray.samplers import SamplerFile, SamplerSpec, UserSampler, read_base

PAGE = Path(__file__).parents[1] / "docs" / "your-own-base.md"


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each block of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


def write_files(folder: Path) -> None:
    """The page's files; the study is smaller."""
    for language, text in blocks():
        name = re.match(r"# (\S+\.(?:py|yaml))\n", text)
        if name is None:
            continue
        if language == "yaml":
            study = yaml.safe_load(text)
            study["certificate"] |= {"num_scenarios": 400, "beta": 1e-2, "transitions": 200}
            study["sweep"] |= {"seeds": [0], "eps_max": [0.6]}
            study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-2}
            text = yaml.safe_dump(study)
        (folder / name[1]).write_text(text)


def commands() -> str:
    """The page's shell blocks, in order."""
    return "".join(text for language, text in blocks() if language == "bash")


def run(script: str, folder: Path) -> str:
    """Run a shell script as a user would in an empty folder; what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = script.replace("PYTHONPATH=$PWD", "PYTHONPATH=$PWD:${PYTHONPATH:-}")
    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=folder, capture_output=True, text=True, timeout=500,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_is_of_files_and_commands():
    languages = [language for language, _ in blocks()]
    assert set(languages) == {"bash", "yaml", "python"}
    lines = [line for language, text in blocks() for line in text.splitlines()
             if language == "python" and "def drive" in text]  # fmt: skip
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 20


@pytest.mark.long
@pytest.mark.slow
def test_the_page_from_the_file_to_the_audit(tmp_path):
    write_files(tmp_path)
    said = " ".join(run(commands(), tmp_path).split())
    assert re.search(r"(\d) of \1 cells finished", said)
    assert said.count("steps, goal") == 3
    assert "promised: a violation with probability at most 0." in said
    assert "bundle holds" in said
    results = tmp_path / "results" / "my-robot"
    base = read_base(results / "base")
    assert isinstance(base, SamplerFile)
    assert list(base.spec.code) == ["my_base"]
    cells = pd.read_csv(results / "cells.csv")
    chosen = cells[cells["prior_bound"].notna()]
    assert len(chosen) == 2
    assert (chosen["status"] == "finished").all()
    assert (chosen["prior_bound"] <= 0.6).all()
    assert (chosen["max_prefix_log_ratio"] <= np.log(0.6 / chosen["eps_base"]) + 1e-9).all()
    assert "Check failed" not in (results / "report.html").read_text()
    again = run(
        "export PYTHONPATH=$PWD\nsport-ray run my_study.yaml\n"
        "sport-ray verify results/my-robot --rerun 40 --trust-module my_base\n",
        tmp_path,
    )
    assert "all cells are finished already" in " ".join(again.split())
    assert "40 scenarios run again" in " ".join(again.split())
    log = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert log[-1]["kind"] == "close"
    refused = run(
        "export PYTHONPATH=$PWD\necho '# edited' >> my_base.py\n"
        "sport-ray run my_study.yaml 2>&1 && exit 1\npython act.py 2>&1 && exit 1\ntrue\n",
        tmp_path,
    )
    assert "before my_base changed" in " ".join(refused.split())


def test_the_pages_base_is_the_shipped_example(tmp_path, monkeypatch):
    """Twenty lines or seventy: the same actions."""
    write_files(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    both = [
        UserSampler(SamplerSpec(entry=entry, observation_size=44, action_size=2), run_module=True)
        for entry in ("my_base:drive", "sport_ray.experiments.examples.steering:steer")
    ]
    import gymnasium

    env = gymnasium.make("sport_ray/PointReachAvoid-v0", layout="random")
    for seed in range(30):
        observation, _ = env.reset(seed=seed)
        page, shipped = (one.sample(observation, 20, np.random.default_rng(seed)) for one in both)
        np.testing.assert_allclose(page, shipped, rtol=0, atol=1e-9)
