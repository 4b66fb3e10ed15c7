"""Few digits of a bound are a bound; those of a measurement are the nearest."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sport_ray.digits import rounded, rounded_up

VALUES = st.floats(1e-300, 1e6)
DIGITS = st.integers(1, 8)


@given(VALUES, DIGITS)
def test_a_bound_in_few_digits_bounds_and_is_close(value: float, digits: int) -> None:
    shown, exact = Fraction(rounded_up(value, digits)), Fraction(repr(value))
    assert exact <= shown <= exact * (1 + Fraction(10) ** (1 - digits))


@given(VALUES, DIGITS)
def test_a_measurement_in_few_digits_is_the_nearest(value: float, digits: int) -> None:
    shown = Fraction(rounded(value, digits))
    assert abs(shown - Fraction(value)) <= Fraction(value) * Fraction(10) ** (1 - digits) / 2
