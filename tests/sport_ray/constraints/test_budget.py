"""What is left of a budget never errs upwards, and nothing that is not a number passes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.constraints.budget import require_budget, require_steps, spent, steps_left
from sport_ray.errors import UserError

amounts = st.floats(0.0, 1e3)


@given(amounts, st.lists(st.floats(-30.0, 1.0), min_size=1, max_size=30))
def test_what_is_left_is_never_above_the_exact_difference(budget, shares):
    state, exact = np.array([[budget, 0.0]]), Fraction(budget)
    for taken, share in enumerate(shares, start=1):
        cost = share if share < 0.0 else share * state[0, 0]
        exact -= Fraction(cost)
        state = spent(state, np.array([cost]))
        assert 0 <= Fraction(state[0, 0]) <= exact
        assert state[0, 1] == taken


@given(amounts)
def test_the_base_costs_nothing_and_all_may_be_spent(budget):
    state = np.array([[budget, 3.0]])
    assert spent(state, np.zeros(1)).tolist() == [[budget, 4.0]]
    assert spent(state, np.array([budget]))[0, 0] == (0.0 if budget else budget)


def test_no_episodes_spend_nothing():
    assert spent(np.zeros((0, 2)), np.zeros(0)).shape == (0, 2)


@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf, np.nextafter(0.5, 1.0), 1e300])
def test_overspending_and_costs_that_are_no_numbers_stop_everything(cost):
    """By a single unit in the last place, and also in one row of many."""
    state = np.tile([0.5, 0.0], (3, 1))
    with pytest.raises(ArithmeticError, match=r"overspent its budget: 0.5 left, cost .* row 1"):
        spent(state, np.array([0.0, cost, 0.5]))


def test_a_state_that_is_no_number_is_refused():
    with pytest.raises(ArithmeticError, match="overspent"):
        spent(np.array([[math.nan, 0.0]]), np.zeros(1))


def test_steps_left_reads_its_table_and_keeps_to_its_last_entry():
    taken = np.array([0.0, 1.0, 2.0, 3.0, 99.0])
    assert steps_left((5.0, 3.0, 0.5), taken).tolist() == [5.0, 3.0, 1.0, 1.0, 1.0]
    assert steps_left((5.0, 3.0), taken).tolist() == [5.0, 3.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize("given", [-1.0, -1e-300, math.nan, math.inf, -math.inf, "2", True, None])
def test_a_budget_out_of_range_is_named(given):
    with pytest.raises(UserError, match="some_budget must be"):
        require_budget("some_budget", given)


@pytest.mark.parametrize(
    "given", [(), (0.0,), (5.0, -1.0), (math.nan,), (math.inf,), "12", 3.0, ("a",), None, ([1.0],)]
)
def test_steps_left_out_of_range_are_named(given):
    with pytest.raises(UserError, match="steps_left must be"):
        require_steps(given)
