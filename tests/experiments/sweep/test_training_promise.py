"""What a study promises of its training, and how it keeps to a number of violations."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from scipy.stats import binom

from sport_ray.bounds import anytime_violations_bound, expected_violations
from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.stages.training_lines import training_lines
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.policies import load_policy, save_policy
from sport_ray.rollouts.behaviour import base_behaviour
from sport_ray.rollouts.transitions import collect_transitions, save_transitions
from sport_ray.tracking.analysis.training_cost import training_table
from sport_ray.tracking.figures.training import draw_training
from sport_ray.tracking.results.curves import read_curves
from sport_ray.tracking.results.table import load_results
from tests.experiments.known_certificate import certificate


def study_of(raw: dict[str, Any], plan: dict[str, Any] | None = None, **more: Any) -> Study:
    given = {**raw, **more}
    given["sweep"] = {"methods": ["projected_ppo"], **given["sweep"]}
    if "task_policies" in given:
        del given["sweep"]["methods"]
    if plan is not None:
        given["certificate"] = {**given["certificate"], "plan": plan}
    return parse_study(given, "study")


def test_every_run_has_a_promise_before_it_starts(small_study):
    """P is the constraint's prior bound, M what the steps allow, and the bound one for all M."""
    small_study["sweep"]["alphas"] = [1.0, 1.02]
    study = study_of(small_study)
    plan = Plan.of(study, certificate())
    assert [job.kind for job in plan.jobs] == ["projected_ppo"] * 2
    for job, promise in zip(plan.jobs, plan.promises, strict=True):
        [cell] = job.cells
        assert promise.risk == min(cell.constraint.prior_bound(certificate().evidence(25)), 1.0)
        assert promise.episodes == 512 + 256 + 2 * 8  # one a step, the last batch, both ends
        assert promise.expected == expected_violations(promise.risk, promise.episodes)
        assert promise.bound == anytime_violations_bound(promise.risk, promise.episodes, 1e-3)
        assert not promise.fixed
        expected, bound = promise.after(40)
        assert (expected, bound) == (
            expected_violations(promise.risk, 40),
            anytime_violations_bound(promise.risk, 40, 1e-3),
        )
    told = plan.training_promise
    assert told["runs"] == 2
    assert told["expected"] == pytest.approx(sum(one.expected for one in plan.promises))
    [line] = training_lines(plan)
    assert "promised before it starts: 2 runs" in line
    assert f"more than {told['bound']} with probability at most 0.001" in line


def test_what_promises_nothing_says_so(small_study):
    small_study["sweep"]["alphas"] = [1.0, 1.02]
    small_study["task_policies"] = {"projected_ppo": {}, "unconstrained": {}, "critic": {}}
    plan = Plan.of(study_of(small_study), certificate())
    by_kind = {job.kind: one for job, one in zip(plan.jobs, plan.promises, strict=True)}
    assert by_kind["unconstrained"] is None
    assert (by_kind["critic"].risk, by_kind["critic"].episodes) == (0.0, 0)
    assert plan.training_promise["without_promise"] == 1
    assert training_lines(plan)[1] == "training: nothing is promised while unconstrained trains"
    small_study["task_policies"]["soft_actor_critic"] = {}
    plan = Plan.of(study_of(small_study), certificate())
    assert training_lines(plan)[1].endswith("while soft_actor_critic, unconstrained train")


def test_runs_whose_bound_is_one_are_not_summed(small_study):
    """What every episode may do is no number of violations to expect."""
    small_study["sweep"]["alphas"] = [1.01, 2.0]
    plan = Plan.of(study_of(small_study), certificate())
    told, empty = sorted(plan.promises, key=lambda one: one.risk)
    assert empty.risk == 1.0
    assert plan.training_promise["expected"] == told.expected
    assert plan.training_promise["bound"] <= told.episodes
    assert plan.training_promise["without_promise"] == 1
    some, none = training_lines(plan)
    assert f"1 run of {told.episodes} episodes at most" in some
    assert none.startswith("training: nothing is promised of 1 of 2 runs")


