"""Sources of task policies: found by themselves, named by content, run and failed like any job."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies import SOURCES, TaskPolicySource
from sport_ray.experiments.task_policies._training import Trained
from sport_ray.experiments.task_policies.source import require_alike
from sport_ray.policies import PolicyNetwork, load_policy, policy_digest, save_policy
from sport_ray.policies.network import widened
from sport_ray.tracking import load_results
from sport_ray.tracking.results.task_policies import TITLES
from tests.experiments.known_certificate import certificate


class ToySection(Section):
    """How far the weights are moved; and how to fail."""

    shift: float = 0.1
    other_actions: bool = False
    fails: str = ""


def moved(base: PolicyNetwork, shift: float, seed: int) -> PolicyNetwork:
    network = PolicyNetwork(base.spec)
    network.load_state_dict(base.state_dict())
    with torch.no_grad():
        for value in network.parameters():
            value.add_(shift * 1e-2 * (1 + seed))
    return network


@pytest.fixture
def toy() -> Iterator[type[TaskPolicySource]]:
    """A source that moves the base's weights a little; gone after the test."""

    class ToySource(TaskPolicySource):
        """The base, moved."""

        __module__ = "sport_ray.experiments.task_policies.toy"  # as if it shipped
        name = "toy"
        title = "Toy"
        settings = ToySection
        promise = "none before it is evaluated"

        def train(self, task, settings, base, certificate) -> Trained:
            if settings.fails == "user":
                raise UserError("toy: nothing to play with")
            if settings.fails:
                raise ArithmeticError("the toy is broken")
            if settings.other_actions:
                spec = base.spec.model_copy(update={"squash": "none"})
                return Trained(PolicyNetwork(spec), 0, 0.0, {})
            metrics = {"train_violations": 3, "train_episodes": 7, "toy_shift": settings.shift}
            return Trained(moved(base, settings.shift, task.seed), 123, 0.5, metrics)

    yield ToySource
    del SOURCES["toy"]


def study_of(small_study: dict[str, Any], **sources: Any) -> Study:
    return Study.model_validate({**small_study, "task_policies": sources})


def cells_of(study: Study) -> list[Cell]:
    return [cell for job in plan_jobs(study, certificate()) for cell in job.cells]


def test_every_shipped_source_is_complete_and_is_called_the_same_in_reports():
    shipped = {name: source for name, source in SOURCES.items() if "tests" not in source.__module__}
    assert set(shipped) >= {"projected_ppo", "unconstrained", "scpo", "presa", "imported"}
    for name, source in shipped.items():
        assert TITLES[name] == source.title
    for source in shipped.values():
        assert source.promise
        assert source.__doc__
        assert issubclass(source.settings, Section)


def test_a_name_belongs_to_one_source_and_a_source_says_what_it_is(toy):
    with pytest.raises(ValueError, match="'toy' is taken by the source"):
        type("Other", (TaskPolicySource,), {"name": "toy", "__module__": toy.__module__})
    with pytest.raises(ValueError, match=r"source '.*:bare' has no title"):
        type("Bare", (TaskPolicySource,), {"name": "bare"})
    assert not [name for name in SOURCES if "bare" in name]


def test_the_base_itself_has_no_cell_without_a_constraint(toy):
    about = {name: vars(toy)[name] for name in ("title", "settings", "promise")}
    with pytest.raises(ValueError, match=r":mine' is the base itself, .*under_constraint = True"):
        type("Mine", (TaskPolicySource,), about | {"name": "mine", "is_base": True})
    assert not [name for name in SOURCES if "mine" in name]


def test_the_source_of_the_documentation_works_as_it_stands(small_study):
    page = (Path(__file__).parents[3] / "docs" / "studies.md").read_text()
    text = page.partition("### Adding a source")[2].partition("## Training parameters")[0]
    [example] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(
        compile(example, "studies.md", "exec"),
        {"__name__": "sport_ray.experiments.task_policies.copy"},
    )
    try:
        source = SOURCES["copy"]()
        base = load_policy(BUNDLED / "point_reach_avoid").network
        study = study_of(small_study, copy={})
        settings = source.settings_in(study, ())
        trained = source.train(study.task(25, 0), settings, base, certificate())
        assert policy_digest(trained.policy) == policy_digest(base)
    finally:
        del SOURCES["copy"]


def test_projected_ppo_needs_a_constraint_to_train_under(small_study):
    base = load_policy(BUNDLED / "point_reach_avoid").network
    source, study = SOURCES["projected_ppo"](), Study.model_validate(small_study)
    with pytest.raises(ValueError, match="the task has no constraint"):
        source.train(study.task(25, 0), source.settings_in(study, ()), base, certificate())


def test_one_policy_per_horizon_and_seed_as_it_is_and_under_every_constraint(small_study, toy):
    small_study["sweep"] |= {
        "horizons": [20, 25],
        "seeds": [0, 1],
        "eps_max": [0.1],
        "constraints": ["ratio", "pathwise"],
        "hyperparameters": {"lr": [1e-3, 1e-4]},
    }
    study = study_of(small_study, toy={}, unconstrained={})
    jobs = plan_jobs(study, certificate())
    toys = [job for job in jobs if job.kind == "toy"]
    assert jobs[: len(toys)] == toys  # nobody knows how long they take: first
    assert {(job.cells[0].horizon, job.cells[0].seed) for job in toys} == {
        (20, 0), (20, 1), (25, 0), (25, 1),
    }  # fmt: skip
    assert len(toys) == 4  # axes are PPO's
    assert len([job for job in jobs if job.kind == "unconstrained"]) == 8
    for job in toys:
        free, *projected = job.cells
        assert (free.constraint, free.source) == (Unconstrained(), "toy")
        assert not free.projected
        assert all(cell.projected for cell in projected)
        assert len({(cell.constraint, cell.eps_max) for cell in projected}) == len(projected) == 4
        assert {cell.source for cell in projected} == {"toy"}
    ids = [cell.id for job in jobs for cell in job.cells]
    assert len(set(ids)) == len(ids)


