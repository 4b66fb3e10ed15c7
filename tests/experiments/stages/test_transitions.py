"""The kept steps of the certificate's scenarios: as many as the study asks for, and no others."""

from __future__ import annotations

import pytest

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.stages.transitions import keep_transitions, missing_transitions
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.policies import load_policy
from sport_ray.rollouts.transitions import load_transitions
from tests.experiments.known_certificate import certificate


def study_of(mapping, transitions, source="critic", **settings):
    kept = mapping["certificate"] | {"transitions": transitions}
    return Study.model_validate(
        {**mapping, "certificate": kept, "task_policies": {source: settings}}
    )


def test_another_number_is_kept_anew(small_study, tmp_path):
    base = load_policy(BUNDLED / "point_reach_avoid")
    found = certificate(base_digest=base.digest)
    for wanted in (3, 5, 2):
        folder = StudyFolder(tmp_path, study_of(small_study, wanted))
        folder.claim(None)
        assert missing_transitions(folder, found) == wanted
        keep_transitions(folder, base, found)
        assert missing_transitions(folder, found) == 0
        assert load_transitions(folder.transitions, found.digest).num_scenarios == wanted
        folder.release()
    assert missing_transitions(StudyFolder(tmp_path, study_of(small_study, 0)), found) == 0


@pytest.mark.parametrize(
    ("source", "settings", "learns"),
    [
        ("critic", {}, True),
        ("projected_ppo_selection", {"warm_start": 8.0}, True),
        ("projected_ppo_selection", {}, False),
    ],
)
def test_who_learns_from_more_of_them_has_other_cells(small_study, source, settings, learns):
    ids = [
        {cell.id for job in plan_jobs(study, certificate()) for cell in job.cells}
        for study in (study_of(small_study, count, source, **settings) for count in (3, 5))
    ]
    assert ids[0].isdisjoint(ids[1]) == learns
