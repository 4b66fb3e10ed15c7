"""The oldest and the newest dependencies, each in a fresh environment (make versions).

SPORT_RAY_PYTHON: another Python than the one that runs this. pip's own configuration decides which
build of torch it takes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("SPORT_RAY_PYTHON", sys.executable)
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "mpmath")
CORE = (
    "tests/sport_ray/certificates",  # cryptography, pyarrow, scipy
    "tests/sport_ray/policies",  # torch, safetensors
    "tests/sport_ray/constraints/test_ratio.py",  # numba
    "tests/experiments/config",  # pydantic, pyyaml
    "tests/tracking/results",  # pandas
)
"""Fast tests that touch what the tiny study below does not."""
STUDY = """
name: versions
environment: {id: sport_ray/PointReachAvoid-v0, kwargs: {layout: fixed}}
certificate: {num_scenarios: 200, beta: 0.001, max_horizon: 25}
sweep: {alphas: [1.05], horizons: [25], seeds: [0]}
training: {env_steps: 256, warmup_env_steps: 64, train_batch_size: 128, minibatch_size: 64,
           num_envs: 4}
evaluation: {num_scenarios: 50, beta: 0.001}
"""

pytestmark = [pytest.mark.slow, pytest.mark.long]


def run(*command: object, cwd: Path, timeout: float = 800) -> str:
    """What a command printed; without this repository on Python's path."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{words}\n{(done.stdout + done.stderr)[-4000:]}"
    return done.stdout


def resolved(resolution: str, folder: Path) -> dict[str, str]:
    """Version by direct dependency, as a resolver finds them for this Python from wheels alone."""
    pytest.importorskip("uv", reason='the resolver: make versions, or pip install -e ".[release]"')
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (folder / "direct.in").write_text("\n".join(project["dependencies"]))
    told = run(
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--only-binary", ":all:"),
        *("--resolution", resolution, "--python", PYTHON, "--no-annotate", "--no-header"),
        "direct.in",
        cwd=folder,
    )
    found = dict(re.findall(r"^([\w.-]+)==(\S+)", told, flags=re.M))
    names = {re.split(r"[<>=\[ ]", one)[0].lower() for one in project["dependencies"]}
    return {name: version for name, version in found.items() if name in names}


@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
@pytest.mark.timeout(1800)
def test_a_study_and_the_core_run_with(
    resolution: str, wheel: Path, copy_to: Callable[[Path], Path], tmp_path: Path
) -> None:
    versions = resolved(resolution, tmp_path)
    (tmp_path / "constraints.txt").write_text(
        "".join(f"{name}=={version}\n" for name, version in versions.items())
    )
    run(PYTHON, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    sport_ray = python.with_name("sport-ray")
    install = [python, "-m", "pip", "install", "--quiet", "--no-compile", "-c", "constraints.txt"]
    run(*install, wheel, *TOOLS, cwd=tmp_path)

    assert run(sport_ray, "--version", cwd=tmp_path) == "sport-ray 0.1.dev0\n"
    assert "certify" in run(sport_ray, "--help", cwd=tmp_path)
    assert "--address" in run(sport_ray, "run", "--help", cwd=tmp_path)
    (tmp_path / "versions.yaml").write_text(STUDY)
    told = run(sport_ray, "run", "versions.yaml", "--results", "results", cwd=tmp_path)
    assert "report.html" in told
    assert (tmp_path / "results" / "report.html").is_file()
    assert "holds" in run(sport_ray, "verify", "results/certificate.json", cwd=tmp_path)
    sources = copy_to(tmp_path / "tests_of")
    shutil.rmtree(sources / "sport_ray")  # the installed one is tested
    fast = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *CORE]
    assert " passed" in run(*fast, cwd=sources)
    print(f"{resolution} on {PYTHON}: {versions}")
