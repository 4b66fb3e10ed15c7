"""A stock gymnasium environment and a property without a time to goal, through every stage."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.stages.base import environment_sizes, train_base
from sport_ray.experiments.task_policies._training import training_cut, training_kwargs
from tests.experiments.cli.test_main import one_line, sport_ray

STUDY = Path(__file__).parents[2] / "experiments" / "studies" / "pendulum.yaml"


@pytest.fixture
def tiny() -> dict:
    """The shipped study, too small to learn anything."""
    study = yaml.safe_load(STUDY.read_text())
    small = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8}
    study["name"] = "tiny"
    study["base_training"] |= {**small, "env_steps": 512, "hidden": [8]}
    study["certificate"] |= {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 8}
    study["sweep"] |= {"alphas": [1.0, 1.1], "horizons": [8], "seeds": [0]}
    study["training"] |= {**small, "env_steps": 512, "warmup_env_steps": 256}
    study["unconstrained_training"] |= {**small, "env_steps": 512}
    study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-3}
    return study


def test_the_shipped_study_is_read_and_its_horizon_reaches_training():
    study = load_study(STUDY)
    assert environment_sizes(study) == (3, 1)
    longest = study.certificate.max_horizon
    for horizon in (12, longest, longest + 5):
        task = study.task(horizon, 0)
        made = training_kwargs(task, reward="task", ends=True)
        assert made == {"max_episode_steps": max(longest, horizon)}
        assert training_cut(task) == (horizon if horizon < longest else None)


def test_other_environments_have_no_default_arguments_and_arguments_of_their_own(tiny):
    del tiny["environment"]["kwargs"]
    assert Study.model_validate(tiny).environment.kwargs == {}
    tiny["environment"]["kwargs"] = {"margin": 1.0}  # the stages', of the point robot only
    assert Study.model_validate(tiny).environment.kwargs == {"margin": 1.0}
    for key in ("horizon", "max_episode_steps"):
        for section in ("environment", "base_training"):
            changed = tiny | {section: tiny[section] | {"kwargs": {key: 9}}}
            told = rf"{section}(\.ppo)?\.kwargs\n.*{key} is set by the stages"
            with pytest.raises(ValueError, match=told):
                Study.model_validate(changed)


def test_a_range_of_actions_that_tanh_does_not_give_is_refused(tiny):
    tiny["environment"] = {"id": "Pendulum-v1"}
    with pytest.raises(UserError, match="'Pendulum-v1' takes actions from -2 to 2"):
        train_base(Study.model_validate(tiny))


@pytest.mark.long
@pytest.mark.slow
def test_a_pendulum_goes_through_every_stage(tiny, write_study, tmp_path):
    study = write_study(tiny)
    done = sport_ray("run", study, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 cells finished" in done.stdout
    assert "prior bound against return" in " ".join(done.stdout.split())  # titles wrap
    results = tmp_path / "results" / "tiny"
    certificate = json.loads((results / "certificate.json").read_text())
    assert certificate["mean_steps_to_goal"] is None
    cells = pd.read_csv(results / "cells.csv")
    assert cells["mean_steps_to_goal"].isna().all()
    assert (cells["mean_return"] < 0).all()
    assert (cells["std_return"] > 0).all()
    # 8 steps from anywhere cost at most π² + 0.1·8² + 0.001·2² each.
    assert (cells["mean_return"] > -8 * (math.pi**2 + 6.404)).all()
    assert (cells["num_hazard"] == cells["num_violations"]).all()
    base_like = cells[cells["alpha"] == 1.0]
    assert base_like["mean_return"].nunique() == 1
    assert len(base_like) == 2
    bounded = cells[cells["alpha"].notna()]
    assert (bounded["max_log_ratio"] <= bounded["log_alpha"]).all()
    page = (results / "report.html").read_text()
    assert "How much more return" in page
    assert "Check failed" not in page
    assert (results / "figures" / "mean_return.png").exists()
    assert (results / "figures" / "policies.png").exists()
    assert not (results / "figures" / "trajectories.png").exists()
    verified = sport_ray("verify", results, "--rerun", 60, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "60 scenarios run again" in " ".join(verified.stdout.split())

    tiny["name"] = "wide"
    tiny["environment"] = {"id": "Pendulum-v1"}
    line = one_line(sport_ray("run", write_study(tiny, "wide.yaml"), cwd=tmp_path))
    assert "takes actions from -2 to 2" in line
    assert "RescaleAction" in line
