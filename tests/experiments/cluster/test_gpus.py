"""GPUs: what a study may ask for, what Ray and RLlib are then asked for, and a clear no."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sport_ray.certificates import load_certificate
from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.experiments.cluster.resources import bundles, require_room
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.task_policies._training import task_config
from sport_ray.experiments.task_policies.ppo import ProjectedPPOSource
from sport_ray.policies import load_policy


def with_gpus(small_study: dict, gpus: float, **more: int) -> Study:
    return Study.model_validate(small_study | {"resources": {"gpus_per_cell": gpus, **more}})


@pytest.mark.parametrize("gpus", [0.0, 0.25, 1.0])
def test_the_bundle_and_the_learner_have_them(small_study, gpus):
    study = with_gpus(small_study, gpus, env_runners_per_cell=2, cpus_per_cell=3)
    own, *runners = bundles(study)
    assert own == {"CPU": 3.0} | ({"GPU": gpus} if gpus else {})
    assert runners == [{"CPU": 1.0}] * 2
    base = load_policy(BUNDLED / "point_reach_avoid").network
    constraint = RatioConstraint(alpha=1.5)
    settings = ProjectedPPOSource().settings_in(study, ())
    config = task_config(study.task(25, 0, constraint), settings, base)
    config.validate()
    assert config.num_gpus_per_learner == gpus
    # The learner is in the cell's own process, and runners sample on the CPU.
    assert (config.num_learners, config.num_gpus_per_env_runner) == (0, 0)


@pytest.mark.parametrize("gpus", [-0.5, 1.5, 2.0, float("inf")])
def test_what_one_learner_cannot_use_is_refused(small_study, gpus):
    with pytest.raises(ValueError, match="gpus_per_cell"):
        with_gpus(small_study, gpus)


def test_cells_trained_on_a_gpu_are_their_own(small_study):
    certificate = load_certificate(BUNDLED / "point_reach_avoid" / "certificate.json")

    def ids(gpus: float) -> set[str]:
        study = with_gpus(small_study, gpus)
        jobs = plan_jobs(study, certificate)
        return {cell.id for job in jobs for cell in job.cells}

    plain = Study.model_validate(small_study)
    jobs = plan_jobs(plain, certificate)
    assert ids(0.0) == {cell.id for job in jobs for cell in job.cells}
    assert not ids(0.0) & ids(0.5)
    assert ids(0.5) == ids(1.0)  # a share says where it runs, not what comes of it


def test_room_for_a_gpu():
    cell = [{"CPU": 2.0, "GPU": 0.5}, {"CPU": 1.0}]
    require_room(cell, {"a": {"CPU": 1.0}, "b": {"CPU": 2.0, "GPU": 1.0}})
    require_room([{"CPU": 1.0}], {"a": {"CPU": 1.0}})
    with pytest.raises(UserError, match=r"asks for 0.5 GPU on one node, no node has one: lower"):
        require_room(cell, {"a": {"CPU": 4.0, "GPU": 0.0}})
    with pytest.raises(UserError, match="no node has one"):
        require_room(cell, {"a": {"CPU": 4.0}})
    with pytest.raises(UserError, match=r"asks for 1 GPU on one node, the node with most has 0.5"):
        require_room([{"CPU": 1.0, "GPU": 1.0}], {"a": {"CPU": 4.0, "GPU": 0.5}})
    with pytest.raises(UserError, match=r"0.5 GPU and 2 CPUs on one node, .* at most 1 CPUs"):
        require_room(cell, {"a": {"CPU": 1.0, "GPU": 4.0}, "b": {"CPU": 8.0}})


@pytest.mark.long
@pytest.mark.slow
def test_a_machine_without_says_so_at_once(write_study, small_study, tmp_path):
    """One line instead of a trial that waits for ever."""
    small_study["resources"] = {"gpus_per_cell": 1}
    study = write_study(small_study)
    hidden = {"CUDA_VISIBLE_DEVICES": "", "COLUMNS": "120"}

    def sport_ray(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sport_ray.experiments.cli.main", command, str(study)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | hidden,
        )

    assert sport_ray("certify").returncode == 0
    done = sport_ray("sweep")
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert "a cell asks for 1 GPU on one node, no node has one" in line
    assert not list(tmp_path.glob("results/small/cells/*"))
