"""docs/safety-gymnasium.md: the numbers it prints, and PointGoal1 from base to audit, in small."""

from __future__ import annotations

import importlib.util
import os
import re

import pandas as pd
import pytest
import yaml

from sport_ray.experiments.config.shipped import study_file
from sport_ray.experiments.config.study import load_study
from tests.pages import blocks, own_project, run

PAGE = "safety-gymnasium.md"
STUDIES = ("safety_gymnasium_circle", "safety_gymnasium")
SMALL = {"env_steps": 512, "train_batch_size": 256, "minibatch_size": 64, "num_envs": 4,
         "num_epochs": 1}  # fmt: skip


def block(beginning: str) -> str:
    (text,) = (text for _, text in blocks(PAGE) if text.startswith(beginning))
    return text


def test_the_table_of_a_thousand_steps_is_what_its_code_prints(tmp_path):
    (tmp_path / "thousand.py").write_text(block("# thousand.py"))
    assert run("python thousand.py", tmp_path) == block("largest alpha")


def test_what_the_page_says_of_the_studies():
    circle, goal = (load_study(study_file(name)) for name in STUDIES)
    for study in (circle, goal):
        assert study.property == "G !cost"
        assert study.environment.kwargs == {"repeat": 10}
        assert list(study.sweep.eps_max) == [0.1]
    assert list(circle.sweep.horizons) == [50]
    assert list(goal.sweep.horizons) == [30]
    assert "SafetyPointCircle1-v0" in circle.environment.id
    assert "SafetyPointGoal1-v0" in goal.environment.id


@pytest.mark.slow
def test_point_goal_from_its_base_to_an_audited_deployment(tmp_path):
    missing = importlib.util.find_spec("safety_gymnasium") is None
    if missing and "CI" not in os.environ:
        pytest.skip("safety-gymnasium not installed (docs/safety-gymnasium.md)")
    study = yaml.safe_load(study_file("safety_gymnasium").read_text())
    study["base_training"] |= {**SMALL, "horizon": 5, "hidden": [16]}
    study["certificate"] |= {
        "num_scenarios": 100, "beta": 1e-3, "max_horizon": 5, "transitions": 50,
    }  # fmt: skip
    study["sweep"] |= {"eps_max": [0.5], "constraints": ["ratio", "pathwise"], "horizons": [5]}
    study["task_policies"] = {"projected_ppo": {}}
    study["training"] |= {**SMALL, "warmup_env_steps": 256}
    study["evaluation"] |= {"num_scenarios": 30, "beta": 1e-3}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(study))
    (tmp_path / "act.py").write_text(block("# act.py"))
    own_project(tmp_path)
    run("export PYTHONPATH=$PWD\nsport-ray run small.yaml", tmp_path, 800)
    cells = pd.read_csv(tmp_path / "results" / "safety_gymnasium" / "cells.csv")
    assert len(cells) == 3  # α = 1, and two constraints at the risk
    assert (cells["status"] == "finished").all()
    assert (cells["prior_bound"] <= 0.5).all()
    said = run(block("CELL=") + block("python act.py"), tmp_path)
    assert "promised: any cost with probability at most" in said
    assert re.findall(r"^episode (\d): cost", said, flags=re.MULTILINE) == ["0", "1", "2"]
    assert (tmp_path / "audit.jsonl").stat().st_size > 0  # and the audit of it ended with 0
