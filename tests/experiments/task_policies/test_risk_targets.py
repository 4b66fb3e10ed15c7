"""Sources that aim at a risk: one policy per level, told apart by it, and nothing promised."""

from __future__ import annotations

import json
import math

import pytest

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.comparators.kl_ppo import KLPenalty
from sport_ray.comparators.ppo_lagrangian import Penalty
from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.cohort import run_work
from sport_ray.experiments.sweep.packing import configuration_of, pack
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.room import Room
from sport_ray.experiments.task_policies import SOURCES, TaskPolicySource
from sport_ray.policies import load_policy, save_policy
from sport_ray.tracking import load_results
from tests.experiments.known_certificate import certificate

LEVELS = [0.05, 0.2]


def study_of(small_study, sources, **sweep) -> Study:
    given = {**small_study["sweep"], "eps_max": LEVELS, "seeds": [0, 1], **sweep}
    return Study.model_validate({**small_study, "sweep": given, "task_policies": sources})


def test_one_policy_as_it_is_for_each_level_and_seed(small_study):
    study = study_of(small_study, {"ppo_lagrangian": {}, "kl_ppo": {}})
    plan = Plan.of(study, certificate())
    jobs = [job for job in plan.jobs if job.kind == "ppo_lagrangian"]
    cells = [cell for job in jobs for cell in job.cells]
    assert len(jobs) == len(cells) == 4
    assert {(one.eps_max, one.seed) for one in cells} == {(e, s) for e in LEVELS for s in (0, 1)}
    assert {one.constraint for one in cells} == {Unconstrained()}
    assert len({one.id for one in cells}) == 4
    assert all(one.is_of(study, certificate()) for one in cells)
    assert [Cell.model_validate_json(one.model_dump_json()) for one in cells] == cells
    others = [cell for job in plan.jobs if job.kind == "kl_ppo" for cell in job.cells]
    assert {one.aim for one in others} == {None}
    assert any(one.projected for one in others)  # at deployment, as any policy may be


def test_the_risk_decides_what_is_trained_and_no_one_elses_identity(small_study, small_base):
    study = study_of(small_study, {"ppo_lagrangian": {"price_rate": 0.3}, "kl_ppo": {"weight": 2}})
    jobs = Plan.of(study, certificate()).jobs
    aimed = [one for one in jobs if one.kind == "ppo_lagrangian"]
    for job in aimed:
        config = configuration_of(study, job, small_base)
        assert config.objective == Penalty(job.cells[0].eps_max, 0.3, 1.0, 100.0)
        assert isinstance(config.constraint, Unconstrained)
    other = next(one for one in jobs if one.kind == "kl_ppo")
    assert configuration_of(study, other, small_base).objective == KLPenalty(2.0)
    assert "eps_max" not in other.cells[0].identity(study, certificate())
    assert aimed[0].cells[0].identity(study, certificate())["eps_max"] in LEVELS


def test_without_a_risk_there_is_nothing_to_aim_at(small_study):
    sections = {**small_study, "task_policies": ["ppo_lagrangian"]}
    with pytest.raises(UserError, match=r"'ppo_lagrangian', which aims at a risk: give sweep.eps"):
        parse_study(sections, "study")


def test_a_source_aims_at_a_risk_or_trains_under_a_constraint():
    about = {"name": "torn", "title": "Torn", "targets_risk": True, "under_constraint": True}
    with pytest.raises(ValueError, match=r"torn' aims at a risk"):
        type("Torn", (TaskPolicySource,), {**about, "settings": object, "promise": "none"})
    assert not [name for name in SOURCES if "torn" in name]


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_records_say_what_was_aimed_at_and_promise_nothing(small_study, tmp_path):
    study = study_of(small_study, {"ppo_lagrangian": {}}, seeds=[0])
    folder, shipped = StudyFolder(tmp_path, study), load_policy(BUNDLED / "point_reach_avoid")
    save_policy(folder.base, shipped.network, {})
    save_certificate(folder.certificate, certificate(base_digest=shipped.digest))
    (folder.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    plan = Plan.of(study, load_certificate(folder.certificate))
    [work] = pack(study, list(plan.jobs), shipped, Room(slots=1, memory=math.inf))
    assert [*run_work(folder, work)][-1].ended == 2
    table = load_results(tmp_path)
    assert sorted(table["eps_max"]) == LEVELS
    assert set(table["status"]) == {"finished"}
    assert table["prior_bound"].isna().all()
    assert not table["projected"].any()
    assert (table["train_episodes"] > 10).all()
    assert table["train_violations"].notna().all()
    assert (table["violation_price"] >= 0.0).all()
    assert table["violation_price"].nunique() == 2
