"""Reach-avoid against the semantics of LTL on finite traces, written out state by state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sport_ray.errors import UserError
from sport_ray.properties import ReachAvoid, parse_property
from sport_ray.properties.reach_avoid import NEVER

PROPERTY = ReachAvoid()
# Few values, so that ties, zeros and repeats are common.
values = st.sampled_from([-np.inf, -2.0, -0.5, 0.0, 0.5, 1.0, np.inf])


def until(avoid: list[bool], reach: list[bool], start: int = 0) -> bool:
    """``(!avoid) U reach`` by its expansion law: r or (not a and next (!a U r)), strong next."""
    if reach[start]:
        return True
    last = start == len(reach) - 1
    return not avoid[start] and not last and until(avoid, reach, start + 1)


def robustness(avoid: list[float], reach: list[float]) -> float:
    """The quantitative semantics of STL's until, by definition."""
    return max(min([reach[t], *(-a for a in avoid[:t])]) for t in range(len(reach)))


@st.composite
def traces(draw, count: int = 4):
    """Signals (count, L) with L ≤ 5, and lengths."""
    width = draw(st.integers(1, 5))
    signals = {
        name: draw(hnp.arrays(np.float64, (count, width), elements=values))
        for name in ("hazard", "goal")
    }
    return signals, draw(hnp.arrays(np.int64, count, elements=st.integers(1, width)))


@given(traces())
def test_verdicts_are_those_of_the_logic(given_traces):
    signals, lengths = given_traces
    verdict = PROPERTY.evaluate(signals, lengths)
    for i, length in enumerate(lengths):
        avoid, reach = (list(signals[name][i, :length]) for name in ("hazard", "goal"))
        holds = until([a > 0 for a in avoid], [r >= 0 for r in reach])
        assert verdict.satisfied[i] == holds
        assert verdict.violated[i] == (not holds)
        assert verdict.robustness[i] == robustness(avoid, reach)
        assert (verdict.robustness[i] < 0) == verdict.violated[i]


@given(traces())
def test_the_times_are_when_the_verdict_is_fixed(given_traces):
    """Prefix by prefix: satisfied from satisfied_at on; beyond rescue from violated_at on."""
    signals, lengths = given_traces
    verdict = PROPERTY.evaluate(signals, lengths)
    for i, length in enumerate(lengths):
        avoid = [a > 0 for a in signals["hazard"][i, :length]]
        reach = [r >= 0 for r in signals["goal"][i, :length]]
        good = [t for t in range(length) if until(avoid[: t + 1], reach[: t + 1])]
        # No continuation helps: not even one in which the goal comes next.
        hopeless = [
            t for t in range(length) if not until([*avoid[: t + 1], False], [*reach[: t + 1], True])
        ]
        reached = [t for t in range(length) if reach[t]]
        assert verdict.satisfied_at[i] == (good[0] if good else NEVER)
        assert verdict.violated_at[i] == (hopeless[0] if hopeless else NEVER)
        assert verdict.reached_at[i] == (reached[0] if reached else NEVER)
        assert good == list(range(good[0], length) if good else [])  # it stays satisfied
        assert not (good and hopeless)


@given(traces(), st.floats(0.0, 3.0))
def test_robustness_is_a_margin(given_traces, shift):
    """Moving every signal by less than |ρ| leaves the verdict; by more in the bad way flips it."""
    signals, lengths = given_traces
    before = PROPERTY.evaluate(signals, lengths)
    worse = {"hazard": signals["hazard"] + shift, "goal": signals["goal"] - shift}
    after = PROPERTY.evaluate(worse, lengths)
    np.testing.assert_array_equal(after.satisfied, before.robustness - shift >= 0)


@given(traces(), values)
def test_what_lies_beyond_the_length_is_ignored(given_traces, filling):
    signals, lengths = given_traces
    beyond = np.arange(signals["goal"].shape[1]) >= lengths[:, None]
    wanted = PROPERTY.evaluate(signals, lengths)
    for padding in (filling, np.nan):
        padded = {name: np.where(beyond, padding, x) for name, x in signals.items()}
        for got, want in zip(PROPERTY.evaluate(padded, lengths), wanted, strict=True):
            np.testing.assert_array_equal(got, want)


