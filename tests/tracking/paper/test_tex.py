"""Text from files is text in LaTeX: no command, and nothing that an engine stops at."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.tracking.paper.tex import escape


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("a_b % c & d # e $ f", r"a\_b \% c \& d \# e \$ f"),
        (r"\input{x}~^", r"\textbackslash{}input\{x\}\textasciitilde{}\textasciicircum{}"),
        ("α ≤ 1.25", r"\ensuremath{\alpha} \ensuremath{\leq} 1.25"),
        ("ε_max", r"\ensuremath{\varepsilon_{\mathrm{max}}}"),
        ("ε_max_2", r"\ensuremath{\varepsilon_{\mathrm{max}}}\_2"),
        ("ε·αᵀ", r"\ensuremath{\varepsilon}\ensuremath{\cdot}\ensuremath{\alpha}\ensuremath{^{T}}"),
        ("1 − 10⁻⁷", r"1 \ensuremath{-} 10\ensuremath{^{-7}}"),
        ("log₁₀", r"log\ensuremath{_{10}}"),
        ("Gauss–Rényi", r"Gauss--R\'{e}nyi"),
        ("ϵ Λ Ε ο", r"\texttt{U+03F5} \ensuremath{\Lambda} E o"),
        ("漢\x07", r"\texttt{U+6F22}\texttt{U+0007}"),
        ("two\nlines", "two lines"),
    ],
)
def test_what_stands_there(text, tex):
    assert escape(text) == tex


KNOWN = re.compile(r"\\(?:[a-zA-Z]+|[{}$&#%_'`^~\"=.,])")


@given(st.text())
def test_whatever_the_text_braces_match_and_it_is_ascii(text):
    tex = escape(text)
    assert tex.isascii()
    assert tex.isprintable()
    bare = re.sub(r"\\[{}]", "", tex)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    # Outside commands nothing special is left.
    assert not re.search(r"(?<!\\)[$&#%]", KNOWN.sub("", tex))
