"""The page on studies says of every key what its section says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from sport_ray.experiments import task_policies
from sport_ray.experiments.config.base import Listed, Natural, Probability, Section
from sport_ray.experiments.config.mistakes import sections_of
from sport_ray.experiments.config.reference import AXES, COMMAND, PAGE, SHORT, renewed, rows
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies import SOURCES


def test_the_page_is_up_to_date() -> None:
    text = (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8")
    assert renewed(text) == text, f"run: {COMMAND}"


def test_every_key_of_every_section_has_a_meaning_and_every_number_a_unit() -> None:
    table = {row[0]: row for row in [*rows(Study), *SHORT]}
    assert [key for key, row in table.items() if len(row[4].split()) < 2] == []
    numbers = {key for key, row in table.items() if "number" in row[1]}
    assert [key for key in numbers if not table[key][2]] == []
    others = table.keys() - numbers - {f"`{key}.KEY`" for key in AXES}
    assert [key for key in others if table[key][2]] == []
    assert {f"`{name}`" for name in Study.model_fields} <= table.keys()
    assert {"`task_policy`", "`task_policies.projected_ppo`"} <= table.keys()
    assert table["`training.lr`"][2:4] == ("1", "`5e-05`")
    assert table["`base_training.lr`"][2:] == ("1", "`0.0003`", "Learning rate of the policy.")
    assert table["`certificate.stop.target`"][1:4] == ("number > 0, < 1", "probability", "required")
    assert table["`sweep.hyperparameters.KEY.samples`"][2] == "draws"
    assert "`tuning.parameters.KEY.samples`" not in table
    assert "Keys as in `training`, but for:" in table["`unconstrained_training`"][4]
    free = [key for key in table if key.startswith("`unconstrained_training.")]
    assert free == ["`unconstrained_training.train_on_after_violation`"]
    assert "`task_policies.scpo.iterations`" in table


def test_every_key_that_a_study_takes_has_a_row() -> None:
    """Walked by the schema itself, so that no key is left out by how the table is made."""
    listed = {row[0].strip("`") for row in rows(Study)}

    def keys(section: type[Section], path: str) -> Iterator[str]:
        for name, field in section.model_fields.items():
            yield f"{path}{name}"
            for inner in sections_of(field.annotation):
                yield from keys(inner, f"{path}{name}.")

    as_elsewhere = ("unconstrained_training.", "deployment.process_noise.")
    as_elsewhere += ("deployment.initial_state.deployment.",)  # "Keys as in …"
    missing = {key for key in keys(Study, "") if not key.startswith(as_elsewhere)} - listed
    for name, source in SOURCES.items():
        if source.__module__.startswith(task_policies.__name__):
            missing |= set(keys(source.settings, f"task_policies.{name}.")) - listed
    assert missing == set()


def test_without_a_docstring_there_is_no_meaning_and_without_brackets_no_unit() -> None:
    class Inner(Section):
        share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
        """A share. [1]"""

    class Outer(Section):
        counts: Annotated[list[Natural], Listed] | None = None
        risk: Probability
        inner: Inner = Inner()
        """What is
        inside."""

    assert list(rows(Outer)) == [
        ("`counts`", "list of: whole number ≥ 0", "", "", ""),
        ("`risk`", "number > 0, < 1", "", "required", ""),
        ("`inner`", "section", "", "", "What is inside."),
        ("`inner.share`", "number > 0, ≤ 1", "1", "`0.5`", "A share."),
    ]


def test_a_page_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="study keys: made by python -m"):
        renewed("no marks")
