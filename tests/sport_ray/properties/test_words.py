"""Properties in words: nothing of the formula is lost."""

from __future__ import annotations

import pytest
from hypothesis import given

from sport_ray.errors import UserError
from sport_ray.properties.syntax import Formula
from sport_ray.properties.words import in_words
from tests.sport_ray.properties.semantics import formulas


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("(!hazard) U[0,9] goal", "reach “goal” within 9 steps, with no “hazard” before it"),
        ("G !too_fast", "never “too fast”"),
        ("G F home", "always (reach “home”)"),
        ("near -> X home", "if “near”, then (“home” at the next step)"),
        ("a <-> !b", "“a” exactly when not “b”"),
        ("a U b", "reach “b”, with “a” until then"),
        ("N true", "true at the next step, if there is one"),
    ],
)
def test_words(formula: str, words: str) -> None:
    assert in_words(formula) == words


@given(formulas())
def test_every_proposition_is_named(formula: Formula) -> None:
    words = in_words(str(formula))
    for name in formula.names():
        assert f"“{name.replace('_', ' ')}”" in words


def test_what_cannot_be_read_is_a_user_error() -> None:
    with pytest.raises(UserError):
        in_words("goal U")
