"""Formulas there and back, precedence, and errors that point at the mistake."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings

from sport_ray.errors import UserError
from sport_ray.properties import parse_property
from sport_ray.properties.parser import MAX_BOUND, MAX_DEPTH, parse
from tests.sport_ray.properties.semantics import formulas


@given(formulas(max_leaves=12, max_bound=99))
@settings(max_examples=300, deadline=None)
def test_the_canonical_text_reads_back_to_the_same_tree(formula):
    assert parse(str(formula)) == formula
    assert str(parse(str(formula))) == str(formula)


@given(formulas(max_leaves=12, max_bound=99))
@settings(deadline=None)
def test_spaces_and_parentheses_do_not_matter(formula):
    text = str(formula)
    wide = text.replace("[", " [ ").replace(",", " , ").replace("]", " ] ").replace("!", " ! ")
    assert parse(f" (\n{wide}\t) ") == formula
    tight = text.replace(" & ", "&").replace(" | ", "|").replace(" -> ", "->")
    assert parse(tight) == formula


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("!hazard U goal", "(!hazard) U goal"),
        ("(!hazard) U goal", "(!hazard) U goal"),
        ("G!hazard", "G !hazard"),
        ("F goal & G (hazard -> F[0,5] clear)", "F goal & G (hazard -> F[0,5] clear)"),
        ("F goal U a", "(F goal) U a"),
        ("a U b U c", "a U (b U c)"),
        ("a U b R c", "a U (b R c)"),
        ("(a U b) U c", "(a U b) U c"),
        ("a U b & c U[2,3] d", "(a U b) & (c U[2,3] d)"),
        ("a & b | c & d", "(a & b) | (c & d)"),
        ("a | b & c", "a | (b & c)"),
        ("a & (b & c)", "a & b & c"),
        ("a -> b -> c", "a -> (b -> c)"),
        ("a <-> b <-> c", "a <-> (b <-> c)"),
        ("a <-> b -> c | d", "a <-> (b -> (c | d))"),
        ("a -> b <-> c", "(a -> b) <-> c"),
        ("! a & b", "!a & b"),
        ("!(a & b)", "!(a & b)"),
        ("X N WX a", "X N N a"),
        ("F [ 0 , 5 ] a", "F[0,5] a"),
        ("G[00,007] a", "G[0,7] a"),
        ("G[3,3] F a", "G[3,3] F a"),
        ("true U a | false", "(true U a) | false"),
        ("U1 & _U & goalU & Xa & trueish", "U1 & _U & goalU & Xa & trueish"),
    ],
)
def test_precedence(text, canonical):
    assert parse_property(text).formula == canonical
    assert parse_property(canonical).formula == canonical


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "expected a proposition, .* found the end"),
        ("   ", 4, "expected a proposition, .* found the end"),
        ("U", 1, "expected a proposition, .* found the operator word 'U'"),
        ("F", 2, "expected a proposition, .* found the end"),
        ("(!hazard) U", 12, "expected a proposition, .* found the end"),
        ("(!hazard U goal", 16, r"expected an operator or '\)', found the end"),
        ("!hazard) U goal", 8, r"expected '&', .* or the end, found '\)'"),
        ("!hazardUgoal x", 14, "or the end, found 'x'"),
        ("a G b", 3, "or the end, found the operator word 'G'"),
        ("a && b", 4, "expected a proposition, .* found '&'"),
        ("a = b", 3, "or the end, found '='"),
        ("!1", 2, "expected a proposition, .* found '1'"),
        ("a & ü", 5, "expected a proposition, .* found 'ü'"),
        ("()", 2, r"expected a proposition, .* found '\)'"),
        ("X[1,2] a", 2, r"expected a proposition, .* found '\['"),
        ("F[0 5] a", 5, "expected ',', found '5'"),
        ("F[0,5 a", 7, r"expected '\]', found 'a'"),
        ("F[-1,5] a", 3, f"expected a number of steps from 0 to {MAX_BOUND}, found '-'"),
        ("F[5,2] a", 5, f"expected a number of steps from 5 to {MAX_BOUND}, found '2'"),
        ("F[0,1.5] a", 6, r"expected '\]', found '\.'"),
        ("F[0,1000001] a", 5, f"expected a number of steps from 0 to {MAX_BOUND}, found"),
        ("a U[0,] b", 7, "expected a number of steps from 0 .* found ']'"),
        ("a\n& & b", 5, "expected a proposition, .* found '&'"),
    ],
)
def test_errors_point_at_the_mistake(text, column, problem):
    with pytest.raises(UserError, match=f", column {column}: .*{problem}") as caught:
        parse_property(text)
    assert str(caught.value).startswith(f"property {text!r}, ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["F[0," + "9" * 10_000 + "] a", "²", "F[0,²] a", "F[٣,٤] a"])
def test_digits_that_python_would_stumble_over(text):
    with pytest.raises(UserError, match="column"):
        parse_property(text)


@pytest.mark.parametrize("text", ["true", "X true | false", "F[0,3] true"])
def test_a_property_must_name_a_proposition(text):
    with pytest.raises(UserError, match="names no proposition: write one"):
        parse_property(text)


DEEP = [
    ("(", "a", ")"),
    ("!", "a", ""),
    ("X ", "a", ""),
    ("F[0,1] ", "a", ""),
    ("a U ", "b", ""),
    ("a -> ", "b", ""),
    ("a <-> ", "b", ""),
    ("!(", "a", ")"),
    ("G (b | X (a & ", "c", "))"),
    ("(a & b | ", "c", " -> d <-> e)"),
]


@pytest.mark.parametrize(("before", "core", "after"), DEEP)
@pytest.mark.parametrize("levels", [2 * MAX_DEPTH + 1, 20_000])
def test_deep_nesting_is_refused_in_one_line(before, core, after, levels):
    with pytest.raises(UserError, match=r"column \d+: expected at most 64 levels") as caught:
        parse_property(before * levels + core + after * levels)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("before", "core", "after"), DEEP)
def test_what_is_accepted_needs_little_of_the_stack(before, core, after):
    """The deepest formula that is accepted is parsed, printed and judged 400 calls down."""

    def deepest() -> str:
        for levels in range(2 * MAX_DEPTH, 0, -1):
            try:
                return parse_property(before * levels + core + after * levels).formula
            except UserError:
                continue
        raise AssertionError

    def down(calls: int, text: str) -> None:
        if calls:
            return down(calls - 1, text)
        prop = parse_property(text)
        assert parse_property(prop.formula) == prop
        verdict = prop.evaluate({name: [[1.0, -1.0, 1.0]] for name in prop.signal_names})
        assert verdict.satisfied.shape == (1,)
        return None

    assert sys.getrecursionlimit() == 1000
    down(400, deepest())


def test_a_long_list_of_conditions_is_not_deep():
    names = [f"p{i}" for i in range(1000)]
    prop = parse_property(" & ".join(names))
    assert prop.formula == " & ".join(names)
    assert prop.signal_names == tuple(names)
