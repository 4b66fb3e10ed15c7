"""Numbers as people read them; a bound is never shown smaller than it is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.wording import bound_text, confidence_text, rate_text, steps_text


@given(st.floats(1e-300, 1, exclude_max=True))
def test_a_bound_is_rounded_up_to_three_digits(value: float) -> None:
    shown = float(bound_text(value))
    assert value <= shown <= value * 1.0101


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0042899, "0.00429"),
        (0.00429001, "0.0043"),
        (0.5, "0.5"),
        (1.2e-7, "1.20e-7"),
        (1.0, "≥ 1"),
        (math.inf, "≥ 1"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_bounds(value: float | None, text: str) -> None:
    assert bound_text(value) == text


def test_rates_round_to_nearest_and_zero_stays_zero() -> None:
    assert rate_text(0.0) == "0"
    assert rate_text(0.00144) == "0.00144"
    assert rate_text(0.12349) == "0.123"
    assert steps_text(None) == "–"


@pytest.mark.parametrize(
    ("beta", "text"), [(1e-7, "1 − 10⁻⁷"), (0.05, "95%"), (2e-9, "1 − 2e-09"), (0.001, "1 − 10⁻³")]
)
def test_confidence_never_rounds_to_one(beta: float, text: str) -> None:
    assert confidence_text(beta) == text
