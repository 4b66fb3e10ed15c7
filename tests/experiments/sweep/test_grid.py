"""The grid: every cell once, in jobs that share a training run."""

from __future__ import annotations

import json

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.grid import plan_jobs
from tests.experiments.known_certificate import certificate


def test_the_grid_has_every_cell_once(small_study):
    small_study["sweep"] |= {"alphas": [1.0, 1.5, 3.0], "horizons": [20, 25], "seeds": [0, 1]}
    study = Study.model_validate(small_study)
    jobs = plan_jobs(study, certificate())
    cells = [cell for job in jobs for cell in job.cells]
    assert len(cells) == len(set(cells)) == 2 * 2 * (3 + 3 + 1)
    ids = {cell.id for cell in cells}
    assert len(ids) == len(cells)
    assert [job.kind for job in jobs[:4]] == ["unconstrained"] * 4  # the longest first


def test_a_target_below_the_base_is_refused(small_study):
    small_study["sweep"] |= {"eps_max": [1e-5]}
    with pytest.raises(UserError, match=r"eps_max = 1e-05 cannot be reached at horizon 25"):
        plan_jobs(Study.model_validate(small_study), certificate())


def test_jobs_survive_the_way_through_tune(small_study):
    small_study["sweep"] |= {"eps_max": [0.1], "constraints": ["pathwise", "mean_shift", "ratio"]}
    for job in plan_jobs(Study.model_validate(small_study), certificate()):
        assert Job.model_validate(json.loads(json.dumps(job.model_dump(mode="json")))) == job


def test_the_two_sources_by_ppo_have_the_cells_of_the_two_methods(small_study):
    before = Study.model_validate(small_study)
    after = Study.model_validate(
        {**small_study, "task_policies": ["unconstrained", "projected_ppo"]}
    )
    ids = [
        [cell.id for job in plan_jobs(study, certificate())
         for cell in job.cells]
        for study in (before, after)
    ]  # fmt: skip
    assert ids[0] == ids[1]


def test_constraints_are_matched_with_what_the_base_draws_from(small_study):
    """A bound for Gaussians is refused around a categorical base, and a floor around a Gaussian."""

    def cells(family: str, *constraints: str) -> dict[str, str]:
        sweep = {**small_study["sweep"], "constraints": list(constraints)}
        study = Study.model_validate({**small_study, "sweep": sweep})
        jobs = plan_jobs(study, certificate(), family)
        return {cell.id: cell.constraint.name for job in jobs for cell in job.cells}

    for family in ("categorical", "categorical[3,2]"):
        assert "two_point" in cells(family, "two_point", "ratio").values()
        with pytest.raises(UserError, match="'gauss_renyi' has a bound for Gaussians alone"):
            cells(family, "gauss_renyi", "ratio")
        assert cells(family, "ratio") == cells("gaussian", "ratio")
    with pytest.raises(UserError, match="'two_point' keeps a floor"):
        cells("gaussian", "two_point", "ratio")


def test_a_source_has_cells_of_the_kinds_that_it_is_restricted_to(small_study):
    """And those cells are the same as without the restriction."""

    def cells(**sweep) -> dict[str, set[str]]:
        asked = {"alphas": [1.5], "constraints": ["ratio", "pathwise"], "eps_max": [0.1], **sweep}
        sources = ["unconstrained", "projected_ppo", "scpo"]
        study = {**small_study, "sweep": small_study["sweep"] | asked, "task_policies": sources}
        found: dict[str, set[str]] = {}
        for job in plan_jobs(Study.model_validate(study), certificate()):
            for cell in job.cells:
                found.setdefault(f"{cell.source} {cell.constraint.name}", set()).add(cell.id)
        return found

    every = cells()
    some = cells(constraints_of={"unconstrained": ["pathwise"], "scpo": []})
    left = {"unconstrained ratio", "scpo ratio", "scpo pathwise"}
    assert some == {name: ids for name, ids in every.items() if name not in left}


def test_a_kind_that_nobody_is_restricted_to_is_not_refused(small_study):
    small_study["task_policies"] = ["projected_ppo", "critic"]
    small_study["sweep"] |= {"constraints": ["ratio", "two_point"], "eps_max": [0.1]}
    small_study["sweep"]["constraints_of"] = {"projected_ppo": ["ratio"], "critic": ["ratio"]}
    plan_jobs(Study.model_validate(small_study), certificate())
    small_study["sweep"]["constraints_of"] = {"projected_ppo": ["two_point"], "critic": ["ratio"]}
    with pytest.raises(UserError, match="'two_point' keeps a floor"):
        plan_jobs(Study.model_validate(small_study), certificate())


def test_the_base_itself_is_one_cell_for_each_seed(small_study):
    small_study["task_policies"] = ["base"]
    small_study["sweep"] |= {"alphas": [2.0, 3.0], "seeds": [0, 1], "constraints": ["ratio"]}
    cells = [
        c for j in plan_jobs(Study.model_validate(small_study), certificate()) for c in j.cells
    ]
    assert [(cell.alpha, cell.seed) for cell in cells] == [(1.0, 0), (1.0, 1)]


def test_a_restriction_of_what_is_not_there_is_refused(small_study):
    small_study["sweep"] |= {"constraints_of": {"projectd_ppo": ["ratio"]}}
    with pytest.raises(ValueError, match=r"constraints_of names 'projectd_ppo'.*'projected_ppo'"):
        Study.model_validate(small_study)
    small_study["sweep"] |= {"constraints_of": {"projected_ppo": ["pathwise"]}}
    with pytest.raises(ValueError, match="projected_ppo holds 'pathwise', which is not among"):
        Study.model_validate(small_study)
