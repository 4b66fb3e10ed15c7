"""The constant ratio with the better bound: the same policies, a smaller number."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.constraints import CONSTRAINTS, RatioConstraint
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.families import Gaussian


def test_it_projects_as_the_ratio_does():
    ones = torch.ones(5, 2)
    given = Gaussian(0 * ones, ones), Gaussian(2.0 * ones, 0.3 * ones)
    got = GaussRenyiConstraint(1.3).project(*given)
    assert not got.differs(RatioConstraint(1.3).project(*given)).any()
    assert CONSTRAINTS["gauss_renyi"] is GaussRenyiConstraint


@settings(max_examples=50)
@given(st.floats(1e-9, 0.3), st.floats(0.0, 1.0), st.integers(1, 100))
def test_the_target_is_kept_nearly_attained_and_alpha_is_larger(evidence, eps_base, share, horizon):
    eps_max = max(eps_base, eps_base ** (1.0 - share) * 0.999**share)
    evidence = replace(evidence, eps_base=eps_base, horizon=horizon)
    constraint = GaussRenyiConstraint.for_target(evidence, eps_max)
    bound = constraint.prior_bound(evidence)
    assert eps_base <= bound <= eps_max
    assert bound >= eps_max * (1.0 - 1e-6)
    assert constraint.alpha >= RatioConstraint.for_target(evidence, eps_max).alpha


@given(st.floats(0.0, 1.0), st.floats(1.0, 10.0))
def test_the_promise_lies_between_the_base_s_and_the_ratio_s(evidence, eps_base, alpha):
    evidence = replace(evidence, eps_base=eps_base)
    ratio = RatioConstraint(alpha).prior_bound(evidence)
    assert eps_base <= GaussRenyiConstraint(alpha).prior_bound(evidence) <= ratio


def test_published_numbers(evidence):
    evidence = replace(evidence, eps_base=0.00928, horizon=21)
    assert GaussRenyiConstraint.for_target(evidence, 0.1).alpha == pytest.approx(1.2062, abs=5e-5)
