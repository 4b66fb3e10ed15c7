"""Verdicts on prefixes, and when they are fixed, against all prefixes and all continuations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.properties import NEVER, Property, parse_property
from sport_ray.properties.normal_form import NormalForm
from sport_ray.properties.parser import parse
from sport_ray.properties.property import compiled
from sport_ray.properties.robustness import robustness
from sport_ray.properties.syntax import Formula
from tests.sport_ray.properties.semantics import batches, formulas, holds, rows

# Continuations tried: all traces over two propositions with these values (below, at and above 0).
LETTERS = (-1.0, 0.0, 1.0)
AHEAD = 4


@given(formulas(), batches(count=2))
@settings(max_examples=200, deadline=None)
def test_the_verdict_on_every_prefix(formula, batch):
    signals, lengths = batch
    verdict = Property(str(formula)).evaluate(signals, lengths)
    for i, (trace, length) in enumerate(rows(signals, lengths)):
        for t in range(len(verdict.by_step[i])):
            assert verdict.by_step[i, t] == holds(formula, trace, min(t + 1, length))


@given(st.data(), batches(count=3, max_length=12, values=LETTERS))
@settings(max_examples=150, deadline=None)
def test_several_requests_open_at_once(data, batch):
    """The same obligation within different windows: only what another one implies is dropped."""
    low, more = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    window = f"[{low},{low + more}]"
    answer = data.draw(st.sampled_from([f"F{window} b", f"G{window} b", f"c U{window} b"]))
    answer = data.draw(st.sampled_from([answer, f"!({answer})"]))
    formula = parse(data.draw(st.sampled_from(["G (a -> {})", "F (a & {})"])).format(answer))
    signals, lengths = batch
    # Rare requests, and rare answers or rare gaps in them, make verdicts that hang on one of them.
    rare, usual = signals["c"] > 0, data.draw(st.sampled_from([-1.0, 1.0]))
    signals |= {"a": np.where(rare, signals["a"], -1.0), "b": np.where(rare, signals["b"], usual)}
    verdict = Property(str(formula)).evaluate(signals, lengths)
    for i, (trace, length) in enumerate(rows(signals, lengths)):
        prefixes = [holds(formula, trace, t + 1) for t in range(length)]
        assert verdict.by_step[i, :length].tolist() == prefixes


@pytest.mark.parametrize(
    ("formula", "a", "b", "by_step"),
    [
        # b answers the first request only: the second one's window opens a step later.
        ("G (a -> F[2,3] b)", [1, 1, -1, -1, -1, -1], [-1, -1, 1, -1, -1, -1], [0, 0, 0, 0, 0, 0]),
        ("G (a -> F[2,3] b)", [1, 1, -1, -1, -1, -1], [-1, -1, -1, 1, -1, -1], [0, 0, 0, 1, 1, 1]),
        ("G (a -> F[2,3] b)", [1, 1, -1, -1, -1, -1], [-1, -1, 1, -1, 1, -1], [0, 0, 0, 0, 1, 1]),
        # The first promise ends at step 3, the second one at step 4.
        ("G (a -> G[2,3] b)", [1, 1, -1, -1, -1, -1], [-1, -1, 1, 1, -1, 1], [1, 1, 1, 1, 0, 0]),
        ("G (a -> G[2,3] b)", [1, -1, 1, -1, -1, -1], [-1, -1, 1, 1, 1, -1], [1, 1, 1, 1, 1, 0]),
        ("G (a -> G[0,3] b)", [1, 1, -1, -1, -1, -1], [1, 1, 1, 1, -1, 1], [1, 1, 1, 1, 0, 0]),
        ("G (a -> G[0,3] b)", [1, 1, -1, -1, -1, -1], [1, 1, 1, 1, 1, -1], [1, 1, 1, 1, 1, 1]),
        ("F (a & G[1,2] b)", [1, 1, -1, -1, -1, -1], [-1, -1, 1, 1, -1, -1], [1, 1, 1, 1, 1, 1]),
        ("F (a & G[1,2] b)", [1, 1, -1, -1, -1, -1], [-1, -1, 1, -1, -1, -1], [1, 1, 1, 0, 0, 0]),
    ],
)
def test_windows_by_hand(formula, a, b, by_step):
    verdict = parse_property(formula).evaluate({"a": a, "b": b})
    assert verdict.by_step.astype(int).tolist() == [by_step]


def reach(formula: Formula) -> int:
    """How many states at most decide a formula, once it is not fixed: a generous count."""
    inner = [reach(arg) for arg in formula.args]
    own = {"X": 1, "N": 1, "F": 1, "G": 1, "U": 1, "R": 1}.get(formula.op, 0)
    if formula.bounds is not None:
        own = formula.bounds[1]
    return own + sum(inner)


def verdicts_of_continuations(formula: Formula, prefix: dict[str, np.ndarray]) -> set[bool]:
    """The verdicts on the prefix with 0 … AHEAD more states, all values of them tried."""
    form = NormalForm()
    root = form.add(formula)
    names = formula.names()
    tails = np.array(list(product(LETTERS, repeat=AHEAD * len(names))))
    tails = tails.reshape(len(tails), len(names), AHEAD)
    signals = {
        name: np.hstack([np.tile(prefix[name], (len(tails), 1)), tails[:, i]])
        for i, name in enumerate(names)
    }
    start = len(prefix[names[0]])
    found = set()
    for length in range(start, start + AHEAD + 1):
        values = robustness(form, root, signals, np.full(len(tails), length))
        found |= set((values >= 0).tolist())
    return found


@given(
    formulas(names="ab", max_leaves=4, max_bound=3), batches(count=1, max_length=3, values=LETTERS)
)
@settings(max_examples=120, deadline=None)
def test_fixed_is_when_no_continuation_changes_the_verdict(formula, batch):
    assume(reach(formula) <= AHEAD)
    signals, lengths = batch
    verdict = Property(str(formula)).evaluate(signals, lengths)
    fixed: dict[bool, int] = {True: NEVER, False: NEVER}
    for t in reversed(range(lengths[0])):
        prefix = {name: signals[name][0, : t + 1] for name in formula.names()}
        found = verdicts_of_continuations(formula, prefix)
        if len(found) == 1:
            fixed[found.pop()] = t
    assert (verdict.satisfied_at[0], verdict.violated_at[0]) == (fixed[True], fixed[False])


@given(formulas(), batches())
@settings(max_examples=200, deadline=None)
def test_a_fixed_verdict_is_that_of_all_later_prefixes(formula, batch):
    signals, lengths = batch
    verdict = Property(str(formula)).evaluate(signals, lengths)
    for i in range(len(lengths)):
        good, bad = verdict.satisfied_at[i], verdict.violated_at[i]
        assert NEVER in (good, bad)
        assert good < lengths[i]
        assert bad < lengths[i]
        if good != NEVER:
            assert verdict.by_step[i, good:].all()
            assert verdict.satisfied[i]
        if bad != NEVER:
            assert not verdict.by_step[i, bad:].any()
            assert verdict.violated[i]


@pytest.mark.parametrize(
    ("formula", "a", "b", "by_step", "satisfied_at", "violated_at"),
    [
        ("(!a) U b", [-1, -1, -1, 1], [-1, -1, 1, -1], [0, 0, 1, 1], 2, NEVER),
        ("(!a) U b", [-1, 1, -1, -1], [-1, -1, 1, 1], [0, 0, 0, 0], NEVER, 1),
        ("(!a) U b", [-1, -1, -1, -1], [-1, -1, -1, -1], [0, 0, 0, 0], NEVER, NEVER),
        ("G !a", [-1, -1, -1, -1], [0, 0, 0, 0], [1, 1, 1, 1], NEVER, NEVER),
        ("G !a & G b", [-1, -1, 1, -1], [1, 1, 1, 1], [1, 1, 0, 0], NEVER, 2),
        ("F a | G b", [-1, -1, 1, -1], [1, -1, -1, -1], [1, 0, 1, 1], 2, NEVER),
        # Satisfied, undone, satisfied again: a prefix verdict need not stay.
        ("G (a -> F b)", [-1, 1, -1, 1], [-1, -1, 1, -1], [1, 0, 1, 0], NEVER, NEVER),
        # The clock of the first request that is still open runs out.
        ("G (a -> F[0,1] b)", [1, 1, -1, -1], [-1, 1, -1, -1], [0, 1, 1, 1], NEVER, NEVER),
        ("G (a -> F[0,1] b)", [-1, 1, 1, -1], [-1, -1, -1, 1], [1, 0, 0, 0], NEVER, 2),
        # Fixed by the time that has passed alone.
        ("G[0,2] a | F[9,9] b", [1, 1, 1, 1], [-1, -1, -1, -1], [1, 1, 1, 1], 2, NEVER),
        ("F[0,1] a & F b", [-1, -1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], NEVER, 1),
        ("X X a | b", [-1, -1, -1, 1], [-1, 1, 1, 1], [0, 0, 0, 0], NEVER, 2),
        ("N N a & !b", [-1, -1, 1, 1], [-1, 1, 1, 1], [1, 1, 1, 1], 2, NEVER),
        # At exactly 0 both a and !a hold, so this is never beyond hope …
        ("F (a & !a) | G false & b", [1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], 3, NEVER),
        # … and this holds from the start, whatever comes.
        ("G (a | !a) & (b | !b)", [1, -1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], 0, NEVER),
    ],
)
def test_fixed_by_hand(formula, a, b, by_step, satisfied_at, violated_at):
    verdict = parse_property(formula).evaluate({"a": a, "b": b})
    assert verdict.by_step.astype(int).tolist() == [by_step]
    assert (verdict.satisfied_at[0], verdict.violated_at[0]) == (satisfied_at, violated_at)


@pytest.mark.parametrize(
    ("formula", "most"),
    [
        ("(!a) U b", 4),
        ("F b & G (a -> F[0,5] c)", 20),
        ("G (a -> F[0,200] b)", 210),
        ("G (a -> G[0,200] b)", 210),
        ("G (a -> F[0,20] (b & F[0,20] c))", 2500),
    ],
)
def test_a_bound_costs_one_state_a_step(formula, most):
    """Of several open requests with the same answer only the most urgent one is kept."""
    assert len(compiled(parse_property(formula).formula).automaton.table) <= most


def test_parts_of_the_present_state_are_one_letter():
    formula = "G !(a & b | c) & F (d & !e & f & g)"
    assert len(compiled(parse_property(formula).formula).automaton.letters) == 4


@pytest.mark.parametrize(
    "formula",
    [
        "F[0,1000000] a",  # too many states
        "G ((a U[2,9] b) <-> F[2,7] c)",  # too much work
        " & ".join(f"F p{i}" for i in range(20)),  # too many letters
    ],
)
def test_what_is_too_large_is_refused_in_one_line(formula):
    prop = parse_property(formula)
    with pytest.raises(UserError, match=r"too large to monitor .*: shorten its bounds") as caught:
        prop.compile()
    assert repr(prop.formula) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_limits_are_the_automatons_not_the_robustness():
    """ρ of a formula that has no automaton: long bounds alone are no trouble there."""
    form = NormalForm()
    root = form.add(parse("F[0,1000000] a"))
    value = robustness(form, root, {"a": np.array([[-1.0, -3.0, -0.5]])}, np.array([3]))
    assert value.tolist() == [-0.5]
