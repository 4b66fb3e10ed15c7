"""What a property promises its callers: checks, batches, names, pickling; reach-avoid by hand."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.properties import NEVER, Property, parse_property
from sport_ray.properties import property as property_module
from tests.sport_ray.properties.semantics import VALUES, batches, formulas

REACH_AVOID = parse_property("(!hazard) U goal")


def assert_same(got, want):
    for one, other in zip(got, want, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@given(formulas(), batches(), st.sampled_from(VALUES))
@settings(deadline=None)
def test_what_lies_beyond_the_length_is_ignored(formula, batch, filling):
    signals, lengths = batch
    prop = Property(str(formula))
    beyond = np.arange(signals["a"].shape[1]) >= lengths[:, None]
    wanted = prop.evaluate(signals, lengths)
    for padding in (filling, np.nan):
        padded = {name: np.where(beyond, padding, x) for name, x in signals.items()}
        assert_same(prop.evaluate(padded, lengths), wanted)


@given(formulas(), batches())
@settings(deadline=None)
def test_a_batch_is_its_rows(formula, batch):
    signals, lengths = batch
    prop = Property(str(formula))
    together = prop.evaluate(signals, lengths)
    for i, length in enumerate(lengths):
        alone = prop.evaluate({name: x[i, :length] for name, x in signals.items()})
        for name in ("robustness", "satisfied", "satisfied_at", "violated_at"):
            assert getattr(alone, name).tolist() == [getattr(together, name)[i]]
        np.testing.assert_array_equal(alone.by_step[0], together.by_step[i, :length])
        assert (together.by_step[i, length - 1 :] == together.satisfied[i]).all()


@given(formulas(), batches(count=4), st.permutations(range(4)))
@settings(deadline=None)
def test_the_order_of_trajectories_does_not_matter(formula, batch, order):
    signals, lengths = batch
    prop = Property(str(formula))
    shuffled = prop.evaluate({name: x[order] for name, x in signals.items()}, lengths[order])
    assert_same(shuffled, [column[order] for column in prop.evaluate(signals, lengths)])


def test_blocks_of_rows_are_one_batch(monkeypatch):
    rng = np.random.default_rng(3)
    signals = {name: rng.normal(size=(50, 7)) for name in ("hazard", "goal")}
    lengths = rng.integers(1, 8, size=50)
    wanted = REACH_AVOID.evaluate(signals, lengths)
    monkeypatch.setattr(property_module, "_BLOCK", 100)
    assert_same(REACH_AVOID.evaluate(signals, lengths), wanted)


def test_no_trajectories():
    verdict = REACH_AVOID.evaluate({"hazard": np.ones((0, 5)), "goal": np.ones((0, 5))})
    assert [column.shape for column in verdict] == [(0,), (0,), (0, 5), (0,), (0,)]


@pytest.mark.parametrize(
    ("hazard", "goal", "satisfied", "at"),
    [
        ([-1, -1], [-1, 0], True, (1, NEVER)),  # the goal's edge is the goal
        ([-1, 0, -1], [-1, -1, 1], True, (2, NEVER)),  # the hazard's edge is not the hazard
        ([-1, 5e-324, -1], [-1, -1, 1], False, (NEVER, 1)),
        ([1, -1], [0, -1], True, (0, NEVER)),  # the goal at the start; the hazard does not count
        ([-1, 1], [-1, 1], True, (1, NEVER)),  # goal and hazard at once
        ([-1, -1], [-1, -5e-324], False, (NEVER, NEVER)),  # time ran out
        ([-np.inf, -np.inf], [-np.inf, np.inf], True, (1, NEVER)),
        ([-0.0, -1], [-1, -0.0], True, (1, NEVER)),
    ],
)
def test_reach_avoid_at_its_edges(hazard, goal, satisfied, at):
    verdict = REACH_AVOID.evaluate({"hazard": hazard, "goal": goal})
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
        ({"hazard": [-1.0, np.nan], "goal": [-1.0, 1.0]}, None, "'hazard' holds NaN inside"),
        ({"hazard": [-1.0, -1.0], "goal": [1.0, np.nan]}, [2], "'goal' holds NaN inside"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [0], r"lengths must lie in 1 … 2, got 0"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [3], r"lengths must lie in 1 … 2, got 3"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [1, 1], r"lengths must be integers"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [1.5], r"lengths must be integers"),
        ({"hazard": [-1.0, 1.0], "goal": [1.0, 1.0]}, [True], r"lengths must be integers"),
    ],
)
def test_what_has_no_verdict_is_refused(signals, lengths, message):
    with pytest.raises(ValueError, match=message):
        REACH_AVOID.evaluate(signals, lengths)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("(!hazard) U goal", ("hazard", "goal")),
        ("F goal & G (hazard -> F[0,5] clear)", ("goal", "hazard", "clear")),
        ("b & a | X b", ("b", "a")),
        ("a | true", ("a",)),  # named, though nothing depends on it
    ],
)
def test_the_propositions_in_order_of_appearance(formula, names):
    assert parse_property(formula).signal_names == names


@pytest.mark.parametrize(
    ("formula", "goal"),
    [
        ("(!hazard) U goal", "goal"),
        ("!x U x", "x"),
        ("hazard U goal", None),
        ("(!hazard) U[0,9] goal", None),
        ("(!hazard) U (!goal)", None),
        ("(!hazard) R goal", None),
        ("(!!hazard) U goal", None),
        ("!(hazard U goal)", None),
        ("F goal", None),
    ],
)
def test_the_eventual_goal_is_that_of_reach_avoid_only(formula, goal):
    assert parse_property(formula).eventual_goal == goal


def test_a_property_is_its_canonical_text():
    spellings = ["(!hazard) U goal", " ( ! hazard )U goal ", "!hazard U goal", "!hazard  U\tgoal"]
    assert {parse_property(text) for text in spellings} == {REACH_AVOID}
    with pytest.raises(AttributeError):
        REACH_AVOID.formula = "F goal"  # type: ignore[misc]


def test_a_property_is_sent_to_other_processes_by_its_text_alone():
    prop = parse_property("F goal & G (hazard -> F[0,500] clear)")
    prop.compile()
    data = pickle.dumps(prop)
    assert len(data) < 250
    assert pickle.loads(data) == prop


def test_a_disagreement_of_the_two_evaluations_is_an_error(monkeypatch):
    monkeypatch.setattr(property_module, "robustness", lambda *_: np.array([-1.0]))
    with pytest.raises(RuntimeError, match="disagree"):
        REACH_AVOID.evaluate({"hazard": [-1.0], "goal": [1.0]})
