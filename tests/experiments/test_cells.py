"""Cells: identity by content, the grid, and α derived from a target risk."""

from __future__ import annotations

import json

import pytest

from experiments.cells import Job, constraints_for, out_of_reach, plan_jobs
from experiments.study import Study
from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.canonical import digest
from sport_ray.certificates import BoundTable, Certificate, Counts
from sport_ray.errors import UserError


def certificate(**changes) -> Certificate:
    horizons = list(range(1, 31))
    eps = [scenario_bound(10_000, 10, 1e-7)] * 30
    simultaneous = [scenario_bound(10_000, 10, 1e-7 / 30)] * 30
    fields = {
        "base_digest": "b" * 64,
        "env_id": "sport_ray/PointReachAvoid-v0",
        "env_kwargs": {"layout": "fixed"},
        "property": "(!hazard) U goal",
        "num_scenarios": 10_000,
        "beta": 1e-7,
        "root_seed": 0,
        "max_horizon": 30,
        "counts": Counts(planned=10_000, started=10_000, finished=10_000, aborted=0),
        "table": BoundTable(
            horizon=horizons,
            num_violations=[10] * 30,
            num_settled=[4] * 30,
            num_running=[9_000] * 13 + [10] * 17,
            eps_base=eps,
            eps_base_simultaneous=simultaneous,
        ),
        "mean_steps_to_goal": 14.0,
        "std_steps_to_goal": 1.0,
        "sampling": {"rule": "fixed", "num_scenarios": 10_000},
        "outcomes": {"file": "x.parquet", "sha256": "0" * 64, "digest": "0" * 64},
        "versions": {},
        "code": {},
    }
    return Certificate(**(fields | changes))


def test_the_grid_has_every_cell_once(small_study):
    small_study["sweep"] |= {"alphas": [1.0, 1.5, 3.0], "horizons": [20, 25], "seeds": [0, 1]}
    study = Study.model_validate(small_study)
    jobs = plan_jobs(study, certificate())
    cells = [cell for job in jobs for cell in job.cells]
    assert len(cells) == len(set(cells)) == 2 * 2 * (3 + 3 + 1)
    ids = {cell.cell_id(study, certificate()) for cell in cells}
    assert len(ids) == len(cells)
    assert [job.kind for job in jobs[:4]] == ["unconstrained"] * 4  # the longest first


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
    assert cell.cell_id(before, certificate()) != cell.cell_id(after, certificate())


def test_another_base_or_certificate_changes_the_identity(small_study):
    study = Study.model_validate(small_study)
    cell = plan_jobs(study, certificate())[0].cells[0]
    ids = {
        cell.cell_id(study, certificate(**change))
        for change in ({}, {"base_digest": "c" * 64}, {"root_seed": 1})
    }
    assert len(ids) == 3


def test_placement_name_and_tracking_do_not_change_the_identity(small_study):
    before = Study.model_validate(small_study)
    moved = {"name": "other", "resources": {"cpus_per_cell": 2}, "tracking": {"uri": "http://x"}}
    after = Study.model_validate(small_study | moved)
    cell = plan_jobs(before, certificate())[0].cells[0]
    assert cell.cell_id(before, certificate()) == cell.cell_id(after, certificate())


def test_alpha_from_a_target_risk_keeps_the_target(small_study):
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.1, 0.02], "horizons": [20]}
    study = Study.model_validate(small_study)
    axis = constraints_for(study, certificate(), 20, trained=True)
    assert [eps for _, eps in axis] == [0.02, 0.1]
    for constraint, eps_max in axis:
        bound = ratio_bound(certificate().eps_base(20), constraint.alpha, 20)
        assert eps_max * (1 - 1e-9) < bound <= eps_max


def test_a_target_below_the_base_is_refused(small_study):
    small_study["sweep"] |= {"eps_max": [1e-5]}
    with pytest.raises(UserError, match=r"eps_max = 1e-05 cannot be reached at horizon 25"):
        plan_jobs(Study.model_validate(small_study), certificate())


