"""Copies of an environment: limited in training and in trials, and in nobody's identity."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.copies import concurrent_trials
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import train_base
from sport_ray.experiments.stages.certify import base_plan
from sport_ray.experiments.sweep.evaluation import evaluation_plan


@pytest.mark.parametrize(
    ("copies", "training", "resources", "message"),
    [
        (1, {"num_envs": 2}, {}, "training.num_envs = 2 is more than environment.copies = 1"),
        (3, {"num_envs": 2}, {"env_runners_per_cell": 2}, "times .* = 2 is more .* num_envs to 1"),
        (1, {}, {"env_runners_per_cell": 2}, "lower num_envs to 1, with fewer runners"),
        (4, {"num_envs": 2}, {"env_runners_per_cell": 2}, None),
        (1, {}, {}, None),
    ],
)
def test_training_beside_itself_is_refused(small_study, copies, training, resources, message):
    small_study["environment"] = {**small_study.get("environment", {}), "copies": copies}
    small_study["training"] = {**small_study["training"], "num_envs": 1, **training}
    small_study["resources"] = resources
    if message is None:
        Study.model_validate(small_study)
    else:
        with pytest.raises(ValueError, match=message):
            Study.model_validate(small_study)


def test_a_base_that_is_trained_with_the_defaults_is_told(small_study):
    small_study["environment"] = {**small_study.get("environment", {}), "copies": 1}
    small_study["training"] = {**small_study["training"], "num_envs": 1}
    small_study.pop("base_training", None)
    with pytest.raises(UserError, match=r"num_envs = 64 is more than environment\.copies = 1"):
        train_base(Study.model_validate(small_study))


def test_plans_and_trials_keep_to_it(small_study, tmp_path):
    small_study["training"] = {**small_study["training"], "num_envs": 1}
    free = Study.model_validate(small_study)
    small_study["environment"] = {**small_study.get("environment", {}), "copies": 1}
    once = Study.model_validate(small_study)
    assert concurrent_trials(free.environment) is None
    assert concurrent_trials(once.environment) == 1
    for study, copies in ((free, None), (once, 1)):
        plan = evaluation_plan(study, 3, 0)
        assert plan.copies == base_plan(StudyFolder(tmp_path, study), "certify").copies == copies
        assert plan.environment_horizon == study.certificate.max_horizon
        assert plan.horizon == 3
    assert evaluation_plan(free, 3, 0).model_dump() == evaluation_plan(once, 3, 0).model_dump()
