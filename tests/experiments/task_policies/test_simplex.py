"""The Simplex switch as a source: what is counted, what decides it; it promises nothing."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.comparators.simplex import Switch
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.cohort import run_work
from sport_ray.experiments.sweep.packing import pack
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.room import Room
from sport_ray.experiments.task_policies import SOURCES, Trained
from sport_ray.experiments.task_policies.simplex import SimplexSource
from sport_ray.policies import PolicyNetwork, load_policy, policy_digest, save_policy
from sport_ray.selection import load_task_policy
from sport_ray.tracking import load_results
from sport_ray.tracking.results.curves import Curves
from tests.experiments.known_certificate import certificate

FEW = {
    "hand_overs": 60,
    "hidden": [8],
    "updates": 20,
    "num_scenarios": 40,
    "thresholds": [0.2, 0.5, 1.0],
    "beta": 0.5,
}


def study_of(small_study, **own) -> Study:
    sweep = {**small_study["sweep"], "eps_max": [0.1, 0.5]}
    sections = {**small_study, "sweep": sweep, "task_policies": {"simplex": {**FEW, **own}}}
    return Study.model_validate(sections)


@pytest.fixture(scope="module")
def base() -> PolicyNetwork:
    return load_policy(BUNDLED / "point_reach_avoid").network


@pytest.fixture(scope="module")
def hasty(base) -> PolicyNetwork:
    """The base with other weights: a task policy some way off."""
    task = PolicyNetwork(base.spec)
    task.load_state_dict({name: 1.3 * value for name, value in base.state_dict().items()})
    return task


def completed(study: Study, base: PolicyNetwork, trained: Trained, aim: float = 0.1) -> Trained:
    source = SimplexSource()
    task = study.task(25, 3, eps_max=aim)
    return source.completed(task, source.settings_in(study, ()), base, certificate(), trained)


def test_it_is_found_by_its_name_and_promises_nothing():
    assert SOURCES["simplex"] is SimplexSource
    assert SimplexSource.promise.startswith("none")
    assert SimplexSource.targets_risk


def test_all_rollouts_are_counted(small_study, base, hasty):
    study = study_of(small_study)
    known = {"train_episodes": 30, "train_violations": 2, "train_return": 1.0}
    course = {"iteration": [1, 2], "env_steps": [256, 512], "episodes_begun": [20, 38]}
    curves = Curves.from_json({**course, "violations": [1, 2], "entropy": [1.5, 1.25]})
    made = completed(study, base, Trained(hasty, 512, 1.0, known, 38, curves))
    assert isinstance(made.policy, Switch)
    assert policy_digest(made.policy.task) == policy_digest(hasty)
    tried = made.metrics["simplex_tried"]
    assert made.metrics["train_episodes"] == 30 + 60 + 40 * tried
    assert made.begun == 38 + 60 + 40 * tried
    assert made.curves["episodes_begun"].tolist() == [20, 38, made.begun]
    assert made.curves["env_steps"].tolist() == [256, 512, made.env_steps]
    assert made.curves["violations"].tolist() == [1, 2, made.metrics["train_violations"]]
    assert made.metrics["train_violations"] >= made.metrics["simplex_violations"]
    assert np.isnan(made.curves["entropy"][-1])
    assert made.env_steps > 512 + 60
    assert made.seconds > 1.0
    settings = SimplexSource().settings_in(study, ())
    assert made.begun <= SimplexSource().most_episodes(settings)


def test_where_training_did_not_count_there_is_no_sum(small_study, base, hasty):
    made = completed(study_of(small_study), base, Trained(hasty, 512, 1.0, {}))
    assert made.metrics["train_episodes"] is made.metrics["train_violations"] is made.begun is None
    assert made.curves is None


def test_the_seed_decides_and_nothing_that_was_drawn_before(small_study, base, hasty):
    found = []
    for disturbed in (1, 2):
        torch.manual_seed(disturbed)
        made = completed(study_of(small_study), base, Trained(hasty, 512, 1.0, {}))
        found.append((made.policy.digest, made.env_steps))
    assert found[0] == found[1]


def test_a_higher_risk_has_no_tighter_threshold(small_study, base, hasty):
    study, trained = study_of(small_study, beta=0.5), Trained(hasty, 512, 1.0, {})
    chosen = [completed(study, base, trained, aim).policy.threshold for aim in (1e-6, 0.1, 0.999)]
    assert chosen[0] == 0.0  # with 40 rollouts nothing shows so small a risk
    assert chosen == sorted(chosen)
    assert chosen[-1] == 1.0


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"thresholds": [0.2, 0.1]}, r"thresholds = \[0.2, 0.1\] do not rise: sort them"),
        ({"thresholds": [1.5]}, "thresholds"),
        ({"resume": -0.1}, "resume"),
        ({"hand_overs": 3}, "hand_overs"),
    ],
)
def test_settings_that_mean_nothing_are_refused(small_study, own, told):
    with pytest.raises(ValueError, match=told):
        study_of(small_study, **own)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_cohort_s_records_say_what_was_aimed_at_and_promise_nothing(small_study, tmp_path):
    study = study_of(small_study)
    folder, shipped = StudyFolder(tmp_path, study), load_policy(BUNDLED / "point_reach_avoid")
    save_policy(folder.base, shipped.network, {})
    save_certificate(folder.certificate, certificate(base_digest=shipped.digest))
    (folder.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    plan = Plan.of(study, load_certificate(folder.certificate))
    [work] = pack(study, list(plan.jobs), shipped, Room(slots=1, memory=math.inf))
    assert work.cohort
    assert [*run_work(folder, work)][-1].ended == 2
    table = load_results(tmp_path)
    assert sorted(table["eps_max"]) == [0.1, 0.5]
    assert set(table["status"]) == {"finished"}
    assert table["prior_bound"].isna().all()
    assert not table["projected"].any()
    assert (table["train_episodes"] >= 60 + 40).all()
    assert table["simplex_threshold"].between(0.0, 1.0).all()
    for name in table["policy_digest"]:
        assert isinstance(load_task_policy(folder.policy(name)).policy, Switch)


def test_without_a_risk_there_is_nothing_to_aim_at(small_study):
    with pytest.raises(ValueError, match=r"'simplex', which aims at a risk: give sweep.eps_max"):
        Study.model_validate({**small_study, "task_policies": ["simplex"]})