def test_a_target_below_the_base_at_one_horizon_leaves_that_one_out(small_study):
    known = certificate()
    risky = [0.5] * 10 + known.table.eps_base_simultaneous[10:]
    table = known.table.model_copy(update={"eps_base_simultaneous": risky})
    known = known.model_copy(update={"table": table})
    short, long = known.eps_base(5), known.eps_base(25)
    assert long < short == 0.5
    level = (long + short) / 2
    small_study["sweep"] |= {"alphas": [1.0], "eps_max": [level], "horizons": [5, 25]}
    study = Study.model_validate(small_study)
    [beyond] = out_of_reach(study, known)
    assert (beyond.eps_max, beyond.horizon, beyond.certified) == (level, 5, short)
    assert [eps for _, eps in constraints_for(study, known, 5, trained=True)] == [None]
    assert [eps for _, eps in constraints_for(study, known, 25, trained=True)] == [None, level]


def test_every_kind_of_constraint_is_derived_from_a_target(small_study):
    small_study["sweep"] |= {
        "alphas": [1.0],
        "eps_max": [0.05, 0.1],
        "horizons": [20],
        "constraints": ["ratio", "gauss_renyi", "pathwise", "mean_shift"],
    }
    study = Study.model_validate(small_study)
    evidence = certificate().evidence(20)
    for trained in (True, False):
        axis = constraints_for(study, certificate(), 20, trained=trained)
        # α = 1 of two kinds, and four kinds at two levels
        assert len(axis) == len({constraint for constraint, _ in axis}) == 2 + 4 * 2
        for constraint, eps_max in axis:
            if eps_max is not None:
                assert eps_max * 0.999 < constraint.prior_bound(evidence) <= eps_max
        [rule] = {c.rule for c, _ in axis if c.name == "pathwise"}
        assert rule == ("all" if trained else "spread")


def test_jobs_survive_the_way_through_tune(small_study):
    small_study["sweep"] |= {"eps_max": [0.1], "constraints": ["pathwise", "mean_shift", "ratio"]}
    for job in plan_jobs(Study.model_validate(small_study), certificate()):
        assert Job.model_validate(json.loads(json.dumps(job.model_dump(mode="json")))) == job


KNOWN_IDS = "bdc6da0e5b5eddb0f918b3b328b21a8d6db1daffd50739bcdf9a9b98c6323fdd"
"""Digest of the ids below as they were before there were sources of task policies."""


def test_ids_of_studies_from_before_there_were_sources_stay(small_study):
    small_study["sweep"] |= {
        "alphas": [1.0, 1.5],
        "eps_max": [0.1],
        "constraints": ["ratio", "pathwise", "mean_shift"],
        "hyperparameters": {"lr": [1e-3, 1e-4]},
        "seeds": [0, 1],
    }
    study = Study.model_validate(small_study)
    cells = [cell for job in plan_jobs(study, certificate()) for cell in job.cells]
    assert digest(sorted(cell.cell_id(study, certificate()) for cell in cells)) == KNOWN_IDS


def test_the_two_sources_by_ppo_have_the_cells_of_the_two_methods(small_study):
    before = Study.model_validate(small_study)
    after = Study.model_validate(
        {**small_study, "task_policies": ["unconstrained", "projected_ppo"]}
    )
    ids = [
        [cell.cell_id(study, certificate()) for job in plan_jobs(study, certificate())
         for cell in job.cells]
        for study in (before, after)
    ]  # fmt: skip
    assert ids[0] == ids[1]


def test_the_violation_time_bound_needs_an_alpha(small_study):
    small_study["sweep"] |= {"alphas": [1.01], "horizons": [20], "constraints": ["violation_time"]}
    study = Study.model_validate(small_study)
    [(constraint, _)] = constraints_for(study, certificate(), 20, trained=True)
    bound = constraint.prior_bound(certificate().evidence(20))
    assert 0.001 < bound < 1.3 * ratio_bound(certificate().eps_base(20), 1.01, 20)
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.1]}
    with pytest.raises(UserError, match="give alphas"):
        constraints_for(Study.model_validate(small_study), certificate(), 20, trained=True)


def test_steps_left_are_those_of_the_certificate():
    evidence = certificate().evidence(20)
    assert len(evidence.steps_left) == len(evidence.settled) == 20
    assert evidence.steps_left[0] == pytest.approx(1 + (9_000 * 13 + 10 * 6) / 10_000)
    assert evidence.steps_left[13] == pytest.approx(1 + 6 * 10 / 9_000)
    assert evidence.steps_left[19] == 1.0
