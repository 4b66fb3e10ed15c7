"""Which trainings end at a violation, who sees to it, and that cells are told apart by it."""

from __future__ import annotations

from typing import Any

import pytest

from sport_ray.constraints import RatioConstraint
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies._training import index_config
from sport_ray.policies import PolicyFile
from tests.experiments.known_certificate import certificate

UNDER, FREE = "projected_ppo", "unconstrained"
OWN = {"env_steps": 512, "train_batch_size": 256}
ON, OFF = {"train_on_after_violation": True}, {"train_on_after_violation": False}


@pytest.mark.parametrize(
    ("source", "sections", "goes_on"),
    [
        (UNDER, {}, False),
        (UNDER, {"training": ON}, True),
        (UNDER, {"unconstrained_training": {**OWN, **ON}}, False),
        (FREE, {}, True),
        (FREE, {"training": OFF}, True),
        (FREE, {"unconstrained_training": OWN}, True),
        (FREE, {"unconstrained_training": {**OWN, **OFF}}, False),
        (FREE, {"training": ON, "unconstrained_training": {**OWN, **OFF}}, False),
    ],
)
@pytest.mark.parametrize("formula", ["(!hazard) U goal", "G !hazard"])
def test_a_constrained_training_ends_and_a_free_one_goes_on(
    small_study, small_base, source, sections, goes_on, formula
):
    sections = {name: {**small_study.get(name, {}), **one} for name, one in sections.items()}
    study = Study.model_validate({**small_study, **sections, "property": formula})
    made = SOURCES[source]()
    settings = made.settings_in(study, ())
    assert settings.train_on_after_violation is goes_on
    assert made.cell_identity(study, ())["train_on_after_violation"] is goes_on
    constraint = RatioConstraint(alpha=1.5) if source == UNDER else None
    config = made.configuration(study.task(20, 0, constraint), settings, small_base)
    robots_own = formula == "(!hazard) U goal"
    assert config.env_config["end_on_violation"] is (not goes_on and robots_own)
    outside = None if goes_on or robots_own else formula
    assert config.ends_when_violated == outside


@pytest.mark.parametrize("goes_on", [True, False])
def test_training_over_the_index_does_as_its_section_says(small_study, small_base, goes_on):
    training = {**small_study["training"], "train_on_after_violation": goes_on}
    changes: dict[str, Any] = {"training": training, "property": "G !hazard"}
    changes["task_policies"] = ["projected_ppo_selection"]
    changes["sweep"] = {k: v for k, v in small_study["sweep"].items() if k != "methods"}
    study = Study.model_validate({**small_study, **changes})
    settings = SOURCES["projected_ppo_selection"]().settings_in(study, ())
    base = PolicyFile(small_base, "0" * 64, {})
    task = study.task(20, 0, RatioConstraint(alpha=1.5))
    config = index_config(task, settings.training, base, 8)
    assert config.ends_when_violated == (None if goes_on else "G !hazard")
    assert config._context()["ends_when_violated"] == config.ends_when_violated


def test_it_makes_other_cells_and_may_be_an_axis(small_study):
    def ids(**changes: Any) -> dict[str, set[str]]:
        study = Study.model_validate({**small_study, **changes})
        cells = Plan.of(study, certificate()).cells.values()
        assert all(cell.is_of(study, certificate()) for cell in cells)
        again = [type(cell).model_validate_json(cell.model_dump_json()) for cell in cells]
        assert again == list(cells)
        return {name: {c.id for c in cells if c.source == name} for name in (UNDER, FREE)}

    ends = ids()
    goes_on = ids(training={**small_study["training"], **ON})
    assert not ends[UNDER] & goes_on[UNDER]
    assert ends[FREE] == goes_on[FREE]  # a free policy has nothing of it
    axis = {"hyperparameters": {"train_on_after_violation": [False, True]}}
    both = ids(sweep={**small_study["sweep"], **axis})
    assert len(both[UNDER]) == 2 * len(ends[UNDER])
    assert both[FREE] == ends[FREE]
