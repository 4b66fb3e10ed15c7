"""Tuning: what may be asked, what a trial is judged on, what is kept, and what the sweep takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from sport_ray.certificates import load_certificate
from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import tidy
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.config.tuning import require_search
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.evaluation import evaluation_plan
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.tuning.driver import domain, random_points
from sport_ray.experiments.tuning.record import (
    TrialRecord,
    TrialStore,
    conclude,
    read_tuning,
    tuned_study,
    write_tuning,
)
from sport_ray.experiments.tuning.task import tuning_task
from sport_ray.experiments.tuning.trial import judge
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.rollouts import BaseBehaviour, run_scenarios
from sport_ray.rollouts.seeding import scenario_generators

TUNING = {
    "alpha": 2.0,
    "horizon": 25,
    "parameters": {"lr": {"loguniform": [1e-4, 1e-2]}, "gamma": [0.9, 0.99]},
    "trials": 4,
    "num_scenarios": 100,
}


@pytest.fixture(scope="module")
def certificate():
    return load_certificate(BUNDLED / "point_reach_avoid" / "certificate.json")


@pytest.fixture
def tuning_study(small_study):
    def make(**changes) -> Study:
        small_study["tuning"] = TUNING | changes
        return Study.model_validate(small_study)

    return make


def trial(score: float | None, status: str = "finished", **parameters: float) -> TrialRecord:
    return TrialRecord(
        parameters={"gamma": 0.9, "lr": 1e-3} | parameters, status=status, score=score, error=0.1
    )


# What may be asked


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"alpha": [1.5, 2.0]}, "tuning.alpha: [1.5, 2.0] is not one value; tuning is at one"),
        ({"eps_max": [0.1], "alpha": None}, "tuning.eps_max: [0.1] is not one value"),
        ({"horizon": [21, 27]}, "tuning.horizon: [21, 27] is not one value"),
        ({"constraint": ["ratio"]}, "tuning.constraint: ['ratio'] is not one value"),
        ({"alpha": {"uniform": [1, 2]}}, "is not one value"),
        ({"alpha": 1.0}, "tuning.alpha = 1.0: input should be greater than 1"),
        ({"alpha": None}, "give alpha or eps_max, and not both"),
        ({"eps_max": 0.1}, "give alpha or eps_max, and not both"),
        ({"constraint": "pathwise"}, "pathwise has no alpha: give eps_max"),
        ({"constraint": "ratoi"}, "'ratoi' is unknown; did you mean 'ratio'"),
        ({"constraint": "unconstrained"}, "'unconstrained' is unknown"),
        ({"parameters": {}}, "tuning.parameters"),
        ({"parameters": {"alpha": [1.5, 2.0]}}, "'alpha' is no training parameter"),
        ({"parameters": {"lr": {"uniform": [0.1, 0.2], "samples": 3}}}, "{uniform: [low, high]}"),
        ({"search": "grid"}, "tuning.search = 'grid'"),
        ({"scheduler": "pbt"}, "tuning.scheduler = 'pbt'"),
        ({"trials": 0}, "tuning.trials = 0"),
        ({"horizon": 31}, "tuning.horizon = 31 is beyond certificate.max_horizon (30)"),
        ({"trails": 3}, "unknown key 'tuning.trails'; did you mean 'trials'?"),
    ],
)
def test_a_mistake_is_one_line(small_study, tmp_path, changes, fragment):
    small_study["tuning"] = TUNING | changes
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(small_study))
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_tuned_is_no_axis_and_t_is_named(small_study):
    small_study["tuning"] = TUNING
    small_study["sweep"]["hyperparameters"] = {"lr": [1e-4]}
    with pytest.raises(ValueError, match="lr is tuned and is an axis of the sweep"):
        Study.model_validate(small_study)
    small_study["sweep"] |= {"hyperparameters": {}, "horizons": [20, 25]}
    small_study["tuning"] = TUNING | {"horizon": None}
    with pytest.raises(ValueError, match=r"tuning\.horizon is missing"):
        Study.model_validate(small_study)


def test_optuna_that_is_missing_is_one_line(tuning_study, monkeypatch):
    require_search(tuning_study().tuning)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r'pip install "optuna>=4", or set it to random'):
        require_search(tuning_study(search="optuna").tuning)


# What a trial is judged on


def test_the_scenarios_are_none_that_are_reported(tuning_study, certificate):
    """Own purpose: no stream of it is one of any other, under whatever root seed."""
    study = tuning_study()
    task = tuning_task(study, certificate)
    assert task.plan.purpose == "tune"
    assert evaluation_plan(study, 25, 0).purpose == "evaluate"
    firsts = {
        purpose: [g.integers(2**63) for g in scenario_generators(7, purpose, 3)]
        for purpose in ("certify", "evaluate", "base", "choose", "off_policy", "tune")
    }
    assert len({value for pair in firsts.values() for value in pair}) == 12
    assert task.seed not in study.sweep.seeds
    assert task.seed != tuning_task(tuning_study(seed=1), certificate).seed
    assert task.seed + 10_000 < 2**32


@pytest.mark.parametrize(
    ("formula", "measure", "mode"),
    [("(!hazard) U goal", "mean_task_steps", "min"), ("G !hazard", "mean_return", "max")],
)
def test_judged_by_task_steps_or_by_return(
    tuning_study, small_study, certificate, formula, measure, mode
):
    small_study["property"] = formula
    task = tuning_task(tuning_study(), certificate)
    assert (task.settings["judged_on"]["measure"], task.mode) == (measure, mode)


def test_the_base_is_judged_as_what_it_is(tuning_study, certificate):
    """Under α = 1.0…1 the policy is the base: its mean task steps on those very scenarios."""
    study = tuning_study()
    network = load_policy(BUNDLED / "point_reach_avoid").network
    base = FrozenPolicy(network)
    task = tuning_task(study, certificate)
    found = judge(task, base, network, 100)
    plan = task.plan
    free = plan.model_copy(
        update={"env_kwargs": {**plan.env_kwargs, "end_on_violation": False}, "property": "F goal"}
    )
    length = run_scenarios(free, BaseBehaviour(base), 0, 100).length
    assert found.score == length.mean()
    assert found.error == pytest.approx(length.std() / 10)


# Which points are tried


def test_more_trials_add_to_a_random_search(tuning_study):
    few, more = random_points(tuning_study().tuning), random_points(tuning_study(trials=9).tuning)
    assert len(few) == 4
    assert more[:4] == few
    assert len(set(more)) == 9
    assert random_points(tuning_study(seed=1).tuning) != few
    lists = tuning_study(parameters={"gamma": [0.9, 0.95], "num_epochs": [2, 4]}, trials=9).tuning
    assert len(set(random_points(lists))) == len(random_points(lists)) == 4


def test_tune_searches_the_same_space(tuning_study):
    """Ends included as here, whole numbers without the upper one."""
    axes = tuning_study(
        parameters={
            "lr": {"loguniform": [1e-4, 1e-2]},
            "gamma": {"uniform": [0.8, 0.9]},
            "num_epochs": {"randint": [2, 4]},
            "num_envs": {"lograndint": [4, 64]},
            "minibatch_size": [64, 128],
        }
    ).tuning.parameters
    for name, axis in axes.items():
        for value in domain(axis).sample(size=200, random_state=np.random.default_rng(0)):
            value = value.item() if isinstance(value, np.generic) else value
            used = tidy(name, axis, value)
            assert type(used) is type(value)
            assert used == pytest.approx(value, rel=1e-3)
            if isinstance(axis, dict):
                [(low, high)] = axis.values()
                assert low <= used <= high
                assert used < high or isinstance(used, float)
    assert tidy("num_epochs", {"randint": [2, 4]}, 4) == 3
    assert tidy("lr", {"loguniform": [1e-4, 1e-2]}, 0.00123456) == 0.001235


# What is kept, and what comes of it


def test_the_one_constraint_is_that_of_a_cell(tuning_study, certificate):
    task = tuning_task(tuning_study(), certificate)
    assert task.constraint == RatioConstraint(alpha=2.0)
    study = tuning_study(alpha=None, eps_max=0.1, horizon=None, constraint="pathwise")
    task = tuning_task(study, certificate)
    assert task.plan.horizon == 25
    assert task.constraint.prior_bound(certificate.evidence(25)) == pytest.approx(0.1)
    assert task.constraint.rule == "all"  # as where policies are trained under it
    with pytest.raises(UserError, match="cannot be reached"):
        tuning_task(tuning_study(alpha=None, eps_max=1e-6), certificate)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 3.0},
        {"horizon": 24},
        {"seed": 1},
        {"num_scenarios": 101},
        {"scheduler": "asha"},
        {"search": "optuna"},
        {"parameters": {"lr": {"loguniform": [1e-4, 2e-2]}}},
    ],
)
def test_other_settings_are_another_tuning(tuning_study, certificate, change):
    before = tuning_task(tuning_study(), certificate).digest
    assert tuning_task(tuning_study(**change), certificate).digest != before
    assert tuning_task(tuning_study(trials=99), certificate).digest == before


def test_trials_are_kept_for_these_settings_alone(tuning_study, certificate, tmp_path):
    study = tuning_study()
    folder = StudyFolder(tmp_path, study)
    store = TrialStore(folder, tuning_task(study, certificate))
    kept = [trial(14.0), trial(13.0, lr=1e-4), trial(15.0, "stopped early", lr=1e-2)]
    for record in [*kept, trial(None, "failed", lr=5e-3)]:
        store.write(record)
    store.path({"half": 1}).write_text('{"parameters"')
    store.path({"moved": 1}).write_text(kept[0].model_dump_json())
    found = store.read()
    assert sorted(found, key=lambda one: one.score) == [kept[1], kept[0], kept[2]]
    other = TrialStore(folder, tuning_task(tuning_study(alpha=3.0), certificate))
    assert other.read() == []


def test_the_winner_is_the_best_that_was_trained_to_its_end(tuning_study, certificate):
    study = tuning_study()
    task = tuning_task(study, certificate)
    records = [
        trial(14.0),
        trial(13.0, lr=1e-4),
        trial(12.0, "stopped early", lr=1e-2),
        trial(None, "failed", lr=5e-3),
    ]
    tuning = conclude(4, task, records)
    assert tuning.winner == {"gamma": 0.9, "lr": 1e-4}
    assert [one.status for one in tuning.trials] == [
        "finished", "finished", "stopped early", "failed",
    ]  # fmt: skip
    most = task._replace(settings=task.settings | {"judged_on": {"mode": "max"}})
    assert conclude(4, most, records).winner == {"gamma": 0.9, "lr": 1e-3}
    broken = TrialRecord(
        parameters={"lr": 1e-3}, status="failed", reason="ArithmeticError: training diverged"
    )
    for none in ([], [broken], [broken, records[2]]):
        with pytest.raises(UserError, match="no trial of the tuning was trained to its end"):
            conclude(4, task, none)
    with pytest.raises(UserError, match=r"\(1 of 1 failed\); the first failure: ArithmeticErr"):
        conclude(4, task, [broken])


def test_a_tuning_is_believed_for_its_settings_unaltered(tuning_study, certificate, tmp_path):
    study = tuning_study()
    folder, task = StudyFolder(tmp_path, study), tuning_task(study, certificate)
    assert read_tuning(folder, task) is None
    tuning = conclude(4, task, [trial(14.0), trial(13.0, lr=1e-4)])
    write_tuning(folder, tuning)
    assert read_tuning(folder, task) == tuning
    assert read_tuning(folder, tuning_task(tuning_study(alpha=3.0), certificate)) is None
    folder.study = tuning_study(trials=5)
    assert read_tuning(folder, task) is None  # asked for more
    path = tmp_path / "tuning.json"
    path.write_text(path.read_text().replace("13.0", "11.0"))
    with pytest.raises(UserError, match="was altered"):
        read_tuning(folder, task)
    path.write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        read_tuning(folder, task)


def test_the_sweep_trains_with_the_winner_s_parameters(tuning_study, certificate, small_study):
    """And its cells are others: a changed tuning never finds those of the one before."""
    study = tuning_study()
    small_study["unconstrained_training"] = {"lr": 3e-4, "env_steps": 512, "train_batch_size": 256}
    study = tuning_study()
    task = tuning_task(study, certificate)

    def ids(lr: float) -> dict[str, set[str]]:
        study_then = tuned_study(study, conclude(4, task, [trial(13.0, lr=lr)]))
        assert (study_then.training.lr, study_then.training.gamma) == (lr, 0.9)
        assert study_then.unconstrained_training == study.unconstrained_training
        assert study_then.tuning == study.tuning
        found: dict[str, set[str]] = {}
        for job in plan_jobs(study_then, certificate):
            cells = {cell.id for cell in job.cells}
            found.setdefault(job.kind, set()).update(cells)
        return found

    one, two = ids(1e-3), ids(1e-4)
    assert not one["projected_ppo"] & two["projected_ppo"]
    assert one["unconstrained"] == two["unconstrained"]  # has a section of its own
    # All α are trained with the same parameters, found at one.
    assert len(one["projected_ppo"]) == len(study.sweep.alphas)


def test_a_tuned_warm_up_is_in_the_identity_of_free_cells_too(small_study, certificate):
    """They warm up as the study says, which their own section does not hold."""
    small_study["unconstrained_training"] = {"env_steps": 512, "train_batch_size": 256}
    small_study["tuning"] = TUNING | {"parameters": {"warmup_env_steps": [0, 256]}}
    study = Study.model_validate(small_study)
    task = tuning_task(study, certificate)
    ids = []
    for steps in (0, 256):
        record = TrialRecord(parameters={"warmup_env_steps": steps}, status="finished", score=1.0)
        then = tuned_study(study, conclude(4, task, [record]))
        cells = [cell for job in plan_jobs(then, certificate) for cell in job.cells]
        ids.append({cell.id for cell in cells})
    assert not ids[0] & ids[1]


def test_an_axis_that_does_not_go_with_the_winner(small_study, certificate):
    small_study["tuning"] = TUNING | {"parameters": {"train_batch_size": [64, 256]}}
    small_study["training"]["minibatch_size"] = 32
    small_study["sweep"]["hyperparameters"] = {"minibatch_size": [32, 128]}
    study = Study.model_validate(small_study)
    task = tuning_task(study, certificate)
    record = TrialRecord(parameters={"train_batch_size": 64}, status="finished", score=1.0)
    with pytest.raises(UserError, match=r"minibatch_size \(128\) must not exceed train_batch"):
        tuned_study(study, conclude(4, task, [record]))


# The command


def sport_ray(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sport_ray.experiments.cli.main", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=550,
        env=os.environ | {"COLUMNS": "120"},
    )


@pytest.mark.long
@pytest.mark.slow
def test_tuning_with_optuna_and_asha_from_the_command_line(write_study, small_study, tmp_path):
    """Trials, one of which cannot be trained; then nothing to do; then more of them."""
    small_study["sweep"]["methods"] = ["projected_ppo"]
    small_study["tuning"] = TUNING | {
        # Of minibatches that are more than the batch of 256 a trial fails.
        "parameters": {"lr": {"loguniform": [1e-4, 1e-2]}, "minibatch_size": [64, 512, 1024]},
        "search": "optuna",
        "scheduler": "asha",
        "reports": 2,
        "trials": 5,
    }
    study = write_study(small_study)
    results = tmp_path / "results" / "small"
    assert sport_ray("certify", study, cwd=tmp_path).returncode == 0
    early = sport_ray("sweep", study, cwd=tmp_path)
    assert early.returncode == 2
    assert "run `sport-ray tune`" in early.stderr

    done = sport_ray("tune", study, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    tuning = json.loads((results / "tuning.json").read_text())
    trials = tuning["trials"]
    assert len(trials) == 5
    best = [one for one in trials if one["status"] == "finished"]
    failed = [one for one in trials if one["status"] == "failed"]
    assert tuning["winner"] == best[0]["parameters"]
    assert [one["score"] for one in best] == sorted(one["score"] for one in best)
    assert failed
    for one in failed:
        size = one["parameters"]["minibatch_size"]
        assert size > 256
        assert f"minibatch_size ({size}) must not exceed" in one["reason"]
    judged = {"finished": 2, "stopped early": 1, "failed": 0}
    assert all(len(one["reports"]) == judged[one["status"]] for one in trials)
    assert tuning["settings"]["judged_on"]["purpose"] == "tune"
    assert len(list(results.glob("tuning/*/*.json"))) == 5

    before = (results / "tuning.json").read_bytes()
    again = sport_ray("tune", study, cwd=tmp_path)
    assert "tuned already" in again.stdout
    assert (results / "tuning.json").read_bytes() == before

    small_study["tuning"]["trials"] = 7
    more = sport_ray("tune", write_study(small_study), cwd=tmp_path)
    assert more.returncode == 0, more.stdout + more.stderr
    longer = json.loads((results / "tuning.json").read_text())["trials"]
    kept = [one for one in trials if one["status"] != "failed"]
    assert all(one in longer for one in kept)  # with the seconds that they took then
    assert len(longer) == 7
