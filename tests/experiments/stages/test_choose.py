"""Choosing a horizon: by the α that it permits."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sport_ray.bounds import max_alpha
from sport_ray.certificates.choice import best_horizon


@given(
    bounds=st.lists(st.floats(1e-4, 0.99), min_size=1, max_size=40),
    eps_max=st.floats(1e-3, 0.9),
)
def test_it_is_the_horizon_with_the_largest_alpha(bounds, eps_max):
    alphas = {
        horizon: max_alpha(bound, eps_max, horizon)
        for horizon, bound in enumerate(bounds, start=1)
        if bound <= eps_max
    }
    horizon, log_alpha = best_horizon(bounds, eps_max)
    if log_alpha is None:
        assert not alphas
        assert bounds[horizon - 1] == min(bounds)
    else:
        assert math.isclose(alphas[horizon], max(alphas.values()), rel_tol=1e-12)
        assert math.isclose(math.exp(log_alpha), alphas[horizon], rel_tol=1e-9)


def test_a_bound_of_one_is_chosen_at_no_level():
    assert best_horizon([1.0, 1.0], 1.0) == (1, None)
    assert best_horizon([1.0, 0.5, 0.4], 1.0) == (2, math.log(2) / 2)
