"""The multiplier: up while the constraint is violated, down while there is room, never below 0."""

from __future__ import annotations

import math

import pytest

from sport_ray.presa import Multiplier


def multiplier(value: float = 1.0, rate: float = 0.5, largest: float = 3.0) -> Multiplier:
    return Multiplier(value, rate, target=0.4, largest=largest)


def test_it_rises_while_the_constraint_is_violated():
    nu = multiplier()
    values = [nu.update(0.6) for _ in range(5)]
    assert values == pytest.approx([1.1, 1.2, 1.3, 1.4, 1.5])


def test_it_falls_while_there_is_room_and_stops_at_zero():
    nu = multiplier()
    assert [nu.update(0.0) for _ in range(6)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0, 0.0])


def test_at_the_target_it_stays():
    assert multiplier().update(0.4) == 1.0


def test_it_stops_at_the_largest():
    nu = multiplier()
    assert [nu.update(9.0) for _ in range(2)] == [3.0, 3.0]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error(loss):
    nu = multiplier()
    with pytest.raises(ArithmeticError, match="multiplier"):
        nu.update(loss)
    assert nu.value == 1.0
