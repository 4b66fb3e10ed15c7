"""The iterated critic as a source: acts within the cell's promise, and counts what it ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.constraints import RatioConstraint
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.constraints.two_point import TwoPointConstraint
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies._iteration import limit_of
from sport_ray.policies import load_policy, save_policy
from sport_ray.rollouts import run_scenarios
from sport_ray.rollouts.behaviour import base_behaviour
from sport_ray.rollouts.transitions import collect_transitions, save_transitions
from sport_ray.samplers import sampler_of
from sport_ray.selection import SelectionBehaviour, Selector, load_task_policy
from sport_ray.selection.scores import Atoms, Critic, ScoreNetwork, ScoreSpec
from sport_ray.tracking import load_results
from tests.experiments.known_certificate import certificate

NAME, HORIZON = "critic_iterated", 25
CRITIC: dict[str, Any] = {
    "candidates": 8,
    "embedding": [8],
    "hidden": [8],
    "outcome_updates": 30,
    "bootstrap_updates": 30,
    "batch_size": 64,
    "draws": 4,
}


def study_of(small_study: dict[str, Any], **own) -> Study:
    iterated = {**CRITIC, "scenarios": 30, "refit_updates": 20, **own}
    return Study.model_validate(
        {**small_study, "task_policies": {"critic": CRITIC, NAME: iterated}}
    )


@pytest.fixture(scope="module")
def base():
    return load_policy(BUNDLED / "point_reach_avoid")


@pytest.fixture
def transitions(small_study, base, tmp_path) -> Path:
    plan = study_of(small_study).task(HORIZON, 0).plan("certify", 0)
    kept, _ = collect_transitions(plan, base_behaviour(base), 0, 60)
    save_transitions(tmp_path / "kept.parquet", kept, certificate().digest)
    return tmp_path / "kept.parquet"


def select(name: str, study: Study, base, transitions: Path, constraint, seed: int = 0):
    source = SOURCES[name]()
    task = study.task(HORIZON, seed, constraint)
    return source.select(task, source.settings_in(study, ()), base, certificate(), transitions)


@pytest.mark.parametrize("constraint", [RatioConstraint(1.3), PathwiseBudget(1.5)])
def test_it_counts_what_the_first_critic_does_under_the_constraint(
    small_study, base, transitions, constraint
):
    study = study_of(small_study)
    found = select(NAME, study, base, transitions, constraint)
    first = select("critic", study, base, transitions, constraint)
    plan = study.task(HORIZON, 0, constraint).plan("iterate", 0)
    behaviour = SelectionBehaviour(sampler_of(base), first.policy, constraint)
    outcomes = run_scenarios(plan, behaviour, 0, 30)
    assert found.env_steps == outcomes.length.sum() > 0
    assert found.metrics["train_episodes"] == 30
    assert found.metrics["train_violations"] == (~outcomes.satisfied_by(HORIZON)).sum()
    assert found.metrics["critic_scenarios"] == 90
    assert found.policy.digest != first.policy.digest
    again = select(NAME, study, base, transitions, constraint)
    assert again.policy.digest == found.policy.digest
    assert again.metrics == found.metrics


def test_every_round_runs_scenarios_that_nobody_ran_before(small_study, base, transitions):
    one, two = (
        select(NAME, study_of(small_study, rounds=n), base, transitions, RatioConstraint(1.3))
        for n in (1, 2)
    )
    assert (one.metrics["train_episodes"], two.metrics["train_episodes"]) == (30, 60)
    assert two.env_steps > one.env_steps
    assert two.policy.digest != one.policy.digest
    other = select(NAME, study_of(small_study), base, transitions, RatioConstraint(1.3), seed=1)
    assert other.policy.digest != one.policy.digest


def test_only_a_constant_ratio_that_is_filled_greedily_goes_on(base):
    sampler, spec = sampler_of(base), base.network.spec
    network = ScoreNetwork(
        ScoreSpec(
            observation_size=spec.observation_size,
            action_size=spec.action_size,
            atoms=Atoms.of_steps(HORIZON),
            squash=spec.action_mapping.squash,
        )
    )
    ratio, budget = RatioConstraint(1.3), PathwiseBudget(1.5)
    assert limit_of(Critic(network), sampler, ratio) == ratio.log_ratio_limit > 0.0
    assert limit_of(Critic(network), sampler, budget) is None
    assert limit_of(Critic(network, "greedy"), sampler, budget) is None
    assert limit_of(Critic(network, "quantile"), sampler, ratio) is None
    assert limit_of(Critic(network), sampler, TwoPointConstraint(1.3, 0.8)) is None
    assert limit_of(Critic(network), sampler, TwoPointConstraint(1.3)) == ratio.log_ratio_limit


def test_each_constraint_has_a_critic_of_its_own(small_study):
    small_study["sweep"] |= {"eps_max": [0.1], "constraints": ["ratio", "pathwise"]}
    jobs = [job for job in plan_jobs(study_of(small_study), certificate()) if job.kind == NAME]
    assert all(len(job.cells) == 1 for job in jobs)
    assert len({job.cells[0].constraint for job in jobs}) == len(jobs) > 1


def test_it_needs_a_constraint_to_act_under(small_study, base, tmp_path):
    source, study = SOURCES[NAME](), study_of(small_study)
    with pytest.raises(ValueError, match="the task has no constraint"):
        source.select(
            study.task(HORIZON, 0), source.settings_in(study, ()), base, certificate(), tmp_path
        )


@pytest.mark.slow
def test_a_cell_is_made_evaluated_and_keeps_to_its_constraint(small_study, base, tmp_path):
    small_study["sweep"] |= {"alphas": [], "eps_max": [0.5], "constraints": ["ratio"]}
    study = study_of(small_study)
    results = StudyFolder(tmp_path, study)
    save_policy(results.base, base.network, {})
    save_certificate(results.certificate, certificate(base_digest=base.digest))
    (results.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    found = load_certificate(results.certificate)
    plan = study.task(HORIZON, 0).plan("certify", 0)
    kept, _ = collect_transitions(plan, base_behaviour(base), 0, 60)
    save_transitions(results.transitions, kept, found.digest)
    [job] = [job for job in plan_jobs(study, found) if job.kind == NAME]
    assert run_job(results, job) == {"finished": 1, "failed": 0}
    [record] = load_results(results.root).to_dict("records")
    assert (record["source"], record["constraint"]) == (NAME, "ratio")
    assert record["constraint_held"]
    assert record["prior_bound"] == pytest.approx(0.5, rel=1e-3)
    assert record["train_episodes"] == 30
    assert record["train_env_steps"] > 30
    chosen = load_task_policy(results.policy(record["policy_digest"])).policy
    assert isinstance(chosen, Selector)
    assert isinstance(chosen.score, Critic)
