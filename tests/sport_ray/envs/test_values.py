"""Numbers, flags and propositions, read from whatever an environment hands out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.envs.values import flag, number, proposition, robustness_of
from sport_ray.errors import UserError

NO_NUMBERS = [None, "1.0", 1j, np.zeros(2), np.zeros((1, 1)), [0.5, 0.5], {}, np.array(["a"])]


@pytest.mark.parametrize(
    "given", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0), np.array([2.0]), [2.0]]
)
def test_one_number_in_any_form(given):
    assert number("reward", given) == 2.0
    assert type(number("reward", given)) is float
    assert proposition("goal", given) == 2.0


@pytest.mark.parametrize("given", NO_NUMBERS)
def test_anything_else_is_named(given):
    for read in (number, proposition):
        with pytest.raises(UserError, match="reward") as caught:
            read("reward", given)
        assert "\n" not in str(caught.value)


def test_nan_and_infinity_are_numbers_here():
    assert math.isnan(number("x", np.float64("nan")))
    assert number("x", -math.inf) == -math.inf


@pytest.mark.parametrize("given", [True, np.bool_(True), np.array(True), np.array([True])])
def test_a_boolean_stays_one_and_is_plus_or_minus_one(given):
    assert proposition("goal", given) is True
    assert flag("terminated", given) is True
    assert robustness_of(proposition("goal", given)) == 1.0
    assert robustness_of(proposition("goal", ~np.asarray(given))) == -1.0


@pytest.mark.parametrize("given", [0, np.int64(0), np.bool_(False), np.array([0])])
def test_ends_may_be_integers(given):
    assert flag("truncated", given) is False


@pytest.mark.parametrize("given", [None, 0.0, math.nan, "False", [True, False]])
def test_ends_are_nothing_else(given):
    with pytest.raises(UserError, match="truncated"):
        flag("truncated", given)
