"""Booleans are Booleans, and numbers that may be flags are refused, however a set is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.properties import parse_property
from sport_ray.rollouts import Tally
from sport_ray.rollouts.signal_kinds import SignalKinds


def kinds(formula: str, *parts: list[float], boolean: bool = False) -> SignalKinds:
    """What a set of one-signal trajectories amounts to, each part seen by another worker."""
    total = SignalKinds()
    for values in parts:
        seen = SignalKinds()
        row = np.array([[*values, math.nan]])  # beyond the end
        [name] = parse_property(formula).signal_names
        names = frozenset({name}) if boolean else frozenset()
        seen.see(formula, {name: row}, np.array([len(values)]), names)
        total.add(seen)
    return total


@pytest.mark.parametrize("formula", ["F p", "G !p", "F (p & X !p)"])
@pytest.mark.parametrize("parts", [([0.0, 1.0],), ([0.0],), ([1.0], [1.0]), ([0.0], [0.0, 1.0])])
def test_numbers_that_only_ever_were_flags_are_refused(formula, parts):
    with pytest.raises(UserError, match=r"'p' .* only ever was 0 or 1.*Boolean, or p - 0\.5"):
        kinds(formula, *parts).require_told()
    kinds(formula, *[[2 * v - 1 for v in part] for part in parts], boolean=True).require_told()


@pytest.mark.parametrize("formula", ["F p", "G !p"])
@pytest.mark.parametrize(
    "parts", [([-0.5, 0.5],), ([0.0, 1.0], [-2.0, 3.0]), ([0.25],), ([-1.0],), ([-1.0, 1.0],)]
)
def test_one_other_number_anywhere_in_the_set_is_enough(formula, parts):
    kinds(formula, *parts).require_told()


@pytest.mark.parametrize(
    ("formula", "values", "refused"),
    [
        ("F p", [0.0, 2.0], True),  # a count of contacts: none is no contact
        ("G !p", [0.0, 2.0], False),
        ("G !p", [-3.0, 0.0], True),  # minus a distance that is cut off at 0: contact
        ("F p", [-3.0, 0.0], False),
        ("F (p & X !p)", [0.0, 2.0], True),
        ("F p", [0.5, 2.0], False),
    ],
)
def test_0_must_not_be_the_last_value_on_its_side(formula, values, refused):
    found = kinds(formula, values)
    if refused:
        with pytest.raises(UserError, match=r"never (below|above) 0 and at times exactly 0"):
            found.require_told()
    else:
        found.require_told()


@pytest.mark.parametrize("formula", ["F p", "G !p"])
@pytest.mark.parametrize("parts", [([0.0, -1.0],), ([-1.0, 0.0, 1.0],), ([0.0], [-1.0], [1.0])])
def test_flags_with_a_third_value_are_refused(formula, parts):
    """Lost, not yet, won: 'not yet' is 0, where a proposition holds."""
    with pytest.raises(UserError, match="only ever was -1, 0 or 1"):
        kinds(formula, *parts).require_told()
    kinds(formula, *parts, [2.0, -0.5]).require_told()


def test_values_that_are_0_until_they_are_known_are_refused():
    with pytest.raises(UserError, match="exactly 0, where p holds, in the first state of every"):
        kinds("F p", [0.0, -3.0, 0.5], [0.0, -2.5]).require_told()
    kinds("F p", [0.0, -3.0, 0.5], [-0.5, -2.5]).require_told()
    kinds("G !p", [0.0, -3.0, 0.5]).require_told()  # told as violated, by everyone


def test_a_boolean_here_and_a_number_there_is_refused():
    mixed = kinds("F p", [1.0], boolean=True)
    mixed.add(kinds("F p", [0.0]))
    with pytest.raises(UserError, match="Boolean in some scenarios and a number in others"):
        mixed.require_told()


def test_a_tally_judges_the_whole_set_alone():
    first, second = Tally(1, 1, 0), Tally(1, 1, 0)
    first.signals.add(kinds("F p", [0.0, 1.0]))
    second.signals.add(kinds("F p", [-2.0]))
    total = Tally()
    total.add(first)
    with pytest.raises(UserError, match="only ever was 0 or 1"):
        total.require_complete(1)
    total.add(second)
    total.require_complete(2)
    assert first.signals.kinds == {"p": {"zero", "one"}}  # a part is not written into


def test_booleans_are_judged_as_such_by_the_property_itself():
    goal, hazard = np.array([[False, True], [False, False]]), [[False, False], [False, True]]
    verdict = parse_property("(!hazard) U goal").evaluate({"goal": goal, "hazard": hazard})
    assert verdict.satisfied.tolist() == [True, False]
    assert verdict.robustness.tolist() == [1.0, -1.0]
    with pytest.raises(ValueError, match="'goal' mixes Booleans with numbers"):
        parse_property("F goal").evaluate({"goal": [False, 0.5]})
