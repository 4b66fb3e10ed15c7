"""The jobs of a trial as a cohort: alone or in company the same, and each fails for itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.cohort import Report, Training, run_work
from sport_ray.experiments.sweep.evaluation import evaluation_plan, through_violations
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.sweep.packing import configuration_of, pack
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.room import Room
from sport_ray.experiments.sweep.work import Work
from sport_ray.experiments.task_policies._training import Trained, run_training
from sport_ray.policies import (
    FrozenPolicy,
    PolicyNetwork,
    load_policy,
    policy_digest,
    save_policy,
)
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.rollouts import ProjectedBehaviour, run_scenarios
from sport_ray.tracking import load_results
from tests.experiments.conftest import SMALL
from tests.experiments.known_certificate import certificate

ONE = Room(slots=1, memory=math.inf)
SHIPPED = load_policy(BUNDLED / "point_reach_avoid")
MANY = {
    "alphas": [1.0, 1.5],
    "eps_max": [0.1],
    "constraints": ["ratio", "pathwise"],
    "horizons": [25],
    "seeds": [0, 1],
    "methods": ["projected_ppo"],
}


def study_of(**changes: Any) -> Study:
    return Study.model_validate(SMALL | {"sweep": MANY} | changes)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, Study], tuple[StudyFolder, Plan]]:
    """A result folder with the shipped base and a certificate, and its plan."""

    def make(name: str, study: Study) -> tuple[StudyFolder, Plan]:
        folder = StudyFolder(tmp_path / name, study)
        save_policy(folder.base, SHIPPED.network, {})
        save_certificate(folder.certificate, certificate(base_digest=SHIPPED.digest))
        (folder.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
        return folder, Plan.of(study, load_certificate(folder.certificate))

    return make


def numbers(folder: StudyFolder) -> dict[str, dict[str, Any]]:
    """Each cell's record without times."""
    times = ("finished_at", "train_seconds", "eval_seconds")
    found = {}
    for path in folder.root.glob("cells/*/record.json"):
        record = json.loads(path.read_text())
        found[path.parent.name] = {n: v for n, v in record.items() if n not in times}
    return found


def run_cohort(configs: list[ProjectedPPOConfig], env_steps: int) -> list[Trained | Exception]:
    """Each cell's task policy, or why it has none."""
    training = Training(configs, env_steps)
    assert list(training)
    return training.found


def run(folder: StudyFolder, work: Work) -> list[Report]:
    return list(run_work(folder, work))


def test_cells_are_recorded_one_by_one_and_are_the_same_in_any_company(make):
    """Several kinds of constraint, several cohorts; then every cell as a cohort of its own."""
    study = study_of()
    together, plan = make("together", study)
    works = pack(study, plan.jobs, SHIPPED, ONE)
    assert sorted(len(work.jobs) for work in works) == [2, 6]
    for work in works:
        reports = run(together, work)
        assert reports[0] == (0.0, 0, 0)
        assert [one.trained for one in reports] == sorted(one.trained for one in reports)
        jobs = len(work.jobs)
        assert list(dict.fromkeys(one.ended for one in reports)) == [*range(jobs + 1)]
        assert [one.scenarios for one in reports] == sorted(one.scenarios for one in reports)
        assert reports[-1].scenarios == jobs * study.evaluation.num_scenarios
        assert any(0.0 < one.trained < 1.0 for one in reports)
    apart, _ = make("apart", study)
    for job in plan.jobs:
        run(apart, Work(cohort=True, jobs=(job,)))
    assert numbers(together) == numbers(apart)
    frame = load_results(together.root)
    assert len(frame) == len(plan.cells) == 8
    assert set(frame["status"]) == {"finished"}
    assert set(frame["engine"]) == {"cohort"}
    assert frame["constraint_held"].all()
    assert frame["policy_digest"].nunique() > 4
    assert (frame["train_env_steps"] >= 512).all()
    assert (frame["train_seconds"] > 0.0).all()


def test_a_policy_that_serves_many_cells_is_trained_once(make):
    study = study_of(sweep=MANY | {"methods": ["projected_at_deployment"]})
    folder, plan = make("free", study)
    [work] = pack(study, plan.jobs, SHIPPED, ONE)
    assert run(folder, work)[-1] == (1.0, 2, 2 * 5 * study.evaluation.num_scenarios)
    frame = load_results(folder.root)
    assert set(frame["status"]) == {"finished"}
    assert len(frame) == 2 * 5
    assert frame.groupby("seed")["policy_digest"].nunique().tolist() == [1, 1]


def test_what_has_a_record_is_not_repeated(make):
    study = study_of()
    folder, plan = make("again", study)
    work = next(one for one in pack(study, plan.jobs, SHIPPED, ONE) if len(one.jobs) == 6)
    for report in run_work(folder, work):
        if report.ended == 2:
            break  # as if the process had died here
    first = {p: p.stat().st_mtime_ns for p in folder.root.glob("cells/*/record.json")}
    assert len(first) == 2
    assert run(folder, work)[-1] == (1.0, 6, 4 * study.evaluation.num_scenarios)
    assert {p: p.stat().st_mtime_ns for p in first} == first
    whole, _ = make("whole", study)
    run(whole, work)
    assert numbers(folder) == numbers(whole)


