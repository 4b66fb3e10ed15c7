"""Cells: identity by content, never by placement."""

from __future__ import annotations

import pytest

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.grid import plan_jobs
from tests.experiments.known_certificate import certificate


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"env_steps": 1024, "train_batch_size": 256, "minibatch_size": 64}},
        {"evaluation": {"num_scenarios": 101, "beta": 1e-3}},
        {"resources": {"env_runners_per_cell": 1}},
        {"deployment": {"alpha_p": 1.001}},
    ],
)
def test_what_changes_the_numbers_changes_the_identity(small_study, change):
    before, after = Study.model_validate(small_study), Study.model_validate(small_study | change)
    cell = plan_jobs(before, certificate())[-1].cells[0]
    assert cell.is_of(before, certificate())
    assert not cell.is_of(after, certificate())


def test_another_base_or_certificate_changes_the_identity(small_study):
    study = Study.model_validate(small_study)
    ids = {
        plan_jobs(study, certificate(**change))[0].cells[0].id
        for change in ({}, {"base_digest": "c" * 64}, {"root_seed": 1})
    }
    assert len(ids) == 3


def test_placement_name_and_tracking_do_not_change_the_identity(small_study):
    before = Study.model_validate(small_study)
    moved = {"name": "other", "resources": {"cpus_per_cell": 2}, "tracking": {"uri": "http://x"}}
    after = Study.model_validate(small_study | moved)
    cell = plan_jobs(before, certificate())[0].cells[0]
    assert cell.is_of(before, certificate())
    assert cell.is_of(after, certificate())


KNOWN_IDS = "bdc6da0e5b5eddb0f918b3b328b21a8d6db1daffd50739bcdf9a9b98c6323fdd"
"""Digest of the ids below as they were before there were sources of task policies."""
