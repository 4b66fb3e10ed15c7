"""Imported task policies: found beside the study, named by what they hold, refused or fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, load_study, parse_study
from sport_ray.experiments.config.task_policies import require_sources
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.task_policies.imported import ImportedSection, ImportedSource
from sport_ray.policies import PolicyNetwork, PolicySpec, load_policy, policy_digest, save_policy
from tests.experiments.known_certificate import certificate


@pytest.fixture(scope="module")
def base() -> PolicyNetwork:
    return load_policy(BUNDLED / "point_reach_avoid").network


def other(spec: PolicySpec, seed: int = 0) -> PolicyNetwork:
    torch.manual_seed(seed)
    return PolicyNetwork(spec)


@pytest.fixture
def study_file(tmp_path: Path, small_study, base) -> Path:
    """A study beside which its imported policy lies."""
    save_policy(tmp_path / "policies" / "mine", other(base.spec), {})
    path = tmp_path / "study.yaml"
    settings = {"imported": {"path": "policies/mine"}}
    path.write_text(yaml.safe_dump({**small_study, "task_policies": settings}))
    return path


def ids(study: Study) -> set[str]:
    jobs = plan_jobs(study, certificate())
    return {cell.id for job in jobs for cell in job.cells}


def test_the_path_starts_at_the_study_file_and_the_policy_is_known_by_its_digest(study_file, base):
    study = load_study(study_file)
    [settings] = study.task_policies.values()
    assert Path(settings.path) == study_file.parent / "policies" / "mine"
    assert settings.digest == policy_digest(other(base.spec))
    assert Study.model_validate(json.loads(json.dumps(study.model_dump(mode="json")))) == study
    assert Study.model_validate_json(study.model_dump_json()) == study


def test_a_study_without_a_file_starts_at_the_working_directory(
    study_file, small_study, monkeypatch
):
    monkeypatch.chdir(study_file.parent)
    given = {**small_study, "task_policies": {"imported": {"path": "policies/mine"}}}
    assert parse_study(given, "study") == load_study(study_file)


def test_cells_are_named_by_the_policy_wherever_it_lies(study_file, base):
    before = ids(load_study(study_file))
    folder = study_file.parent / "policies" / "mine"
    folder.rename(folder.with_name("yours"))
    study_file.write_text(study_file.read_text().replace("mine", "yours"))
    assert ids(load_study(study_file)) == before
    save_policy(folder.with_name("yours"), other(base.spec, seed=1), {})
    assert ids(load_study(study_file)).isdisjoint(before)


def test_a_result_folder_reads_on_though_its_paths_are_relative_to_elsewhere(study_file, tmp_path):
    study = load_study(study_file)
    results = tmp_path / "elsewhere" / "results"
    results.mkdir(parents=True)
    (results / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    (results / "study.yaml").write_text(study_file.read_text())
    assert load_study(results / "study.yaml") == study
    (results / "study.json").unlink()
    with pytest.raises(UserError, match="does not exist"):
        load_study(results / "study.yaml")


def test_the_policy_is_taken_as_it_is_at_no_cost(study_file, base):
    study = load_study(study_file)
    [settings] = study.task_policies.values()
    for seed in (0, 1):
        trained = ImportedSource().train(study.task(25, seed), settings, base, certificate())
        assert policy_digest(trained.policy) == settings.digest
        assert (trained.env_steps, trained.seconds) == (0, 0.0)
        assert trained.metrics.get("train_violations") is None


def test_another_policy_than_was_read_is_refused(study_file, base):
    study = load_study(study_file)
    [settings] = study.task_policies.values()
    save_policy(Path(settings.path), other(base.spec, seed=1), {})
    with pytest.raises(UserError, match=r"holds the policy \w{16}, expected \w{16}"):
        ImportedSource().train(study.task(25, 0), settings, base, certificate())
    pinned = study_file.read_text().replace("mine", f"mine\n    digest: {settings.digest}")
    study_file.write_text(pinned)
    with pytest.raises(UserError, match="expected") as caught:
        load_study(study_file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation_size": 3}, "has 3 observations and 2 actions, the base"),
        ({"action_size": 1}, "and 1 actions, the base"),
        ({"squash": "none"}, "maps samples to actions otherwise than the base"),
        ({"action_low": (-2.0, -2.0), "action_high": (2.0, 2.0)}, "maps samples to actions"),
    ],
)
def test_a_policy_that_does_not_fit_the_base_is_refused(
    tmp_path, small_study, base, change, message
):
    spec = PolicySpec.model_validate({**base.spec.model_dump(), "hidden": (8,), **change})
    save_policy(tmp_path / "odd", other(spec), {})
    given = {**small_study, "task_policies": {"imported": {"path": str(tmp_path / "odd")}}}
    study = parse_study(given, "study")
    with pytest.raises(UserError, match=message) as caught:
        whole = load_policy(BUNDLED / "point_reach_avoid")
        require_sources(study.sources, study.task_policies, study.task(25, 0), whole)
    assert "\n" not in str(caught.value)
    settings = study.task_policies["imported"]
    with pytest.raises(UserError, match=message):
        ImportedSource().train(study.task(25, 0), settings, base, certificate())


def test_another_architecture_of_the_same_sizes_fits(tmp_path, base):
    spec = PolicySpec.model_validate({**base.spec.model_dump(), "hidden": (8,)})
    save_policy(tmp_path / "small", other(spec), {})
    section = ImportedSection(path=str(tmp_path / "small"))
    trained = ImportedSource().train(None, section, base, certificate())
    assert trained.policy.spec.hidden == (8,)