def test_a_planned_run_promises_something_even_at_risk_one(small_study):
    """No more violations than its episodes, which were set beforehand."""
    small_study["sweep"]["alphas"] = [2.0]
    plan = Plan.of(study_of(small_study, {"training_violations": 20}), certificate())
    [promise] = plan.promises
    assert (promise.risk, promise.fixed) == (1.0, True)
    told = plan.training_promise
    assert (promise.episodes, told["bound"], told["without_promise"]) == (20, 20, 0)
    [line] = training_lines(plan)
    assert "1 run of 20 episodes at most" in line
    assert "20.0 violations expected at most, and more than 20 with" in line


def test_a_plan_sets_the_number_of_episodes(small_study):
    """The largest M with p·M ≤ R, or with P(Bin(M, p) > R) ≤ β; ids are others, and only then."""
    small_study["sweep"]["alphas"] = [1.0, 1.02]
    ids = [job.cells[0].id for job in plan_jobs(study_of(small_study), certificate())]
    alone = study_of(small_study, engine="single")
    for study, beta in (
        (study_of(small_study, {"training_violations": 0.5}), None),
        (study_of(small_study, {"training_violations": 3, "beta": 0.05}), 0.05),
    ):
        plan = Plan.of(study, certificate())
        jobs = {job.cells[0].alpha: job.cells[0] for job in plan.jobs}
        cell, promise = jobs[1.0], plan.promises[[j.cells[0].alpha for j in plan.jobs].index(1.0)]
        assert promise.fixed
        assert promise.episodes == cell.training_episodes < 784
        if beta is None:
            assert promise.expected <= 0.5 < promise.risk * (promise.episodes + 1)
        else:
            assert promise.bound == 3
            assert binom.sf(3, promise.episodes, promise.risk) <= beta
            assert binom.sf(3, promise.episodes + 1, promise.risk) > beta
        assert {one.engine for one in jobs.values()} == {"single"}
        assert not set(ids) & {one.id for one in jobs.values()}
    unplanned = plan_jobs(alone, certificate())[0].cells[0]
    assert "training_episodes" not in unplanned.identity(alone, certificate())


