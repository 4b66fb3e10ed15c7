"""A base that is only sampled, through every stage, with modules and data in the working folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

MINE = '''
import numpy as np
from sport_ray.experiments.examples.steering import steer


class FromFile:
    """The offsets are in a file."""

    def __init__(self, path):
        self.offsets = np.loadtxt(path)

    def sample(self, observation, count, generator):
        return steer(observation, count, generator, offsets=self.offsets)


def changed_alone(observation, count, generator):
    return steer(observation, count, generator, pushes=(0.5, 1.0) if count == 1 else (1.0,))
'''
STUDY: dict[str, Any] = {
    "name": "any",
    "base": "my_policy:FromFile",
    "base_arguments": {"path": "offsets.txt"},
    "certificate": {"num_scenarios": 400, "beta": 1e-2, "max_horizon": 30, "transitions": 150},
    "sweep": {"eps_max": [0.6], "constraints": ["ratio"], "horizons": [25], "seeds": [0]},
    "task_policies": {"critic": {"candidates": 16}},
    "evaluation": {"num_scenarios": 60, "beta": 1e-2},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_policy.py").write_text(MINE)
    (tmp_path / "offsets.txt").write_text("-0.4 0.0 0.4\n")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def sport_ray(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in the folder, which is on Python's path."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "sport_ray.experiments.cli.main", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=400,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.slow
def test_modules_and_data_beside_the_study_are_found_by_every_process(folder):
    done = sport_ray(folder, "run", "study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(\d) of \1 cells finished", done.stdout)
    cells = pd.read_csv(folder / "results" / "any" / "cells.csv")
    assert (cells["status"] == "finished").all()
    assert cells["prior_bound"].max() <= 0.6

    verify = ("verify", "results/any", "--rerun", "20")
    refused = sport_ray(folder, *verify)
    assert refused.returncode == 1
    assert "it would run the module 'my_policy'" in " ".join(refused.stdout.split())
    holds = sport_ray(folder, *verify, "--trust-module", "my_policy")
    assert holds.returncode == 0, holds.stdout
    assert "20 scenarios run again" in " ".join(holds.stdout.split())

    (folder / "offsets.txt").write_text("-0.4 0.0 0.5\n")
    refused = sport_ray(folder, "run", "study.yaml")
    assert refused.returncode != 0
    told = " ".join((refused.stdout + refused.stderr).split())
    assert "before :offsets.txt changed: choose another folder with --results" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_candidates_of_another_law_stop_a_sweep(folder):
    study = {**STUDY, "base": "my_policy:changed_alone", "base_arguments": {}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    refused = sport_ray(folder, "run", "study.yaml")
    assert refused.returncode != 0
    told = " ".join((refused.stdout + refused.stderr).split())
    assert "'my_policy:changed_alone' draws 16 actions otherwise than one: entry 0" in told
    assert "Traceback" not in told
    assert not (folder / "results" / "any" / "cells.csv").exists()
