"""A study with a GPU runs its scenarios in a worker that has it, and records which.

Here is none: the worker is asked for no GPU and does the same on the CPU.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import sport_ray.experiments.stages.certify as stage
from sport_ray.certificates.recount import CheckFailed
from sport_ray.certificates.rerun import run_again
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.stages.gpu_worker import OnCpus, OnGpu, gpu_again, runner_of
from sport_ray.experiments.stages.world import other_versions, require_world
from sport_ray.rollouts import BaseBehaviour, OutcomeTotals, run_scenarios
from sport_ray.samplers import read_base

pytestmark = pytest.mark.slow

BASE = BUNDLED / "point_reach_avoid"


@pytest.fixture
def folder(small_study: dict, tmp_path: Path) -> StudyFolder:
    small_study["certificate"] |= {"num_scenarios": 130, "max_horizon": 25}
    study = Study.model_validate(small_study)
    found = StudyFolder(tmp_path / "results", study)
    found.root.mkdir()
    return found


@pytest.mark.usefixtures("local_ray")
def test_a_certificate_says_what_ran_it(folder: StudyFolder, monkeypatch) -> None:
    base = read_base(BASE)
    plain = stage.certify(folder, base)
    assert "device" not in plain.versions
    monkeypatch.setattr(stage, "runner_of", lambda *_: OnGpu(0.0))
    found = stage.certify(folder, base)
    assert found.versions["device"] == "cpu"
    assert found.outcomes.digest == plain.outcomes.digest  # on a CPU, to the bit
    assert "device" not in other_versions(found)
    assert "to the bit" in run_again(found, folder.outcomes, base, 60, None)
    told = require_world(folder.study, found, folder.outcomes, base, [20])
    assert "as certified" in told
    elsewhere = found.model_copy(update={"versions": {**found.versions, "device": "Some GPU"}})
    with pytest.raises(CheckFailed, match="ran on Some GPU, here is no CUDA device"):
        run_again(elsewhere, folder.outcomes, base, 60, None)
    with pytest.raises(
        UserError, match=r"ran on Some GPU, and the study has no GPU.*gpus_per_cell"
    ):
        require_world(folder.study, elsewhere, folder.outcomes, base, [20], on_ray=True)


@pytest.mark.usefixtures("local_ray")
def test_a_stream_that_is_left_early_leaves_a_worker(folder: StudyFolder) -> None:
    base = read_base(BASE)
    plan = stage.base_plan(folder, "certify")
    behaviour = stage.base_behaviour(base)
    assert isinstance(behaviour, BaseBehaviour)
    runner = OnGpu(0.0)
    stream = runner.stream(plan, behaviour, 10_000, chunk=20)
    totals, wanted = OutcomeTotals(plan.horizon), OutcomeTotals(plan.horizon)
    for outcomes, _ in stream:
        totals.add(outcomes)
        if totals.num_scenarios >= 60:
            break
    stream.close()
    wanted.add(run_scenarios(plan, behaviour, 0, 60))
    assert totals.digest == wanted.digest
    rows = list(runner.in_turn([(plan, [3, 5, 3])], behaviour))
    assert [row.index.tolist() for row in rows] == [[3], [5], [3]]
    runner.close()


def test_only_what_has_a_form_on_tensors_goes_there(folder: StudyFolder, small_study) -> None:
    plan = stage.base_plan(folder, "certify")
    behaviour = stage.base_behaviour(read_base(BASE))
    assert isinstance(runner_of(folder.study, plan, behaviour), OnCpus)
    study = Study.model_validate(small_study | {"resources": {"gpus_per_cell": 1.0}})
    other = plan.model_copy(update={"env_id": "Pendulum-v1"})
    assert isinstance(runner_of(study, other, behaviour), OnCpus)


@pytest.mark.usefixtures("local_ray")
def test_a_gpu_that_ray_has_not_is_told_at_once(folder: StudyFolder, small_study) -> None:
    plan = stage.base_plan(folder, "certify")
    behaviour = stage.base_behaviour(read_base(BASE))
    study = Study.model_validate(small_study | {"resources": {"gpus_per_cell": 1.0}})
    # Scenarios run on the CPUs then; the rows of a GPU cannot.
    assert isinstance(runner_of(study, plan, behaviour), OnCpus)
    with pytest.raises(UserError, match="asks for 1 GPU on one node, no node has one"):
        gpu_again(study, "Some GPU")
