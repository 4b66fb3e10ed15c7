"""Arguments out of range: a ValueError that names the argument and shows the value."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest

from sport_ray.bounds import (
    anytime_bound,
    anytime_lower_bound,
    max_alpha,
    off_policy_bound,
    ratio_bound,
    scenario_bound,
)
from sport_ray.bounds.violation_time import violation_time_bound_from_counts

GOOD = {
    scenario_bound: {"num_scenarios": 100, "num_violations": 3, "beta": 1e-3},
    ratio_bound: {"eps_base": 0.01, "alpha": 1.5, "horizon": 10},
    max_alpha: {"eps_base": 0.01, "eps_max": 0.1, "horizon": 10},
}
NOT_NUMBERS = ["0.5", None, True, False, float("nan"), float("inf"), -float("inf"), 0.5j, [0.5]]
NOT_NUMBERS += [np.float64("nan"), np.float32("inf"), np.bool_(True), np.array([0.5]), 10**400]
OUTSIDE_OPEN_UNIT = [*NOT_NUMBERS, 0, 1, 0.0, 1.0, -0.1, 1.1]
NOT_COUNTS = [*NOT_NUMBERS, 2.0, 2.5, Fraction(1, 2), -1, 2**53 + 1]
SUBNORMAL = [5e-324, 1e-310, np.nextafter(sys.float_info.min, 0.0)]

CASES = [
    (scenario_bound, "num_scenarios", [*NOT_COUNTS, 0]),
    (scenario_bound, "num_violations", [*NOT_COUNTS, 101]),
    (scenario_bound, "beta", [*OUTSIDE_OPEN_UNIT, *SUBNORMAL]),
    (ratio_bound, "eps_base", [*NOT_NUMBERS, -1e-9, 1.0000001]),
    (ratio_bound, "alpha", [*NOT_NUMBERS, 0.999999, 0, -2]),
    (ratio_bound, "horizon", [*NOT_COUNTS, 0]),
    (max_alpha, "eps_base", OUTSIDE_OPEN_UNIT),
    (max_alpha, "eps_max", [*OUTSIDE_OPEN_UNIT, *SUBNORMAL, 0.009]),
    (max_alpha, "horizon", [*NOT_COUNTS, 0]),
]


@pytest.mark.parametrize(
    ("function", "name", "value"), [(f, name, v) for f, name, values in CASES for v in values]
)
def test_an_argument_out_of_range_is_named(function, name, value):
    with pytest.raises(ValueError, match=rf"^{name} must ") as caught:
        function(**{**GOOD[function], name: value})
    assert repr(value) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", GOOD)
def test_numpy_scalars_and_fractions_are_numbers(function):
    plain = function(**GOOD[function])
    converted = {
        name: np.int32(value) if isinstance(value, int) else np.float64(value)
        for name, value in GOOD[function].items()
    }
    assert function(**converted) == plain
    assert type(function(**converted)) is float


def test_a_float32_is_taken_at_its_own_value():
    assert ratio_bound(np.float32(0.1), 1.0, 1) == float(np.float32(0.1)) != 0.1
    assert ratio_bound(Fraction(1, 4), 2, np.int64(1)) == 0.5


@pytest.mark.parametrize("beta", SUBNORMAL)
def test_no_bound_takes_a_subnormal_confidence(beta):
    for bound in (
        lambda: anytime_bound(100, 3, beta),
        lambda: anytime_lower_bound(100, 3, beta),
        lambda: off_policy_bound(np.zeros(100), np.zeros(100, dtype=bool), beta),
        lambda: violation_time_bound_from_counts([0, 3, 0], 100, 2, 1.1, beta),
    ):
        with pytest.raises(ValueError, match=r"beta must be at least 2\.2"):
            bound()
