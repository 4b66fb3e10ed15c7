"""Which engine trains a cell: decided by the study and the source, and part of the cell's name."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.sweep.engine import engine_of
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies.ppo import UnconstrainedSource
from sport_ray.experiments.task_policies.source import NoSettings, TaskPolicySource
from tests.experiments.known_certificate import certificate

BOTH = ("projected_ppo", "unconstrained")


def cells(study: dict, **changes) -> dict[tuple, str]:
    """The ids of a study's cells by what they are."""
    plan = Plan.of(Study.model_validate({**study, **changes}), certificate())
    return {
        (cell.source, cell.constraint, cell.horizon, cell.seed): cell.id
        for cell in plan.cells.values()
    }


@pytest.mark.parametrize(
    ("engine", "used"), [("auto", "cohort"), ("cohort", "cohort"), ("single", "single")]
)
def test_sources_by_ppo_are_trained_as_the_study_says(small_study, engine, used):
    study = Study.model_validate(small_study | {"engine": engine})
    assert [engine_of(study, name) for name in BOTH] == [used, used]
    plan = Plan.of(study, certificate())
    assert {cell.engine for cell in plan.cells.values()} == {used}


def test_other_sources_have_no_engine(small_study):
    small_study |= {"task_policies": ["scpo", "projected_ppo_selection", "imported"]}
    small_study["task_policies"] = {"scpo": {}, "projected_ppo_selection": {}}
    study = Study.model_validate(small_study)
    assert [engine_of(study, name) for name in study.sources] == [None, None]


def test_the_two_engines_have_cells_of_their_own_and_auto_is_one_of_them(small_study):
    auto, cohort, single = (
        cells(small_study, engine=engine) for engine in ("auto", "cohort", "single")
    )
    assert auto == cohort
    assert auto.keys() == single.keys()
    assert set(auto.values()).isdisjoint(single.values())


def test_what_else_is_in_the_study_decides_nothing(small_study):
    """A cell without company has the name that it has in company."""
    alone = {**small_study["sweep"], "alphas": [1.5], "methods": ["projected_ppo"]}
    many = {**small_study["sweep"], "alphas": [1.0, 1.5, 3.0], "seeds": [0, 1, 2]}
    [(key, name)] = cells(small_study, sweep=alone).items()
    assert cells(small_study, sweep=many)[key] == name


def test_an_engine_changes_no_name_of_another_source(small_study):
    found = [
        cells(small_study, task_policies={"scpo": {}}, engine=engine)
        for engine in ("auto", "single")
    ]
    assert found[0] == found[1]


def test_a_cell_of_another_engine_is_not_the_studys(small_study):
    study = Study.model_validate(small_study)
    [*_, cell] = Plan.of(study, certificate()).cells.values()
    assert cell.is_of(study, certificate())
    other = Study.model_validate(small_study | {"engine": "single"})
    assert not cell.is_of(other, certificate())
    assert not cell.model_copy(update={"engine": "single"}).is_of(study, certificate())


def test_cohorts_of_what_can_be_in_none_are_refused_in_one_line(small_study):
    study = small_study | {"engine": "cohort", "task_policies": ["projected_ppo", "scpo"]}
    with pytest.raises(UserError) as refused:
        parse_study(study, "study")
    assert "\n" not in str(refused.value)
    assert "the task policies of scpo cannot be trained in a cohort" in str(refused.value)
    assert str(refused.value).endswith("leave engine out, or take auto")
    with pytest.raises(UserError, match="engine"):
        parse_study(small_study | {"engine": "fast"}, "study")


def test_a_source_that_trains_otherwise_than_its_parent_is_in_no_cohort():
    class Otherwise(UnconstrainedSource):
        """PPO with a way of its own."""

        name = "otherwise"

        def train(self, task, settings, base, certificate):
            raise NotImplementedError

    try:
        assert Otherwise.why_alone is not None
        assert UnconstrainedSource.why_alone is None
    finally:
        del SOURCES[Otherwise.name]


@pytest.mark.parametrize("given", [(), ("env_steps",), ("configuration",)])
def test_a_source_for_cohorts_without_its_run_is_refused_at_its_class(given):
    """Else the sweep would find out, when it packs its cells."""
    inherited = {method: getattr(UnconstrainedSource, method) for method in given}
    said = {"title": "", "settings": NoSettings, "promise": "", "why_alone": None}
    [lacking, *_] = [m for m in ("configuration", "env_steps") if m not in given]
    with pytest.raises(ValueError, match=f"source '.*:vain' has why_alone = None and no {lacking}"):
        type("Vain", (TaskPolicySource,), {"name": "vain", **said, **inherited})
    assert not [name for name in SOURCES if "vain" in name]
