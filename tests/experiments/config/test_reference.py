"""The page on studies says of every key what its section says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from sport_ray.experiments.config.base import Listed, Natural, Probability, Section
from sport_ray.experiments.config.reference import COMMAND, PAGE, renewed, rows
from sport_ray.experiments.config.study import Study


def test_the_page_is_up_to_date() -> None:
    text = (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8")
    assert renewed(text) == text, f"run: {COMMAND}"


def test_every_key_of_every_section_has_a_meaning() -> None:
    table = {row[0]: row for row in rows(Study)}
    assert [key for key, row in table.items() if len(row[3].split()) < 2] == []
    assert {f"`{name}`" for name in Study.model_fields} <= table.keys()
    assert table["`training.lr`"][2] == "`5e-05`"
    assert table["`base_training.lr`"][2:] == ("`0.0003`", "Learning rate of the policy.")
    assert table["`certificate.stop.target`"][1:3] == ("number > 0, < 1", "required")
    assert "Keys as in `training`, but for:" in table["`unconstrained_training`"][3]
    free = [key for key in table if key.startswith("`unconstrained_training.")]
    assert free == ["`unconstrained_training.train_on_after_violation`"]
    assert "`task_policies.scpo.iterations`" in table


def test_a_key_without_a_docstring_has_no_meaning_and_types_are_told_in_words() -> None:
    class Inner(Section):
        share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
        """A share."""

    class Outer(Section):
        counts: Annotated[list[Natural], Listed] | None = None
        risk: Probability
        inner: Inner = Inner()
        """What is
        inside."""

    assert list(rows(Outer)) == [
        ("`counts`", "list of: whole number ≥ 0", "", ""),
        ("`risk`", "number > 0, < 1", "required", ""),
        ("`inner`", "section", "", "What is inside."),
        ("`inner.share`", "number > 0, ≤ 1", "`0.5`", "A share."),
    ]


def test_a_page_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="study keys: made by python -m"):
        renewed("no marks")
