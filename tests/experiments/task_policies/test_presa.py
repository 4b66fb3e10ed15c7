"""PreSa as a source of task policies: settings, refusals, identity, and what training reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sport_ray.comparators.presa import (
    AlignmentSettings,
    FeedbackSettings,
    make_segments,
    save_segments,
    synthetic_feedback,
)
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies.presa import PresaSection, PresaSource
from sport_ray.experiments.task_policies.task import mixed_seed
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.store import policy_digest
from tests.exact_discrete import table_policy

SMALL: dict[str, Any] = {
    "num_episodes": 30,
    "num_pairs": 100,
    "segment_length": 5,
    "clone_steps": 5,
    "steps": 5,
}


@pytest.fixture
def study(small_study: dict[str, Any]) -> Study:
    return Study.model_validate(small_study)


def train(study: Study, base: PolicyNetwork, seed: int = 0, **settings: Any):
    section = PresaSection(**{**SMALL, **settings})
    # Only the sources by PPO look at the certificate.
    return PresaSource().train(study.task(25, seed), section, base, None)  # type: ignore[arg-type]  # PreSa reads no certificate


def some_segments(observation: int = 44, unsafe: tuple[int, ...] = (0, 1, 0, 1, 0, 0)):
    rng = np.random.default_rng(0)
    return make_segments(
        rng.normal(size=(6, 4, observation)),
        rng.normal(size=(6, 4, 2)),
        [[0, 1], [2, 3], [5, 4]],
        unsafe,
    )


def test_it_is_found_by_its_name():
    assert SOURCES["presa"] is PresaSource
    assert PresaSource.settings is PresaSection


def test_the_defaults_are_those_of_the_mathematics():
    section = PresaSection()
    assert section.alignment == AlignmentSettings()
    assert section.feedback == FeedbackSettings()
    assert set(PresaSection.model_fields) == {
        *AlignmentSettings.__dataclass_fields__,
        *FeedbackSettings.__dataclass_fields__,
        "data",
        "data_digest",
        "root_seed",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objectve": "presa"}, "objectve"),
        ({"objective": "reward_model"}, "objective"),
        ({"steps": -1}, "steps"),
        ({"safety_target": 0}, "safety_target"),
        ({"gamma": 1.5}, "gamma"),
        ({"unsafe_share": 1}, "unsafe_share"),
        ({"multiplier_max": 0.5}, "multiplier_max must be at least multiplier_start"),
        ({"lr": float("inf")}, "lr"),
        ({"data": "a.npz", "num_pairs": 7}, "num_pairs is for synthetic feedback, and data is gi"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        PresaSection(**change)


def test_training_reports_what_collecting_took(study, small_base):
    trained = train(study, small_base)
    plan = study.task(25, 0).plan_through_violations("presa", mixed_seed(2, 0))
    assert plan.purpose == "presa"
    assert plan.env_kwargs["end_on_violation"] is False
    feedback = synthetic_feedback(plan, FrozenPolicy(small_base), PresaSection(**SMALL).feedback)
    assert trained.env_steps == feedback.env_steps
    assert trained.metrics["train_episodes"] == 30
    assert trained.metrics["train_violations"] == feedback.num_violations > 0
    assert trained.metrics["presa_segments"] == feedback.segments.num_segments
    assert trained.metrics["presa_pairs"] == 100
    assert trained.metrics["presa_safety_target"] == AlignmentSettings().safety_target
    assert trained.policy.spec == small_base.spec
    assert trained.seconds > 0.0
    for name, value in trained.metrics.items():
        assert value is None or type(value) in (int, float), name


def test_the_seed_and_the_settings_decide_the_policy(study, small_base):
    digests = [
        policy_digest(train(study, small_base, **change).policy)
        for change in ({}, {}, {"seed": 1}, {"root_seed": 3}, {"objective": "preference_only"})
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_without_a_constraint_there_is_no_multiplier(study, small_base):
    metrics = train(study, small_base, objective="preference_only").metrics
    assert metrics["presa_multiplier"] is None
    assert metrics["presa_safety_target"] is None


def test_a_users_own_data_cost_no_episode(study, small_base, tmp_path: Path):
    save_segments(tmp_path / "mine.npz", some_segments())
    source = PresaSource()
    settings = PresaSection(data="mine.npz", clone_steps=3, steps=3)
    settled = source.settle(settings, tmp_path)
    assert Path(settled.data) == tmp_path / "mine.npz"
    source.check(study.task(25, 0), settled, small_base)
    trained = source.train(study.task(25, 0), settled, small_base, None)  # type: ignore[arg-type]  # PreSa reads no certificate
    assert trained.env_steps == 0
    assert trained.metrics["train_episodes"] == trained.metrics["train_violations"] == 0
    assert trained.metrics["presa_segments"] == 6


def test_cells_know_the_data_by_its_content(tmp_path: Path):
    source = PresaSource()
    for folder in ("a", "b"):
        save_segments(tmp_path / folder / "mine.npz", some_segments())
    save_segments(tmp_path / "c" / "mine.npz", some_segments(unsafe=(0, 1, 1, 1, 0, 0)))
    one, two, other = (
        source.identity(source.settle(PresaSection(data="mine.npz"), tmp_path / folder))
        for folder in ("a", "b", "c")
    )
    assert one == two != other
    assert source.identity(PresaSection()) != source.identity(PresaSection(root_seed=5))


def test_data_that_changed_are_refused(study, small_base, tmp_path: Path):
    path = tmp_path / "mine.npz"
    save_segments(path, some_segments())
    source = PresaSource()
    settled = source.settle(PresaSection(data="mine.npz", clone_steps=1, steps=1), tmp_path)
    save_segments(path, some_segments(unsafe=(1, 1, 0, 1, 0, 0)))
    for attempt in (
        lambda: source.settle(settled, tmp_path),
        lambda: source.check(study.task(25, 0), settled, small_base),
        lambda: source.train(study.task(25, 0), settled, small_base, None),  # type: ignore[arg-type]  # PreSa reads no certificate
    ):
        with pytest.raises(UserError, match=r"holds the segments .*, expected"):
            attempt()


def test_data_that_are_not_there_are_one_line(tmp_path: Path):
    with pytest.raises(UserError, match=r"presa: data 'none.npz' does not exist") as caught:
        PresaSource().settle(PresaSection(data="none.npz"), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (some_segments(observation=3), "3 observations and 2 actions, the base policy 44 and 2"),
        (some_segments(unsafe=(0,) * 6), "all 6 segments are labelled safe"),
    ],
)
def test_data_that_cannot_be_used_are_refused_before_anything_runs(
    study, small_base, tmp_path: Path, segments, message
):
    save_segments(tmp_path / "mine.npz", segments)
    source = PresaSource()
    settled = source.settle(PresaSection(data="mine.npz"), tmp_path)
    with pytest.raises(UserError, match=rf"mine\.npz: .*{message}"):
        source.check(study.task(25, 0), settled, small_base)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment_length": 26}, "segment_length = 26 is longer than the episodes of horizon 25"),
        ({"behaviours": ["strait"]}, "behaviour 'strait' is unknown"),
    ],
)
def test_feedback_that_cannot_be_had_is_refused_before_anything_runs(
    study, small_base, change, message
):
    with pytest.raises(UserError, match=message):
        PresaSource().check(study.task(25, 0), PresaSection(**change), small_base)


def test_a_base_of_whole_numbers_is_refused_before_anything_runs(study):
    base = table_policy(np.zeros((5, 3)), (3,))
    with pytest.raises(UserError, match="presa learns from segments of real actions"):
        PresaSource().check(study.task(25, 0), PresaSection(**SMALL), base)
