"""Packing: every job once, alike ones together, as many cohorts as keep all cores busy."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.packing import (
    Group,
    configuration_of,
    cut,
    env_steps_of,
    pack,
    told,
)
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.room import Room, cell_bytes
from sport_ray.experiments.sweep.work import Work
from sport_ray.policies import load_policy
from sport_ray.projected_ppo.cohort import cohort_key
from tests.experiments.known_certificate import certificate

WIDE = Room(slots=2, memory=math.inf)


@pytest.fixture
def base():
    return load_policy(BUNDLED / "point_reach_avoid")


def packed(study: Study, base, room: Room = WIDE) -> list[Work]:
    return pack(study, Plan.of(study, certificate()).jobs, base, room)


def large(small_study, **changes) -> Study:
    small_study["sweep"] |= {
        "alphas": [1.0, 1.5, 2.0, 3.0],
        "horizons": [20, 25],
        "seeds": list(range(6)),
        "eps_max": [0.1],
        "constraints": ["ratio", "pathwise"],
    }
    return Study.model_validate(small_study | changes)


def test_every_job_once_and_in_a_cohort_only_what_shares_one(small_study, base):
    study = large(small_study, task_policies={"projected_ppo": {}, "unconstrained": {}, "scpo": {}})
    plan = Plan.of(study, certificate())
    works = packed(study, base)
    jobs = [job for work in works for job in work.jobs]
    assert sorted(job.cells[0].id for job in jobs) == sorted(job.cells[0].id for job in plan.jobs)
    assert not any(work.cohort for work in works[:12])  # nobody knows how long those take
    for work in works:
        cells = [cell for job in work.jobs for cell in job.cells]
        assert work.cohort == all(cell.engine == "cohort" for cell in cells)
        assert work.cohort or [job.kind for job in work.jobs] == ["scpo"]
        if work.cohort:
            configs = [configuration_of(study, job, base.network) for job in work.jobs]
            assert len({cohort_key(config) for config in configs}) == 1
            assert len({job.kind for job in work.jobs}) == 1
    assert len({job.cells[0].horizon for work in works if work.cohort for job in work.jobs}) == 2


def test_equal_constraints_lie_side_by_side(small_study, base):
    for work in packed(large(small_study), base, Room(1, math.inf)):
        kinds = [(job.cells[0].constraint) for job in work.jobs]
        changes = sum(one != other for one, other in itertools.pairwise(kinds))
        assert changes == len(set(kinds)) - 1


def test_a_study_of_single_runs_has_one_each(small_study, base):
    works = packed(large(small_study, engine="single"), base)
    assert all(not work.cohort and len(work.jobs) == 1 for work in works)
    assert told(works) == "12 of unconstrained alone (engine: single); 72 of projected_ppo alone " \
        "(engine: single)"  # fmt: skip


def test_130_cells_on_two_cores_are_three_cohorts_each(small_study, base):
    """The second experiment of the paper's."""
    small_study["sweep"] |= {
        "alphas": [1.0 + 0.1 * one for one in range(13)],
        "seeds": list(range(10)),
        "methods": ["projected_ppo"],
    }
    works = packed(Study.model_validate(small_study), base)
    assert [len(work.jobs) for work in works] == [22] * 4 + [21] * 2
    assert told(works) == "130 training runs in 6 cohorts of 21 to 22"


def test_as_many_cohorts_as_cores_where_there_are_many(small_study, base):
    small_study["sweep"] |= {"seeds": list(range(10)), "methods": ["projected_ppo"]}
    works = packed(Study.model_validate(small_study), base, Room(16, math.inf))
    assert {len(work.jobs) for work in works} == {1, 2}
    assert len(works) == 16


def test_a_cohort_holds_what_memory_copies_and_the_device_allow(small_study, base):
    study = Study.model_validate(small_study)
    job = Plan.of(study, certificate()).jobs[-1]
    config = configuration_of(study, job, base.network)
    one = cell_bytes(config)
    weights = sum(value.numel() for value in base.network.parameters())
    assert one > 4 * 4 * 2 * weights  # weights, gradients and two moments of two networks
    assert Room(1, 3.5 * one).cells(config) == 3
    assert Room(1, 0.0).cells(config) == 1
    assert Room(1, math.inf, copies=30).cells(config) == 3  # eight copies a cell
    assert Room(1, math.inf, gpu=True).cells(config) > 100 > Room(1, math.inf).cells(config)


def test_a_missing_job_changes_nobodys_configuration(small_study, base):
    """Cohorts are made of what is missing, so who shares one must not matter to what it is."""
    study = large(small_study)
    jobs = Plan.of(study, certificate()).jobs
    whole, half = pack(study, jobs, base, WIDE), pack(study, jobs[::2], base, WIDE)
    assert {job for work in half for job in work.jobs} == set(jobs[::2])
    assert [work.jobs for work in half] != [work.jobs for work in whole]


def test_a_source_whose_configuration_no_cohort_takes_is_refused_with_the_remedy(
    small_study, base, monkeypatch
):
    from sport_ray.experiments.task_policies.ppo import ProjectedPPOSource

    own = ProjectedPPOSource.configuration

    def with_episodes(self, *about):
        return own(self, *about).training(sampling="episodes")

    monkeypatch.setattr(ProjectedPPOSource, "configuration", with_episodes)
    with pytest.raises(UserError, match=r"projected_ppo cannot .* sampling.*; set engine: single"):
        packed(Study.model_validate(small_study), base)


def test_what_is_told_names_sizes_and_who_trains_alone(small_study, base):
    study = large(small_study, task_policies=["projected_ppo", "scpo"])
    line = told(packed(study, base))
    assert "\n" not in line
    assert line.startswith("72 training runs in 6 cohorts of 6 to 15; ")
    assert line.endswith("; 12 of scpo alone (it does not train by one run of PPO)")


JOB = Job(kind="projected_ppo", cells=())
GROUPS = st.lists(
    st.tuples(st.integers(1, 400), st.integers(1, 40), st.floats(1.0, 1e7)), min_size=1, max_size=6
)


@settings(max_examples=200, deadline=None)
@given(GROUPS, st.integers(1, 64))
def test_any_cut_holds_every_job_once_and_no_cohort_too_many(small, slots):
    groups = [Group([JOB] * many, most, work) for many, most, work in small]
    found = cut(groups, slots)
    assert sum(len(work.jobs) for _, work in found) == sum(many for many, _, _ in small)
    assert all(work.cohort and work.jobs for _, work in found)
    assert max(len(work.jobs) for _, work in found) <= max(most for _, most, _ in small)
    total = sum(many * work for many, _, work in small)
    assert math.isclose(sum(work for work, _ in found), total)


def test_steps_are_the_sections(small_study):
    small_study["unconstrained_training"] = {"env_steps": 1024, "train_batch_size": 256}
    study = Study.model_validate(small_study)
    steps = {job.kind: env_steps_of(study, job) for job in Plan.of(study, certificate()).jobs}
    assert steps == {"projected_ppo": 512, "unconstrained": 1024}
