"""Robustness and the Boolean verdict against their definitions, on random formulas and traces."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.properties import Property
from sport_ray.properties.syntax import Formula
from tests.sport_ray.properties.semantics import batches, formulas, holds, rho, rows


@given(formulas(), batches())
@settings(max_examples=300, deadline=None)
def test_robustness_is_as_defined(formula, batch):
    signals, lengths = batch
    verdict = Property(str(formula)).evaluate(signals, lengths)
    for i, (trace, length) in enumerate(rows(signals, lengths)):
        assert verdict.robustness[i] == rho(formula, trace, length)
        assert verdict.satisfied[i] == holds(formula, trace, length)
        assert verdict.violated[i] == (verdict.robustness[i] < 0)


@given(st.data(), st.integers(0, 40), st.integers(0, 40), st.sampled_from("UR"))
@settings(max_examples=60, deadline=None)
def test_long_windows_on_long_traces(data, low, more, op):
    """Windows of every width, within the trace and beyond: they are put together by doubling."""
    a, b = (Formula("name", name=name) for name in "ab")
    bounds = data.draw(st.sampled_from([None, (low, low + more)]))
    formula = Formula(op, (a, b), bounds)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    # Drifts make the best and the worst state lie anywhere in the window.
    drift = rng.normal(size=(4, 1)) * np.arange(30)
    signals = {
        name: rng.normal(size=(4, 30)) + drift * sign for name, sign in (("a", 1), ("b", -1))
    }
    lengths = rng.integers(1, 31, size=4)
    verdict = Property(str(formula)).evaluate(signals, lengths)
    for i, (trace, length) in enumerate(rows(signals, lengths)):
        assert verdict.robustness[i] == rho(formula, trace, length)


@given(formulas(), batches())
@settings(max_examples=100, deadline=None)
def test_negation_is_the_minus_sign(formula, batch):
    signals, lengths = batch
    plain = Property(str(formula)).evaluate(signals, lengths)
    negated = Property(f"!({formula})").evaluate(signals, lengths)
    np.testing.assert_array_equal(negated.robustness, -plain.robustness)
    # Off the boundary exactly one of the two holds; on it, both.
    np.testing.assert_array_equal(negated.satisfied ^ plain.satisfied, plain.robustness != 0)


@given(formulas(), batches(values=(-2.0, -0.5, 0.0, 0.5, 1.0)), st.floats(0.0, 3.0), st.data())
@settings(max_examples=100, deadline=None)
def test_robustness_is_a_margin(formula, batch, size, data):
    """Signals that move by at most δ move ρ by at most δ."""
    signals, lengths = batch
    prop = Property(str(formula))
    before = prop.evaluate(signals, lengths).robustness
    moved = {
        name: x + data.draw(st.sampled_from([-size, 0.0, size])) for name, x in signals.items()
    }
    after = prop.evaluate(moved, lengths).robustness
    bounded = np.isfinite(before)
    np.testing.assert_array_equal(after[~bounded], before[~bounded])
    # One rounding of each signal: half a unit in the last place of 5.
    assert np.all(np.abs(after[bounded] - before[bounded]) <= size + 2**-50)
