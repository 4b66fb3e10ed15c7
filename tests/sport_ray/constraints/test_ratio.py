"""The constant ratio's promise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.constraints import RatioConstraint
from tests.sport_ray.constraints.adversary import hostile_paths


@given(st.floats(1e-12, 0.5), st.floats(0.0, 1.0), st.integers(1, 200))
def test_the_target_is_kept_and_nearly_attained(evidence, eps_base, share, horizon):
    eps_max = max(eps_base, eps_base ** (1.0 - share) * 0.999**share)
    evidence = replace(evidence, eps_base=eps_base, horizon=horizon)
    bound = RatioConstraint.for_target(evidence, eps_max).prior_bound(evidence)
    assert eps_base <= bound <= eps_max
    assert bound >= eps_max * (1.0 - 1e-12 * horizon)


@given(st.floats(0.0, 1.0), st.floats(1.0, 10.0))
def test_the_promise_is_at_least_the_base_s(evidence, eps_base, alpha):
    evidence = replace(evidence, eps_base=eps_base)
    assert RatioConstraint(alpha).prior_bound(evidence) >= eps_base
    assert RatioConstraint(1.0).prior_bound(evidence) == eps_base


@pytest.mark.parametrize("alpha", [1.0, 1.0 + 1e-12, 1.2, 50.0])
def test_hostile_paths_keep_to_alpha_per_step(alpha):
    """It carries no state, charges nothing, and every step is within log α."""
    paths = hostile_paths(RatioConstraint(alpha), 300, 8, 0, 2)
    assert (paths.peak_log_ratio <= 8 * math.log(alpha) * (1.0 + 1e-15)).all()
    assert (paths.moved > 0) == (alpha > 1.0 + 1e-9)
