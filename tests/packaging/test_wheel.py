"""The wheel installed: one name in site-packages, and no clash with a user's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SHIPPED = (
    "sport_ray/experiments/studies/quickstart.yaml",
    "sport_ray/experiments/bases/point_reach_avoid/policy.safetensors",
    "sport_ray/experiments/bases/point_reach_avoid/certificate_outcomes.parquet",
    "sport_ray/experiments/benchmark/tasks/point_fixed.yaml",
    "sport_ray/experiments/benchmark/methods/fixed_alpha.yaml",
    "sport_ray/experiments/benchmark/bases/point_fixed/smooth_0/policy.safetensors",
    "sport_ray/tracking/report/templates/report.html.j2",
    "sport_ray/tracking/report/templates/report.css",
    "sport_ray/tracking/analysis/published/arxiv_2504_06386.csv",
    "sport_ray/py.typed",
)
USER = """
import experiments.mine, tracking.mine, tests.mine, utils, sport_ray, sport_ray.testing
from sport_ray.experiments.config.study import load_study
from sport_ray.tracking import load_results
print(experiments.mine.NAME, tracking.mine.NAME, tests.mine.NAME, utils.NAME)
print(sport_ray.__file__, sport_ray.Study.__module__)
"""
UTILS = """
import gymnasium
from tests.mine import NAME as WHOSE  # theirs, in every worker too

NAME = "my utils"
assert WHOSE == "my tests"
gymnasium.register(
    "mine/Robot-v0", entry_point="sport_ray.envs.point_reach_avoid:PointReachAvoidEnv"
)
"""
STUDY = """
from sport_ray import Study

sections = {
    "name": "beside",
    "environment": {"id": "utils:mine/Robot-v0", "kwargs": {"layout": "fixed"}},
    "certificate": {"num_scenarios": 200, "beta": 1e-3, "max_horizon": 25},
    "sweep": {"alphas": [1.05], "horizons": [25], "seeds": [0], "methods": ["projected_ppo"]},
    "training": {"env_steps": 256, "warmup_env_steps": 64, "train_batch_size": 128,
                 "minibatch_size": 64, "num_envs": 4},
    "evaluation": {"num_scenarios": 50, "beta": 1e-3},
}
study = Study.from_dict(sections)
study.run()
table = study.results()
assert list(table["status"]) == ["finished"], table["reason"]
print(list(table.columns))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """The wheel alone, unpacked; what it needs is this environment's."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target"]
    subprocess.run([*command, folder, wheel], check=True, capture_output=True, timeout=300)
    return folder


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param(True, id="packages"),
        pytest.param(False, id="namespaces", marks=pytest.mark.long),
    ],
)
def test_a_users_own_folders_of_these_names_are_theirs(
    installed: Path, tmp_path: Path, packages: bool
) -> None:
    (tmp_path / "utils.py").write_text(UTILS)
    for name in ("experiments", "tracking", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(f"NAME = 'my {name}'")
        if packages:
            (tmp_path / name / "__init__.py").touch()
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{installed}"}

    def run(*command: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, command)], cwd=tmp_path, env=env, capture_output=True,
            text=True, timeout=500,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = run("-c", USER)
    assert told.startswith("my experiments my tracking my tests my utils")
    assert str(installed) in told
    assert "sport_ray.experiments.study" in told
    assert "certify" in run("-m", "sport_ray.experiments.cli.main", "--help")
    assert "cell_id" in run("-c", STUDY)
    shipped = installed / "sport_ray/experiments/bases/point_reach_avoid/certificate.json"
    assert "holds" in run("-m", "sport_ray.experiments.cli.main", "verify", shipped)


def test_it_is_installed_from_a_repository_too(
    copy_to: Callable[[Path], Path], tmp_path: Path
) -> None:
    """As docs/install.md has it; links in the repository are files in what is installed."""
    repository = copy_to(tmp_path / "sport-ray")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", repository]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v1.2.3"]):
        subprocess.run([*git, *command], check=True, capture_output=True, timeout=120)
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--target", target]
    named = f"sport-ray[mujoco] @ git+file://localhost{repository}"  # pip wants a host here
    subprocess.run([*command, named], check=True, capture_output=True, timeout=500)
    assert all((target / name).is_file() for name in SHIPPED)
    assert not (target / "sport_ray" / "experiments").is_symlink()
    assert {one.name.partition("-")[0] for one in target.iterdir()} == {"sport_ray", "bin"}
    told = [sys.executable, "-c", "import sport_ray; print(sport_ray.__version__)"]
    env = os.environ | {"PYTHONPATH": str(target)}
    done = subprocess.run(told, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1.2.3\n"
