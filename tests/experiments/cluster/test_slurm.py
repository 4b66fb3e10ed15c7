"""The batch script that `sport-ray slurm` writes: what it asks for, and that bash takes it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.slurm import SlurmJob
from tests.experiments.calling import called

PATHS: dict[str, Any] = {"study": Path("/srv/my study.yaml"), "results": Path("/srv/it's")}


def options(script: str) -> list[str]:
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if "#SBATCH" in line]


def test_it_asks_for_what_it_is_told() -> None:
    job = SlurmJob(
        **PATHS, name="my study", nodes=3, cpus=8, gpus=2, time="1-12:00:00", partition="long",
        account="lab", more=("--mem=16G", "--constraint=ib&avx"),
    )  # fmt: skip
    found = options(job.script())
    assert found[:8] == [
        *("--job-name=sport-ray-my-study", "--nodes=3", "--ntasks-per-node=1"),
        *("--cpus-per-task=8", "--gpus-per-node=2", "--time=1-12:00:00", "--partition=long"),
        "--account=lab",
    ]
    assert "--requeue" in found
    assert found[-2:] == ["--mem=16G", "--constraint=ib&avx"]  # the user's own come last and win


def test_whole_nodes_where_nothing_is_said() -> None:
    found = options(SlurmJob(**PATHS, name="it").script())
    assert "--exclusive" in found
    assert not [one for one in found if one.startswith(("--gpus", "--time", "--partition"))]


def test_bash_takes_it_with_any_path(tmp_path: Path) -> None:
    script = SlurmJob(**PATHS, name="it").script()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=20)
    head = script.partition("# --- From here")[0].replace("set -euo pipefail", "")
    told = subprocess.run(
        ["bash"], input=f'{head}\necho "$study|$results"', capture_output=True, text=True,
        check=True, timeout=20,
    ).stdout  # fmt: skip
    assert told == "/srv/my study.yaml|/srv/it's\n"


def test_results_may_lie_in_an_object_store(tmp_path: Path) -> None:
    words = ("slurm", "quickstart", "--results", "s3://bucket/group/study", "--out", "it.sbatch")
    assert called(*words, cwd=tmp_path).returncode == 0
    assert "\nresults=s3://bucket/group/study\n" in (tmp_path / "it.sbatch").read_text()


def test_no_token_is_in_the_file() -> None:
    first, second = (SlurmJob(**PATHS, name="it").script() for _ in range(2))
    assert first == second  # made when the job runs
    assert "RAY_AUTH_MODE=token" in first


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"partition": "a b"}, "--partition 'a b'"),
        ({"account": "x\n#SBATCH --uid=0"}, "--account"),
        ({"time": "tomorrow"}, "--time 'tomorrow'"),
        ({"more": ("mem=16G",)}, "--sbatch 'mem=16G'"),
        ({"more": ("--mem=1G\nrm -rf ~",)}, "--sbatch"),
    ],
)
def test_what_slurm_would_misread_is_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        SlurmJob(**PATHS, name="it", **given)


@pytest.mark.parametrize("time", ["90", "12:00:00", "2-00", "2-12:30", "2-12:30:15", "30:00"])
def test_times_as_slurm_writes_them(time: str) -> None:
    assert f"--time={time}" in options(SlurmJob(**PATHS, name="it", time=time).script())


def test_the_command_writes_it_for_a_study_that_ships(tmp_path: Path) -> None:
    done = called("slurm", "quickstart", "--nodes", 2, "--sbatch=--mem=8G", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sbatch quickstart.sbatch" in done.stdout
    script = (tmp_path / "quickstart.sbatch").read_text()
    assert f"results={tmp_path / 'results' / 'quickstart'}\n" in script
    assert options(script)[-1] == "--mem=8G"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = called("slurm", "quickstart", "--out", "nowhere/it.sbatch", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere/it.sbatch cannot be written" in done.stderr
