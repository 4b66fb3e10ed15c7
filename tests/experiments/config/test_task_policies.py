"""A source that a user names by its class is the same one wherever a file names it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.compose import compose
from sport_ray.experiments.benchmark.files import read
from sport_ray.experiments.benchmark.method import MethodFile
from sport_ray.experiments.benchmark.suite import ALL_BASES
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.config.task_policies import by_source, source_name
from sport_ray.experiments.task_policies import SOURCES
from tests.experiments.benchmark.test_compose import suite, task

RECORDED, BY_CLASS = "a_source_of_mine:copy", "a_source_of_mine:CopySource"
CODE = """
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.task_policies import TaskPolicySource, Trained


class CopySection(Section):
    size: int = 1


class CopySource(TaskPolicySource):
    name = "copy"
    title = "Copy of the base"
    settings = CopySection
    promise = "the base's own"

    def train(self, task, settings, base, certificate):
        return Trained(base, env_steps=0, seconds=0.0, metrics={"train_episodes": 0})
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of the user's with a source, not imported yet; gone after the test."""
    (tmp_path / "a_source_of_mine.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    SOURCES.pop(RECORDED, None)
    sys.modules.pop("a_source_of_mine", None)


def test_a_name_of_any_kind_is_the_recorded_one():
    assert source_name(BY_CLASS) == source_name(RECORDED) == RECORDED
    for name in ("critic", "critik", "no_module_of_mine:CopySource", "a_source_of_mine:Other"):
        assert source_name(name) == name
    with pytest.raises(ValueError, match=f"holds the source '{RECORDED}' twice"):
        by_source({RECORDED: 1, BY_CLASS: 2})


def test_a_study_names_it_by_its_class_everywhere(small_study):
    small_study["task_policies"] = ["base", BY_CLASS]
    small_study["mixtures"] = {"sources": ["base", BY_CLASS]}
    small_study["sweep"] |= {
        "eps_max": [0.1],
        "constraints": ["ratio", "pathwise"],
        "constraints_of": {BY_CLASS: ["ratio"]},
        "choose": {"from_base_scenarios": {"constraints_of": {BY_CLASS: ["ratio"]}}},
    }
    study = parse_study(small_study, "study")
    assert study.sources == ["base", RECORDED]
    assert study.sweep.constraints_of == {RECORDED: ["ratio"]}
    assert study.sweep.choose.from_base_scenarios.constraints_of == {RECORDED: ["ratio"]}
    assert study.mixtures.sources == ["base", RECORDED]
    small_study["sweep"]["constraints_of"] = {BY_CLASS: ["ratio"], RECORDED: []}
    with pytest.raises(UserError, match=f"sweep.*holds the source '{RECORDED}' twice"):
        parse_study(small_study, "study")
    small_study["sweep"]["constraints_of"] = {"a_source_of_mine:Copy": ["ratio"]}
    with pytest.raises(UserError, match="names 'a_source_of_mine:Copy', which is none of the"):
        parse_study(small_study, "study")


def test_lists_of_limits_name_a_constraint_by_its_class(small_study):
    by_class = "sport_ray.constraints:RatioConstraint"
    small_study["task_policies"] = ["base", "unconstrained"]
    lists = {"limits": {by_class: [1.5, 2.0]}, "constraints_of": {"unconstrained": [by_class]}}
    small_study["sweep"] |= {
        "eps_max": [0.1],
        "constraints": ["ratio"],
        "choose": {"from_base_scenarios": lists},
    }
    found = parse_study(small_study, "study").sweep.choose.from_base_scenarios
    assert found.limits == {"ratio": [1.5, 2.0]}
    assert found.constraints_of == {"unconstrained": ["ratio"]}
    lists["limits"]["ratio"] = [3.0]
    with pytest.raises(UserError, match="limits names a kind twice"):
        parse_study(small_study, "study")


def test_a_method_and_a_task_of_the_benchmark_name_it_by_its_class(tmp_path):
    file = tmp_path / "mine.yaml"
    about = {"name": "mine", "title": "Mine", "why": "A test.", "promise": "prior"}
    file.write_text(yaml.safe_dump(about | {"source": BY_CLASS, "constraint": "ratio"}))
    method = read(file, MethodFile)
    chosen = replace(suite(seeds=1), methods=(method,))
    part = compose(chosen, task(settings={BY_CLASS: {"size": 3}}), ALL_BASES[0])
    assert [one.source for one in part.methods] == [RECORDED]  # as records have it
    by_its_class = {"constraint": "sport_ray.constraints:RatioConstraint"}
    file.write_text(yaml.safe_dump(about | {"source": BY_CLASS} | by_its_class))
    assert read(file, MethodFile).constraint == "ratio"
    assert part.study.sweep.constraints_of[RECORDED] == ["ratio"]
    assert part.study.task_policies[RECORDED].size == 3