def test_a_plan_of_violations_and_episodes_derives_alpha(small_study):
    """The level R/M, for every kind; nothing else need be in the sweep."""
    small_study["sweep"] = {"horizons": [25], "seeds": [0], "constraints": ["ratio", "pathwise"]}
    plan = {"training_violations": 20, "training_episodes": 400}
    jobs = plan_jobs(study_of(small_study, plan), certificate())
    assert {job.cells[0].constraint.name for job in jobs} == {"ratio", "pathwise"}
    for job in jobs:
        [cell] = job.cells
        assert cell.eps_max == pytest.approx(0.05)
        bound = cell.constraint.prior_bound(certificate().evidence(25))
        assert 0.05 * (1 - 1e-6) < bound <= 0.05
        assert cell.training_episodes == 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sweep": {"methods": ["projected_at_deployment"]}}, "while unconstrained trains"),
        ({"engine": "cohort"}, "a cohort's cells cannot stop by themselves"),
        ({"resources": {"env_runners_per_cell": 1}}, "counted in the cell's own process"),
        ({"tuning": {"alpha": 1.1, "parameters": {"lr": [0.1]}}}, "its trials train, too"),
        ({"certificate": {"plan": {"training_violations": 0}}}, "training_violations"),
        ({"certificate": {"plan": {"training_violation": 3}}}, "training_violations"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_when_it_is_read(small_study, change, words):
    for name, value in change.items():
        small_study[name] = (
            {**small_study.get(name, {}), **value} if isinstance(value, dict) else value
        )
    plan = None if "certificate" in change else {"training_violations": 3}
    with pytest.raises(UserError, match=words):
        study_of(small_study, plan)


def test_a_plan_that_permits_too_few_episodes_is_refused(small_study):
    study = study_of(small_study, {"training_violations": 0.01})
    with pytest.raises(UserError, match=r"permits \d+ episodes .* and 8 begin at once: raise"):
        plan_jobs(study, certificate())
    small_study["sweep"]["alphas"] = [1.0]
    below = study_of(small_study, {"training_violations": 1, "training_episodes": 5000})
    with pytest.raises(UserError, match=r"a risk of 0\.0002 each, and the base policy itself"):
        plan_jobs(below, certificate())
    with pytest.raises(UserError, match="give alphas, or eps_max"):
        study_of({**small_study, "sweep": {"horizons": [25]}}, {"training_violations": 1})


def _made(study: Study, tmp_path: Any, transitions: int = 0) -> StudyFolder:
    results = StudyFolder(tmp_path, study)
    base = load_policy(BUNDLED / "point_reach_avoid")
    save_policy(results.base, base.network, {})
    save_certificate(results.certificate, certificate(base_digest=base.digest))
    (results.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    if transitions:
        plan = study.task(25, 0).plan("certify", 0)
        kept, _ = collect_transitions(plan, base_behaviour(base), 0, transitions)
        save_transitions(results.transitions, kept, load_certificate(results.certificate).digest)
    return results


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("source", ["projected_ppo", "projected_ppo_selection"])
def test_a_run_ends_before_it_would_begin_one_more(small_study, tmp_path, source):
    """To the episode; counted, promised and drawn. A smaller R than one batch takes is refused."""
    small_study["training"] |= {"env_steps": 20_000}
    small_study["sweep"]["alphas"] = [1.05]
    study = study_of(small_study, {"training_violations": 1}, task_policies={source: {}})
    results = _made(study, tmp_path)
    found = load_certificate(results.certificate)
    plan = Plan.of(study, found)
    [job], [promise] = plan.jobs, plan.promises
    assert run_job(results, job) == {"finished": 1, "failed": 0}
    frame = load_results(results.root)
    [record] = frame.to_dict("records")
    assert 8 < promise.episodes - 8 < record["train_episodes_begun"] <= promise.episodes
    assert 0 < record["train_episodes_begun"] - record["train_episodes"] <= 8
    assert 512 <= record["train_env_steps"] < 20_000
    assert record["train_violations_expected"] <= 1.0
    assert record["train_violations"] <= record["train_violations_bound"] == promise.bound
    assert (record["train_risk"], record["train_violations_beta"]) == (promise.risk, promise.beta)
    curves = read_curves(results, job.cells[0].id)
    assert curves is not None
    assert curves.begun == record["train_episodes_begun"]
    assert curves["violations"][-1] == record["train_violations"]
    assert curves["env_steps"][-1] == record["train_env_steps"]
    [row] = training_table(frame).to_dict("records")
    assert (row["episodes"], row["counted"], row["held"]) == (
        record["train_episodes_begun"], record["train_violations"], True,
    )  # fmt: skip
    drawn = draw_training(frame, results.root, tmp_path / "figures")
    assert drawn is not None
    assert (tmp_path / "figures" / "training.svg").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_fewer_episodes_than_a_batch_takes_are_refused(small_study, tmp_path):
    small_study["sweep"]["alphas"] = [1.05]
    study = study_of(small_study, {"training_violations": 0.15})
    results = _made(study, tmp_path)
    [job] = plan_jobs(study, load_certificate(results.certificate))
    assert run_job(results, job) == {"finished": 0, "failed": 1}
    record = results.read_record(job.cells[0].id)
    assert "which is less than one batch: allow more violations" in record["reason"]


@pytest.mark.slow
def test_an_iterated_critic_runs_as_many_scenarios_as_are_permitted(small_study, tmp_path):
    """Each of a round's scenarios keeps the cell's constraint; R cuts their number."""
    small_study["sweep"]["alphas"] = [1.05]
    few = {"rounds": 2, "scenarios": 60, "outcome_updates": 5, "bootstrap_updates": 5}
    few |= {"refit_updates": 5, "candidates": 4, "embedding": [8], "hidden": [8]}
    source = {"critic_iterated": few}
    unplanned = Plan.of(study_of(small_study, task_policies=source), certificate())
    assert unplanned.promises[0].episodes == 120
    risk = unplanned.promises[0].risk
    study = study_of(small_study, {"training_violations": 81.5 * risk}, task_policies=source)
    results = _made(study, tmp_path, transitions=60)
    [job] = plan_jobs(study, load_certificate(results.certificate))
    assert job.cells[0].training_episodes == 81
    assert run_job(results, job) == {"finished": 1, "failed": 0}
    [record] = load_results(results.root).to_dict("records")
    assert record["train_episodes"] == record["train_episodes_begun"] == 80
    assert record["train_violations"] <= record["train_violations_bound"]
    assert math.isclose(record["train_violations_expected"], 80 * risk, rel_tol=1e-12)