def test_a_source_that_trains_under_its_constraint_has_a_run_for_each(folder, toy, monkeypatch):
    """Whoever it is: grid and jobs ask a source what it does, not who it is."""
    seen = []
    monkeypatch.setattr(toy, "under_constraint", True)
    own = toy.train
    monkeypatch.setattr(
        toy,
        "train",
        lambda self, task, *rest: (seen.append(task.constraint), own(self, task, *rest))[1],
    )
    results = folder()
    plan = Plan.of(results.study, load_certificate(results.certificate))
    assert [len(job.cells) for job in plan.jobs] == [1, 1]
    assert all(cell.projected and cell.source == "toy" for cell in plan.cells.values())
    assert run_job(results, plan.jobs[1]) == {"finished": 1, "failed": 0}
    assert seen == [plan.jobs[1].cells[0].constraint]


def test_a_sources_settings_name_its_cells_and_no_others(small_study, toy):
    def ids(study: Study, source: str) -> set[str]:
        cells = [cell for cell in cells_of(study) if cell.source == source]
        return {cell.id for cell in cells}

    one = study_of(small_study, toy={}, unconstrained={})
    other = study_of(small_study, toy={"shift": 0.2}, unconstrained={})
    assert ids(one, "toy").isdisjoint(ids(other, "toy"))
    assert ids(one, "unconstrained") == ids(other, "unconstrained")
    longer = {**small_study, "training": {**small_study["training"], "lr": 1e-4}}
    assert ids(study_of(longer, toy={}, unconstrained={}), "toy") == ids(one, "toy")
    before = Study.model_validate(
        {**small_study, "sweep": {**small_study["sweep"], "methods": ["projected_at_deployment"]}}
    )
    assert ids(before, "unconstrained") == ids(one, "unconstrained")


@pytest.fixture
def folder(tmp_path: Path, small_study, toy) -> StudyFolder:
    """A result folder with a base and a certificate, of a study with the toy alone."""

    def make(**settings: Any) -> StudyFolder:
        study = study_of(small_study, toy=settings)
        folder = StudyFolder(tmp_path / "results", study)
        base = load_policy(BUNDLED / "point_reach_avoid")
        save_policy(folder.base, base.network, {})
        save_certificate(folder.certificate, certificate(base_digest=base.digest))
        (folder.root / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
        return folder

    return make


def test_a_job_of_a_source_trains_once_and_writes_every_cell(folder):
    results = folder(shift=0.3)
    [job] = plan_jobs(results.study, load_certificate(results.certificate))
    assert run_job(results, job) == {"finished": 3, "failed": 0}
    frame = load_results(results.root)
    assert set(frame["source"]) == {"toy"}
    [free] = frame[~frame["projected"]].to_dict("records")
    assert free["prior_bound"] != free["prior_bound"]  # NaN: nothing was promised
    assert 0 < free["posterior_bound"] < 1
    assert (free["constraint_held"], free["certified"]) == (False, False)
    projected = frame[frame["projected"]]
    assert projected["constraint_held"].all()
    assert projected["prior_bound"].notna().all()
    assert (frame["train_env_steps"] == 123).all()
    assert (frame["train_violations"] == 3).all()
    assert (frame["train_episodes"] == 7).all()
    assert (frame["toy_shift"] == 0.3).all()
    base = load_policy(results.base).network
    assert set(frame["policy_digest"]) == {policy_digest(moved(base, 0.3, 0))}
    assert run_job(results, job) == {"finished": 0, "failed": 0}


def test_cells_of_another_certificate_than_the_folders_are_never_run(folder):
    """The driver gives cells their ids; a worker that finds other files must not use them."""
    results = folder()
    [job] = plan_jobs(results.study, certificate(base_digest="c" * 64))
    assert run_job(results, job) == {"finished": 0, "failed": 3}
    [reason] = set(load_results(results.root)["reason"])
    assert "is not of the certificate in" in reason


def test_a_policy_without_a_density_ratio_to_the_base_is_never_evaluated(folder):
    results = folder(other_actions=True)
    [job] = plan_jobs(results.study, load_certificate(results.certificate))
    assert run_job(results, job) == {"finished": 0, "failed": 3}
    [reason] = set(load_results(results.root)["reason"])
    assert reason.startswith("UserError: the policy of toy maps samples to actions otherwise")


@pytest.mark.parametrize(
    ("fails", "reason"),
    [("user", "UserError: toy: nothing to play with"), ("x", "ArithmeticError: the toy is broken")],
)
def test_a_source_that_fails_leaves_cells_that_say_why(folder, fails, reason):
    results = folder(fails=fails)
    [job] = plan_jobs(results.study, load_certificate(results.certificate))
    assert run_job(results, job) == {"finished": 0, "failed": 3}
    frame = load_results(results.root)
    assert set(frame["status"]) == {"failed"}
    assert set(frame["reason"]) == {reason}
    assert set(frame["source"]) == {"toy"}


def test_a_policy_may_see_what_is_left_of_a_budget_and_no_more():
    base = load_policy(BUNDLED / "point_reach_avoid").network
    for extra in (0, 2):
        require_alike(widened(base, extra), base, "the policy", budget=2)
    for extra, budget in ((1, 2), (2, 0)):
        with pytest.raises(UserError, match="give a policy for the base's environment"):
            require_alike(widened(base, extra), base, "the policy", budget)
