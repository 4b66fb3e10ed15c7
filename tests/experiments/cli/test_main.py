"""The command line as a user meets it: one line and status 2 for a mistake, results otherwise."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray import __version__
from sport_ray.experiments.cli.completion import studies_like
from sport_ray.experiments.cli.panels import BEFORE, CERTIFICATES, DEPLOYED, RESULTS, STUDY
from sport_ray.experiments.stages.base import BUNDLED
from tests.experiments.calling import called

COMMANDS = (
    "train-base", "certify", "tune", "sweep", "report", "run",
    "status", "plan", "verify", "sign", "new-key",
)  # fmt: skip


def sport_ray(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which may start Ray."""
    return subprocess.run(
        [sys.executable, "-m", "sport_ray.experiments.cli.main", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_teaches(command, tmp_path):
    done = called(*([command] if command else []), "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 8
    if not command:
        assert all(name in done.stdout for name in COMMANDS)


def test_help_is_short_to_ask_for_and_filled_to_the_width(tmp_path):
    done = called("run", "-h", cwd=tmp_path)
    assert done.returncode == 0
    assert "Run it again to resume: nothing that is finished is repeated." in " ".join(
        done.stdout.split()
    )


def test_commands_stand_in_groups_and_each_in_one(tmp_path):
    told = called("-h", cwd=tmp_path).stdout
    for panel in (STUDY, BEFORE, CERTIFICATES, RESULTS, DEPLOYED):
        assert f" {panel} " in told
    assert " Commands " not in told  # where a command without a group would stand


def test_the_version(tmp_path):
    done = called("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"sport-ray {__version__}\n")


def test_a_shell_completes_studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickest.yaml").touch()
    (tmp_path / "quick[").mkdir()
    assert studies_like("quick") == ["quickstart", "quickest.yaml", "quick[/"]
    assert studies_like("quick[") == ["quick[/"]
    assert studies_like("nowhere/q") == []
    command = Path(sys.executable).with_name("sport-ray")
    asked = {"_SPORT_RAY_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    asked |= {"COMP_WORDS": "sport-ray run quickst"}
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split() == ["quickstart"], done.stderr


WATCHED = """
import sys
from sport_ray.experiments.cli.main import main
try:
    main()
finally:
    open("loaded", "w").write(" ".join(sys.modules))
"""


def watched(*arguments: object, cwd: Path) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """A command in a process of its own, and the packages that it has imported when it ends."""
    command = [sys.executable, "-c", WATCHED, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    loaded = {name.partition(".")[0] for name in (cwd / "loaded").read_text().split()}
    assert {"sport_ray", "typer"} <= loaded
    return done, loaded


SLOW = {"matplotlib", "mlflow", "pandas", "pyarrow", "ray"}


def test_help_loads_nothing_that_it_does_not_need(tmp_path):
    done, loaded = watched("--help", cwd=tmp_path)
    assert "certify" in done.stdout
    light = {"gymnasium", "jinja2", "numpy", "pydantic", "yaml"}
    assert not loaded & (SLOW | light | {"numba", "scipy", "torch"})


def test_a_mistake_in_the_study(write_study, small_study, tmp_path):
    """It is told before Ray, which takes seconds, is loaded."""
    small_study["sweep"]["alhpas"] = [1]
    done, loaded = watched("run", write_study(small_study), cwd=tmp_path)
    line = one_line(done)
    assert "'sweep.alhpas'" in line
    assert "'alphas'" in line
    assert not (tmp_path / "results").exists()
    assert not loaded & SLOW


def test_a_damaged_base_and_one_of_another_shape(write_study, small_study, tmp_path):
    small_study["base"] = "mine"
    shutil.copytree(BUNDLED / "point_reach_avoid", tmp_path / "mine")
    study = write_study(small_study)
    weights = tmp_path / "mine" / "policy.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert "policy.safetensors" in one_line(called("certify", study, cwd=tmp_path))
    (tmp_path / "mine" / "policy.json").write_text("{")
    assert "policy.json" in one_line(called("certify", study, cwd=tmp_path))
    shutil.rmtree(tmp_path / "mine")
    assert "'mine'" in one_line(called("certify", study, cwd=tmp_path))
    small_study["base"] = "point_reach_avoid"
    example = "sport_ray.experiments.examples.pendulum:sport_ray_examples/SafePendulum-v0"
    small_study |= {"environment": {"id": example}, "property": "G !fast"}
    line = one_line(called("certify", write_study(small_study), cwd=tmp_path))
    assert "44 observations" in line
    small_study["property"] = "G !fsat"
    line = one_line(called("certify", write_study(small_study), cwd=tmp_path))
    assert "needs the signal 'fsat'" in line
    assert "provides fast, upright: did you mean 'fast'?" in line
    small_study["environment"] = {"id": "Pendulum-v1", "kwargs": {}}
    line = one_line(called("certify", write_study(small_study), cwd=tmp_path))
    assert 'gives no info["signals"]' in line
    small_study["environment"] = {"id": "NoSuch-v0", "kwargs": {}}
    assert "NoSuch" in one_line(called("certify", write_study(small_study), cwd=tmp_path))


def test_a_sweep_without_a_certificate_says_how_to_get_one(write_study, small_study, tmp_path):
    line = one_line(called("sweep", write_study(small_study), cwd=tmp_path))
    assert "sport-ray certify" in line


def test_a_tracking_server_that_does_not_answer(write_study, small_study, tmp_path):
    small_study["tracking"] = {"uri": "http://user:secret@127.0.0.1:9"}
    line = one_line(called("run", write_study(small_study), cwd=tmp_path))
    assert "127.0.0.1:9" in line
    assert "secret" not in line


@pytest.mark.slow
def test_run_that_is_interrupted_says_run(write_study, small_study, tmp_path):
    """In a stage that says nothing of it itself: the scenarios of the certificate."""
    small_study["certificate"] |= {"num_scenarios": 200_000, "transitions": 100}
    small_study["task_policies"] = {"critic": {}}  # needs no Ray
    study = write_study(small_study)
    command = [sys.executable, "-m", "sport_ray.experiments.cli.main", "run", study, "--no-ray"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("certify: scenarios 0/200000")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == (
        "sport-ray: interrupted; stages that have ended are kept. Resume with: "
        f"sport-ray run {study} --no-ray"
    )


@pytest.mark.slow
def test_train_base_that_is_interrupted_says_all_that_was_typed(write_study, small_study, tmp_path):
    small_study["base"] = "mine"
    small_study["base_training"] = {"env_steps": 10_000_000, "hidden": [16]}
    study = write_study(small_study)
    typed = ["train-base", str(study), "--out", "mine", "--seed", "3"]
    with subprocess.Popen(
        [sys.executable, "-m", "sport_ray.experiments.cli.main", *typed],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("train base: env steps 0/")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == (
        "sport-ray: interrupted; training that has not ended is not kept. Resume with: "
        f"sport-ray {' '.join(typed)}"
    )
    assert not (tmp_path / "mine").exists()


@pytest.mark.slow
def test_a_study_from_one_command_to_its_report(write_study, small_study, tmp_path):
    """run, then everything that must hold of what it leaves; then resume, extend and misuse it."""
    study = write_study(small_study)
    done = sport_ray("run", study, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "small"
    assert "5 of 5 cells finished" in done.stdout
    assert "report.html" in done.stdout
    assert f"cd {results} && " in done.stdout
    assert "/#/experiments/1/runs?workflowType=machine_learning" in done.stdout
    for name in (
        "report.html",
        "conservativeness.csv",
        "cells.csv",
        "pareto.csv",
        "certificate.json",
        "mlflow.db",
    ):
        assert (results / name).stat().st_size > 0, name
    copies = {path.name for path in results.glob("mlartifacts/**/*.html")}
    assert "report.html" in copies, "the report was made after the sweep, and sent all the same"

    cells = pd.read_csv(results / "cells.csv")
    assert set(cells["status"]) == {"finished"}
    bounded = cells[cells["alpha"].notna()]
    assert (bounded["max_log_ratio"] <= bounded["log_alpha"]).all()
    certificate = json.loads((results / "certificate.json").read_text())
    eps = certificate["table"]["eps_base_simultaneous"][24]
    assert np.allclose(bounded["prior_bound"], eps * bounded["alpha"] ** 25)
    base_like = cells[cells["alpha"] == 1.0]
    assert len(base_like) == 2  # both methods are the base there
    assert base_like["num_violations"].nunique() == 1
    assert (base_like["max_log_ratio"] == 0.0).all()

    stamps = {path: path.stat().st_mtime_ns for path in results.glob("cells/*/record.json")}
    again = called("sweep", study, cwd=tmp_path)
    assert again.returncode == 0
    assert "already" in again.stdout
    assert stamps == {p: p.stat().st_mtime_ns for p in results.glob("cells/*/record.json")}

    small_study["name"] = "another"
    other = write_study(small_study, "other.yaml")
    line = one_line(called("run", other, "--results", results, cwd=tmp_path))
    assert "'small'" in line
    assert "'another'" in line

    small_study["name"] = "small"
    small_study["environment"] = {"kwargs": {"layout": "random"}}
    line = one_line(called("sweep", write_study(small_study, "moved.yaml"), cwd=tmp_path))
    assert "certificate is for another environment" in line

    path = results / "certificate.json"
    path.write_text(path.read_text().replace('"beta": 0.001', '"beta": 0.002'))
    assert "altered" in one_line(called("sweep", study, cwd=tmp_path))

    small_study["environment"] = {"kwargs": {"layout": "fixed"}}
    small_study["sweep"]["alphas"] = [1.0, 2.0]
    extended = write_study(small_study, "extended.yaml")
    line = one_line(called("report", tmp_path / "nothing.yaml", cwd=tmp_path))
    assert "nothing.yaml does not exist" in line
    path.write_text(path.read_text().replace('"beta": 0.002', '"beta": 0.001'))
    assert sport_ray("sweep", extended, cwd=tmp_path).returncode == 0
    assert called("report", results, cwd=tmp_path).returncode == 0
    cells = pd.read_csv(results / "cells.csv")
    assert sorted(cells["alpha"].dropna()) == [1.0, 1.0, 2.0, 2.0]
    kept = [p for p in stamps if p.stat().st_mtime_ns == stamps[p]]
    assert len(kept) == len(stamps)  # cells of the first grid are kept on disk, those at α = 1 used


@pytest.mark.slow
def test_a_base_is_trained_and_saved(write_study, small_study, tmp_path):
    """train-base from scratch, the same policy twice (tests/experiments/test_study.py uses it)."""
    small_study["base"] = "mine"
    small_study["base_training"] = {
        "env_steps": 512,
        "train_batch_size": 256,
        "minibatch_size": 64,
        "num_envs": 8,
        "hidden": [16],
    }
    study = write_study(small_study)
    for out in ("mine", "again"):
        done = sport_ray("train-base", study, "--out", tmp_path / out, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    digests = [
        json.loads((tmp_path / out / "policy.json").read_text())["digest"]
        for out in ("mine", "again")
    ]
    assert digests[0] == digests[1]
    line = one_line(called("train-base", study, "--out", tmp_path / "mine", cwd=tmp_path))
    assert "already holds a policy" in line