@given(traces())
def test_a_batch_is_its_rows(given_traces):
    signals, lengths = given_traces
    batch = PROPERTY.evaluate(signals, lengths)
    for i, length in enumerate(lengths):
        alone = PROPERTY.evaluate({name: x[i, :length] for name, x in signals.items()})
        for got, want in zip(alone, batch, strict=True):
            assert got.shape == (1,) and got[0] == want[i]


@pytest.mark.parametrize(
    ("hazard", "goal", "satisfied", "at"),
    [
        ([-1, -1], [-1, 0], True, (1, NEVER)),  # the goal's edge is the goal
        ([-1, 0, -1], [-1, -1, 1], True, (2, NEVER)),  # the hazard's edge is not the hazard
        ([-1, 5e-324, -1], [-1, -1, 1], False, (NEVER, 1)),
        ([1, -1], [0, -1], True, (0, NEVER)),  # the goal at the start; the hazard does not count
        ([-1, 1], [-1, 1], True, (1, NEVER)),  # goal and hazard at once
        ([-1, -1], [-1, -5e-324], False, (NEVER, NEVER)),  # time ran out
    ],
)
def test_edges(hazard, goal, satisfied, at):
    verdict = PROPERTY.evaluate({"hazard": hazard, "goal": goal})
    assert (verdict.satisfied[0], verdict.satisfied_at[0], verdict.violated_at[0]) == (
        satisfied,
        *at,
    )


@pytest.mark.parametrize(
    ("signals", "lengths", "message"),
    [
        ({"goal": [1.0]}, None, "signal 'hazard' is missing"),
        ({"hazard": [1.0], "goal": [1.0, 2.0]}, None, "share a shape"),
        ({"hazard": np.ones((2, 0)), "goal": np.ones((2, 0))}, None, "share a shape"),
        ({"hazard": np.ones((2, 2, 2)), "goal": np.ones((2, 2, 2))}, None, "share a shape"),
        ({"hazard": [-1.0, np.nan], "goal": [-1.0, 1.0]}, None, "NaN inside"),
        ({"hazard": [-1.0, -1.0], "goal": [1.0, np.nan]}, [2], "NaN inside"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [0], r"lengths must lie in 1 … 2, got 0"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [3], r"lengths must lie in 1 … 2, got 3"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [1, 1], r"lengths must be integers"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [1.5], r"lengths must be integers"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [True], r"lengths must be integers"),
    ],
)
def test_what_has_no_verdict_is_refused(signals, lengths, message):
    with pytest.raises(ValueError, match=message):
        PROPERTY.evaluate(signals, lengths)


@pytest.mark.parametrize(
    "formula", ["(!hazard) U goal", " ( ! hazard )U goal ", "!hazard U goal", "! hazard  U  goal"]
)
def test_spellings_of_one_property(formula):
    assert parse_property(formula) == ReachAvoid("hazard", "goal")


@pytest.mark.parametrize(("avoid", "reach"), [("U1", "_U"), ("my_Unit", "goalU"), ("a", "a")])
def test_names_survive_a_round_trip(avoid, reach):
    prop = ReachAvoid(avoid, reach)
    assert parse_property(prop.formula) == prop
    assert prop.signal_names == (avoid, reach)


@pytest.mark.parametrize(
    "formula",
    [
        "", "U", "goal", "hazard U goal", "(!hazard U goal)", "(!hazard U goal", "!hazard) U goal",
        "!hazardUgoal", "!hazard Ugoal", "(!hazard) Ugoal", "!hazardU goal", "G !hazard",
        "(!hazard) U", "(!1) U goal", "(!hazard) U goal extra", "((!hazard)) U goal",
    ],
)  # fmt: skip
def test_other_formulas_are_refused_in_one_line(formula):
    with pytest.raises(UserError, match="is not understood") as caught:
        parse_property(formula)
    assert repr(formula) in str(caught.value) and "\n" not in str(caught.value)
