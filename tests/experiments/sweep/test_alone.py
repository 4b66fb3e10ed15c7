"""A sweep without Ray: the same cells with the same numbers, and what is finished is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.stages.context import Context
from sport_ray.experiments.stages.run import require_able_alone

RUN = """
import contextlib, sys
from sport_ray.experiments.cli.main import app
from sport_ray.experiments.cluster.session import ray_session
workers, *arguments = sys.argv[1:]
with ray_session(num_cpus=2) if workers == "ray" else contextlib.nullcontext():
    app(["run", *arguments], standalone_mode=False)
import ray
node = ray._private.worker._global_node
print("ray was there:", node is not None or workers == "ray")
"""
TIMES = {"train_seconds", "eval_seconds", "finished_at"}


def run(how: str, study: Path, results: Path, *options: str) -> str:
    """``sport-ray run`` in a process of its own; what it printed."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", RUN, how, str(study), "--results", str(results), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=850, env=env)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return done.stdout


def records(results: Path) -> dict[str, dict[str, Any]]:
    """By cell, without what a clock says."""
    found = {}
    for path in sorted(results.glob("cells/*/record.json")):
        record = json.loads(path.read_text())
        found[path.parent.name] = {k: v for k, v in record.items() if k not in TIMES}
    return found


@pytest.mark.slow
@pytest.mark.long
def test_without_ray_the_numbers_are_those_of_workers(small_study, write_study, tmp_path):
    """One policy under three constraints: forced, as it comes, and on Tune's workers."""
    small_study["sweep"] = {"alphas": [1.1, 1.5], "horizons": [25], "seeds": [0]}
    small_study["task_policies"] = {"imported": {"path": str(BUNDLED / "point_reach_avoid")}}
    study = write_study(small_study)
    for name, options in (("alone", ["--no-ray"]), ("itself", [])):
        assert "ray was there: False" in run("none", study, tmp_path / name, *options)
    run("ray", study, tmp_path / "workers")
    found = [records(tmp_path / name) for name in ("alone", "itself", "workers")]
    assert len(found[0]) == 3
    assert {record["status"] for record in found[0].values()} == {"finished"}
    assert found[0] == found[1] == found[2]
    names = ("alone", "itself", "workers")
    assert len({(tmp_path / name / "certificate.json").read_text() for name in names}) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, r"task policies of \w+ are trained by RLlib"),
        ({"resources": {"env_runners_per_cell": 2}}, "env_runners_per_cell = 2 needs Ray"),
        ({"tuning": {"parameters": {"lr": [1e-3]}, "alpha": 1.5, "trials": 1}}, "section tuning"),
    ],
)
def test_what_needs_ray_says_so_at_once(small_study, change, message):
    study = Study.model_validate(yaml.safe_load(yaml.safe_dump({**small_study, **change})))
    context = Context(study, None, None, None, alone=True)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message) as caught:
        require_able_alone(context)
    assert "--no-ray" in str(caught.value)
    require_able_alone(context._replace(alone=False))
