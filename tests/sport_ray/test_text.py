"""Foreign text cannot steer a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.text import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("torch 2\n\x1b[1A\x1b[2K\r[green]passed", "torch 2 [1A[2K [green]passed"),
        ("\x1b]0;title\x07name", "]0;titlename"),
        ("\x9b31mred", "31mred"),
        ("abc\u202egpj.exe\u2066x\u200b", "abcgpj.exex"),
        ("a\tb\r\nc\u2028d\x85e", "a b c d e"),
        ("\ud800lone", "lone"),
        ("ε_base ≤ 0.1 – Größe 🚀", "ε_base ≤ 0.1 – Größe 🚀"),
    ],
)
def test_controls_go_and_what_can_be_seen_stays(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_takes_anything_that_has_a_text() -> None:
    assert plain(ValueError("a\x1bb")) == "ab"


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    kinds = {unicodedata.category(char) for char in plain(text)}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert plain(plain(text)) == plain(text)
