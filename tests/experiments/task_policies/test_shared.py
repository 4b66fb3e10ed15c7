"""A task policy that does not depend on the base is made once for a study over several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sport_ray.certificates import load_certificate, save_certificate
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import find_base
from sport_ray.experiments.sweep.job import run_job
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies import SOURCES, TaskPolicySource
from sport_ray.experiments.task_policies._curves import CurveRecorder
from sport_ray.experiments.task_policies._training import Trained
from sport_ray.policies import PolicyNetwork, load_policy
from sport_ray.samplers import read_base
from sport_ray.tracking import load_results
from sport_ray.tracking.results.bases import TASK_POLICIES
from sport_ray.tracking.results.curves import read_curves
from sport_ray.tracking.results.folder import ResultFolder
from tests.experiments.known_certificate import certificate

BASES = ["paper_bang_bang", "point_reach_avoid"]


class FreshSection(Section):
    """How wide the weights are drawn."""

    scale: float = 0.05


@pytest.fixture
def seeds() -> Iterator[list[int]]:
    """The seeds that a source of the test's own was trained with, in order."""
    trained: list[int] = []

    class FreshSource(TaskPolicySource):
        """Weights drawn from the task's seed, whatever the base's are."""

        __module__ = "sport_ray.experiments.task_policies.fresh"  # as if it shipped
        name = "fresh"
        title = "Fresh"
        settings = FreshSection
        promise = "none before it is evaluated"
        depends_on_base = False

        def train(self, task, settings, base, certificate) -> Trained:
            trained.append(task.seed)
            network = PolicyNetwork(base.spec)
            generator = torch.Generator().manual_seed(task.seed)
            with torch.no_grad():
                for value in network.parameters():
                    value.copy_(settings.scale * torch.randn(value.shape, generator=generator))
            metrics = {"train_episodes": 9, "fresh_scale": 0.5}
            recorder = CurveRecorder()
            recorder.add({"env_steps": 345, "entropy": 0.125})
            return Trained(network, 345, 1.5, metrics, curves=recorder.curves())

    yield trained
    del SOURCES["fresh"]


def folders(root: Path, small_study: dict[str, Any], bases: list[str], **more: Any) -> list[Path]:
    """The result folders of each base, certified, as a run has made them."""
    small_study["evaluation"]["num_scenarios"] = 20
    whole = Study.model_validate(
        {**small_study, "bases": bases, "task_policies": {"fresh": {}}, **more}
    )
    StudyFolder(root, whole).write_study(None)
    found = []
    for base in bases:
        study = whole.of_base(base)
        folder = StudyFolder(root / base, study)
        folder.write_study(None)
        source = find_base(base, None)
        assert source is not None
        folder.base.mkdir()
        for file in source.iterdir():
            (folder.base / file.name).write_bytes(file.read_bytes())
        known = certificate(base_digest=read_base(folder.base).digest)
        save_certificate(folder.certificate, known)
        found.append(folder.root)
    return found


def sweep(root: Path) -> None:
    """Every job of a folder, without Ray."""
    study = Study.model_validate(json.loads((root / "study.json").read_text()))
    folder = StudyFolder(root, study)
    plan = Plan.of(study, load_certificate(folder.certificate))
    plan.write(folder)
    for job in plan.missing_jobs(folder):
        assert run_job(folder, job)["failed"] == 0, (root, job)


def test_each_seed_is_trained_once_for_all_bases(tmp_path, small_study, seeds) -> None:
    small_study["sweep"]["seeds"] = [0, 1]
    roots = folders(tmp_path / "whole", small_study, BASES)
    for root in roots:
        sweep(root)
    assert seeds == [0, 1]
    first, second = (load_results(root) for root in roots)
    assert set(first["base_digest"]).isdisjoint(second["base_digest"])
    assert sorted(set(first["policy_digest"])) == sorted(set(second["policy_digest"]))
    for table in (first, second):
        assert set(table["train_env_steps"]) == {345}
    for root, table in zip(roots, (first, second), strict=True):
        for cell in table["cell_id"]:
            curves = read_curves(ResultFolder(root), cell)
            assert curves is not None
            assert (curves["env_steps"].tolist(), curves["entropy"].tolist()) == ([345], [0.125])
        assert set(table["train_episodes"]) == {9}
    places = list((tmp_path / "whole" / TASK_POLICIES).iterdir())
    shared = {load_policy(place).digest for place in places}
    assert shared == set(first["policy_digest"])
    for root in roots:  # each is whole by itself
        assert {load_policy(one).digest for one in ResultFolder(root).policies.iterdir()} == shared


def test_another_setting_is_another_policy(tmp_path, small_study, seeds) -> None:
    for scale in (0.05, 0.06, 0.05):
        sources = {"fresh": {"scale": scale}}
        roots = folders(tmp_path / f"{len(seeds)}", small_study, BASES[:1], task_policies=sources)
        sweep(roots[0])
    assert seeds == [0, 0, 0]  # each whole folder has its own
    root = tmp_path / "0"
    one = StudyFolder(
        root / BASES[0],
        Study.model_validate(
            {**small_study, "base": BASES[0], "task_policies": {"fresh": {"scale": 0.07}}}
        ),
    )
    one.write_study(None)
    sweep(one.root)
    assert seeds == [0, 0, 0, 0]
    assert len(list((root / TASK_POLICIES).iterdir())) == 2


def test_what_cannot_be_read_or_is_of_something_else_is_made_again(
    tmp_path, small_study, seeds
) -> None:
    roots = folders(tmp_path / "whole", small_study, BASES)
    sweep(roots[0])
    [place] = (tmp_path / "whole" / TASK_POLICIES).iterdir()
    weights = place / "policy.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    sweep(roots[1])
    assert seeds == [0, 0]
    assert load_results(roots[0])["policy_digest"].equals(load_results(roots[1])["policy_digest"])

    again = folders(tmp_path / "other", small_study, BASES)
    sweep(again[0])
    [other] = (tmp_path / "other" / TASK_POLICIES).iterdir()
    manifest = json.loads((other / "policy.json").read_text())
    manifest["provenance"]["identity"]["seed"] = 7
    (other / "policy.json").write_text(json.dumps(manifest))
    sweep(again[1])
    assert seeds == [0, 0, 0, 0]


def test_a_study_with_one_base_shares_nothing(tmp_path, small_study, seeds) -> None:
    whole = folders(tmp_path / "whole", small_study, BASES[:1])[0]
    alone = tmp_path / "alone"
    whole.rename(alone)  # the same folder, out of the whole
    sweep(alone)
    assert seeds == [0]
    assert not (tmp_path / TASK_POLICIES).exists()


@pytest.mark.parametrize("attributes", [{"under_constraint": True}, {"why_alone": None}])
def test_what_trains_around_a_base_depends_on_it(attributes: dict[str, Any]) -> None:
    about = {
        "name": "contradiction",
        "title": "x",
        "settings": FreshSection,
        "promise": "x",
        "depends_on_base": False,
        "train": lambda *_: None,
        **attributes,
    }
    with pytest.raises(ValueError, match="has depends_on_base = True"):
        type("Contradiction", (TaskPolicySource,), about)
    assert not [name for name in SOURCES if "contradiction" in name]
