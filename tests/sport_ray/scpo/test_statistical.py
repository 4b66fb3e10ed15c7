"""Splitting a confidence, and Hoeffding's bound against exact binomial tails."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sport_ray.scpo.statistical import hoeffding_half_width, split


@given(st.floats(1e-12, 0.5), st.integers(1, 100_000))
def test_shares_never_add_up_to_more(beta, parts):
    assert Fraction(split(beta, parts)) * parts <= Fraction(beta)


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.floats(1e-6, 0.5))
def test_hoeffding_covers_a_binomial_mean(n, p, beta):
    width = hoeffding_half_width(n, 1.0, beta)
    outside = sum(binom.pmf(k, n, p) for k in range(n + 1) if abs(k / n - p) > width)
    assert outside <= beta


def test_arguments():
    with pytest.raises(ValueError, match="num_samples"):
        hoeffding_half_width(0, 1.0, 0.1)
    with pytest.raises(ValueError, match="width"):
        hoeffding_half_width(1, -1.0, 0.1)
    with pytest.raises(ValueError, match="beta"):
        split(0.0, 3)
    with pytest.raises(ValueError, match="parts"):
        split(5e-324, 3)
