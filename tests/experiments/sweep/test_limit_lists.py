"""Lists of limits: members and their order, at which β and on which scenarios they are tested."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.limit_test import list_plan
from tests.experiments.known_certificate import certificate


def planned(small_study, choose, **sweep):
    """The cells of lists, in the order of their ranks, and the others."""
    small_study["sweep"] |= {"eps_max": [0.1], "choose": choose, "horizons": [25], **sweep}
    study = Study.model_validate(small_study)
    cells = [cell for job in plan_jobs(study, certificate()) for cell in job.cells]
    listed = sorted((c for c in cells if c.place), key=lambda c: (c.place.list_id, c.place.rank))
    return study, listed, [cell for cell in cells if cell.place is None]


def test_a_list_for_each_source_kind_and_seed(small_study):
    _, listed, others = planned(
        small_study,
        "from_base_scenarios",
        constraints=["ratio", "pathwise"],
        seeds=[0, 1],
    )
    assert len({cell.place.list_id for cell in listed}) == 2 * 2 * 2
    assert len({cell.id for cell in listed + others}) == len(listed + others)
    for cell in listed:
        assert 1 <= cell.place.rank <= cell.place.size == 7
        assert cell.place.beta == cell.place.risk_beta == 1e-7
        assert cell.eps_max is None
    limits = [c.constraint.limit for c in listed if c.place.list_id == listed[0].place.list_id]
    assert limits == sorted(limits)
    prior = [
        c for c in others if c.eps_max == 0.1 and c.constraint.name == listed[0].constraint.name
    ]
    assert limits[0] > prior[0].constraint.limit


def test_without_lists_nothing_changes(small_study):
    before = {cell.id for cell in planned(small_study, None)[2]}
    _, listed, others = planned(small_study, "from_base_scenarios")
    assert listed
    assert {cell.id for cell in others} == before


def test_limits_that_are_given_and_several_risks(small_study):
    choose = {"from_base_scenarios": {"limits": {"ratio": [1.2, 1.5]}, "beta": 1e-3}}
    _, listed, _ = planned(small_study, choose, eps_max=[0.1, 0.05])
    assert {cell.constraint.limit for cell in listed} == {1.2, 1.5}
    assert listed[0].place.levels == (0.05, 0.1)
    assert listed[0].place.beta == 5e-4


def test_another_list_has_other_scenarios(small_study):
    """Also where only a member that comes later was added: nobody has seen those data."""
    seeds, ids = [], []
    for limits in ([1.2, 1.5], [1.2, 1.5, 1.7]):
        choose = {"from_base_scenarios": {"limits": {"ratio": limits}}}
        study, listed, _ = planned(small_study, choose)
        plans = [list_plan(study, cell, certificate()) for cell in listed]
        assert all(plan.purpose == "limits" for plan in plans)
        seeds += [plan.root_seed for plan in plans]
        ids += [cell.id for cell in listed]
    assert len(set(seeds)) == 4  # of two sources, twice
    assert len(set(ids)) == len(ids)


def test_members_of_one_list_share_their_scenarios_through_tune(small_study):
    study, listed, _ = planned(small_study, "from_base_scenarios")
    jobs = plan_jobs(study, certificate())
    for job in jobs:
        again = Job.model_validate(json.loads(json.dumps(job.model_dump(mode="json"))))
        assert again == job
        assert all(cell.is_of(study, certificate()) for cell in again.cells)
    first = [cell for cell in listed if cell.place.list_id == listed[0].place.list_id]
    assert len({list_plan(study, cell, certificate()).root_seed for cell in first}) == 1


def test_the_certificates_own_scenarios_cost_the_counts(small_study):
    choose = {"from_base_scenarios": {"scenarios": "certificate"}}
    study, listed, _ = planned(small_study, choose, constraints=["ratio", "pathwise"])
    place = listed[0].place
    assert place.num_scenarios == 10_000
    assert place.beta == pytest.approx(1e-7 / 827, rel=0.05)
    plan = list_plan(study, listed[0], certificate())
    assert (plan.purpose, plan.root_seed) == ("certify", certificate().root_seed)
    # The pace of a budget was measured on these scenarios: the horizon alone gives it.
    spread = [c for c in listed if getattr(c.constraint, "rule", "") == "spread"]
    assert spread
    assert spread[0].constraint.steps_left == tuple(np.arange(25.0, 0.0, -1.0))


def test_scores_are_tested_on_what_they_were_not_learned_from(small_study):
    choose = {"from_base_scenarios": {"scenarios": "certificate"}}
    small_study["certificate"] |= {"transitions": 2_000}
    small_study["task_policies"] = ["critic"]
    small_study["sweep"].pop("methods", None)
    _, listed, _ = planned(small_study, choose)
    assert {(c.place.first, c.place.num_scenarios) for c in listed} == {(2_000, 8_000)}


def test_what_cannot_be_chosen_from_the_certificate_is_refused(small_study):
    choose = {
        "from_base_scenarios": {"scenarios": "certificate", "limits": {"violation_time": [2]}}
    }
    with pytest.raises(UserError, match="looks at more of the certificate's scenarios"):
        planned(small_study, choose, constraints=["violation_time"])


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        ({"from_base_scenarios": {"factors": [2.0, 1.5]}}, "write them from the smallest"),
        ({"from_base_scenarios": {"factors": [1.0, 1.5]}}, "the prior limit needs no test"),
        ({"from_base_scenarios": {"limits": {"pathwise": [1.0]}}}, "not among constraints"),
        ("from_nowhere", "from_nowhere"),
    ],
)
def test_a_mistake_is_told_in_one_line(small_study, choose, said):
    small_study["sweep"] |= {"eps_max": [0.1], "choose": choose}
    with pytest.raises(UserError, match=said) as error:
        parse_study(small_study, "study")
    assert "\n" not in str(error.value)


def test_a_choice_needs_a_risk(small_study):
    small_study["sweep"] |= {"alphas": [1.2], "eps_max": None, "choose": "from_base_scenarios"}
    with pytest.raises(UserError, match="for which risks"):
        parse_study(small_study, "study")


def test_lists_of_some_sources_alone(small_study):
    some = {"factors": [1.5, 2.0], "constraints_of": {"unconstrained": ["pathwise"]}}
    _, listed, others = planned(
        small_study, {"from_base_scenarios": some}, constraints=["ratio", "pathwise"]
    )
    kinds = {(cell.source, cell.constraint.name) for cell in listed}
    assert kinds == {("unconstrained", "pathwise")}
    assert len(listed) == 2
    whole = planned(small_study, "from_base_scenarios", constraints=["ratio", "pathwise"])[2]
    assert {cell.id for cell in others} == {cell.id for cell in whole}