def test_a_cell_that_diverges_fails_alone(make):
    axes = MANY | {"eps_max": None, "hyperparameters": {"lr": [1e-3, 1e30]}, "alphas": [1.5]}
    study = study_of(sweep=axes | {"constraints": ["ratio"]})
    folder, plan = make("diverging", study)
    [work] = pack(study, plan.jobs, SHIPPED, ONE)
    assert len(work.jobs) == 4
    run(folder, work)
    frame = load_results(folder.root).set_index(["hyperparameters", "seed"])
    assert list(frame.loc["lr=0.001", "status"]) == ["finished", "finished"]
    assert list(frame.loc["lr=1e+30", "status"]) == ["failed", "failed"]
    assert frame.loc["lr=1e+30", "reason"].str.contains("ArithmeticError|finite").all()
    assert set(frame["engine"]) == {"cohort"}
    sound, _ = make("sound", study)
    for job in work.jobs:
        if dict(job.cells[0].hyperparameters)["lr"] == 1e-3:
            run(sound, Work(cohort=True, jobs=(job,)))
    alone = numbers(sound)
    assert {cell: numbers(folder)[cell] for cell in alone} == alone


def test_what_no_cohort_survives_takes_nobody_with_it():
    """One configuration that is refused: the cohort is halved until it is alone."""
    study = study_of()
    plan = Plan.of(study, certificate(base_digest=SHIPPED.digest))
    jobs = [job for job in plan.jobs if job.cells[0].alpha is not None][:5]
    configs = [configuration_of(study, job, SHIPPED.network) for job in jobs]
    configs[3].explore = False  # which no cohort is built with
    training = Training(configs, 512)
    steps = list(training)
    assert steps[-1] == 512
    assert [isinstance(one, Trained) for one in training.found] == [True, True, True, False, True]
    assert "explore" in str(training.found[3])
    alone = run_cohort(configs[4:], 512)[0]
    found = training.found[4]
    assert isinstance(alone, Trained)
    assert isinstance(found, Trained)
    assert policy_digest(found.policy) == policy_digest(alone.policy)
    assert found.metrics == alone.metrics


def test_each_engine_refuses_the_others_cells(make):
    folder, plan = make("cohorts", study_of())
    with pytest.raises(ValueError, match="is one that a cohort trains"):
        run_job(folder, plan.jobs[0])
    folder, plan = make("singles", study_of(engine="single"))
    with pytest.raises(ValueError, match="is not one that a cohort trains"):
        run(folder, Work(cohort=True, jobs=(plan.jobs[0],)))


def test_a_cell_ends_where_its_single_run_ends_whatever_the_others_need():
    """At α = 1 both engines act as the base does, so steps and episodes are the same ones."""
    study = study_of(training=SMALL["training"] | {"env_steps": 778, "num_envs": 3})
    plan = Plan.of(study, certificate(base_digest=SHIPPED.digest))
    jobs = [job for job in plan.jobs if job.cells[0].constraint.name == "ratio"]
    configs = [configuration_of(study, job, SHIPPED.network) for job in jobs]
    found = run_cohort(configs, 778)
    steps = [one.env_steps for one in found if isinstance(one, Trained)]
    assert len(steps) == len(jobs)
    assert min(steps) < 800  # some had enough an iteration before others
    assert max(steps) > 1000
    for job, config, one in zip(jobs, configs, found, strict=True):
        assert isinstance(one, Trained)
        [alone] = run_cohort([config], 778)
        assert isinstance(alone, Trained)
        assert policy_digest(one.policy) == policy_digest(alone.policy)
        assert (one.env_steps, one.metrics) == (alone.env_steps, alone.metrics)
        if job.cells[0].alpha == 1.0:
            single = run_training(config, 778)
            assert one.env_steps == single.env_steps
            assert one.metrics.keys() == single.metrics.keys()
            for name in ("train_episodes", "train_violations"):
                assert one.metrics[name] == single.metrics[name]
            assert one.curves is not None
            assert single.curves is not None
            assert [*one.curves] == [*single.curves]
            for name in ("env_steps", "episodes_begun", "violations", "mean_return"):
                np.testing.assert_allclose(one.curves[name], single.curves[name], rtol=1e-12)
            np.testing.assert_allclose(
                one.curves["entropy"][0], single.curves["entropy"][0], rtol=1e-3
            )


@pytest.mark.slow
@pytest.mark.long
def test_the_engines_train_policies_that_are_equally_good():
    """Twenty seeds by each; and the same test tells them from a shorter training's.

    At a level of 1%: the seeds are fixed, so each change of what training does is one more draw.
    """
    settings = SMALL["training"] | {"env_steps": 5_000, "lr": 5e-4}
    sweep = MANY | {"alphas": [3.0], "eps_max": None, "seeds": [*range(20)]}
    study = study_of(training=settings, sweep=sweep | {"constraints": ["ratio"]})
    plan = Plan.of(study, certificate(base_digest=SHIPPED.digest))
    configs = [configuration_of(study, job, SHIPPED.network) for job in plan.jobs]

    def judged(found: Iterable[Trained | Exception]) -> list[float]:
        """Mean steps of the task, on scenarios of the seed's own."""
        values = []
        for job, one in zip(plan.jobs, found, strict=True):
            assert isinstance(one, Trained)
            assert isinstance(one.policy, PolicyNetwork)
            cell = job.cells[0]
            scenarios = through_violations(evaluation_plan(study, cell.horizon, cell.seed))
            behaviour = ProjectedBehaviour(
                FrozenPolicy(SHIPPED.network), FrozenPolicy(one.policy), cell.constraint
            )
            values.append(float(run_scenarios(scenarios, behaviour, 0, 150).length.mean()))
        return values

    cohort = judged(run_cohort(configs, 5_000))
    single = judged(run_training(config, 5_000) for config in configs)
    assert stats.ks_2samp(cohort, single).pvalue > 0.01
    assert abs(np.mean(cohort) - np.mean(single)) < 2.0 * np.hypot(
        stats.sem(cohort), stats.sem(single)
    )
    assert stats.ks_2samp(cohort, judged(run_cohort(configs, 500))).pvalue < 1e-3
