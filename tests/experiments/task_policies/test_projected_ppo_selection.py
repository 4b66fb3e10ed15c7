"""Projected PPO over the index as a source: one selector per constraint, in a study."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.policies import load_policy, save_policy
from sport_ray.rollouts.behaviour import base_behaviour
from sport_ray.rollouts.transitions import collect_transitions, save_transitions
from sport_ray.selection import Selector, load_task_policy
from sport_ray.selection.scores.preference import Preference
from sport_ray.tracking import load_results
from tests.experiments.known_certificate import certificate

NAME = "projected_ppo_selection"


def study_of(small_study: dict[str, Any], training: dict[str, Any] | None = None, **own) -> Study:
    changed = {**small_study, "training": {**small_study["training"], **(training or {})}}
    return Study.model_validate({**changed, "task_policies": {NAME: own}})


def cells_of(study: Study):
    return [cell for job in plan_jobs(study, certificate()) for cell in job.cells]


def test_each_constraint_has_a_selector_of_its_own(small_study):
    small_study["sweep"] |= {"eps_max": [0.1], "constraints": ["ratio", "pathwise_all"]}
    jobs = plan_jobs(study_of(small_study), certificate())
    assert {job.kind for job in jobs} == {NAME}
    assert all(len(job.cells) == 1 for job in jobs)
    constraints = [job.cells[0].constraint for job in jobs]
    assert len(set(constraints)) == len(jobs) > 2
    assert not any(isinstance(one, Unconstrained) for one in constraints)


def test_a_bound_for_gaussians_alone_is_refused(small_study):
    small_study["sweep"] |= {"eps_max": [0.1], "constraints": ["gauss_renyi"]}
    with pytest.raises(UserError, match="'gauss_renyi' has a bound for Gaussians alone"):
        cells_of(study_of(small_study))


@pytest.mark.parametrize(
    ("changed", "training"),
    [
        ({"candidates": 16}, {}),
        ({"warm_start": 8.0}, {}),
        ({}, {"lr": 3e-3}),
        ({}, {"gradient": "through_projection"}),
        ({}, {"warmup_env_steps": 0}),
    ],
)
def test_cells_are_named_by_all_that_decides_the_policy(small_study, changed, training):
    before = {cell.id for cell in cells_of(study_of(small_study))}
    assert {cell.id for cell in cells_of(study_of(small_study))} == before
    assert not before & {cell.id for cell in cells_of(study_of(small_study, training, **changed))}


def test_training_s_parameters_are_axes_of_it(small_study):
    small_study["sweep"]["hyperparameters"] = {"lr": [1e-3, 1e-4], "gradient": ["paper"]}
    cells = cells_of(study_of(small_study))
    source = SOURCES[NAME]()
    found = {
        source.settings_in(study_of(small_study), cell.hyperparameters).training.ppo.lr
        for cell in cells
    }
    assert found == {1e-3, 1e-4}


def test_it_needs_a_constraint_to_train_under(small_study, tmp_path):
    source, study = SOURCES[NAME](), study_of(small_study)
    with pytest.raises(ValueError, match="the task has no constraint"):
        source.select(
            study.task(25, 0), source.settings_in(study, ()), None, certificate(), tmp_path
        )


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_warm_start_needs_transitions(small_study, tmp_path):
    study = study_of(small_study, warm_start=8.0)
    source, base = SOURCES[NAME](), load_policy(BUNDLED / "point_reach_avoid")
    settings = source.settings_in(study, ())
    task = study.task(25, 0, RatioConstraint(1.2))
    with pytest.raises(UserError, match=r"set certificate\.transitions to a number"):
        source.select(task, settings, base, certificate(), tmp_path / "none.parquet")


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("constraint", ["ratio", "pathwise_all"])
@pytest.mark.parametrize("warm_start", [0.0, 8.0])
def test_a_cell_is_trained_evaluated_and_keeps_to_its_constraint(
    small_study, tmp_path, constraint, warm_start
):
    small_study["sweep"] |= {"alphas": [], "eps_max": [0.5], "constraints": [constraint]}
    study = study_of(small_study, candidates=8, warm_start=warm_start)
    results = StudyFolder(tmp_path, study)
    base = load_policy(BUNDLED / "point_reach_avoid")
    save_policy(results.base, base.network, {})
    save_certificate(results.certificate, certificate(base_digest=base.digest))
    (results.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    found = load_certificate(results.certificate)
    if warm_start:
        plan = study.task(25, 0).plan("certify", 0)
        kept, _ = collect_transitions(plan, base_behaviour(base), 0, 100)
        save_transitions(results.transitions, kept, found.digest)
    [job] = plan_jobs(study, found)
    assert run_job(results, job) == {"finished": 1, "failed": 0}
    [record] = load_results(results.root).to_dict("records")
    assert (record["source"], record["constraint"]) == (NAME, constraint)
    assert record["constraint_held"]
    assert record["prior_bound"] == pytest.approx(0.5, rel=1e-3)
    assert record["train_env_steps"] >= 512
    assert record["train_episodes"] > 0
    found = load_task_policy(results.policy(record["policy_digest"])).policy
    assert isinstance(found, Selector)
    assert found.num_candidates == 8
    assert isinstance(found.score, Preference)
    assert any(value.any() for name, value in found.score.arrays().items() if "layers" in name)
