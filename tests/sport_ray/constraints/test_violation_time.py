"""The constant ratio, bounded by when the base violates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.bounds import scenario_bound
from sport_ray.bounds.violation_time import violation_time_bound_from_counts
from sport_ray.constraints import Evidence, RatioConstraint
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.errors import UserError


def test_the_counts_are_by_step_and_timeouts_count_at_the_end(evidence):
    counts = [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]  # index t: after t actions
    want = violation_time_bound_from_counts(counts, 10_000, 12, 1.3, 1e-7)
    assert ViolationTimeConstraint(1.3).prior_bound(evidence) == want
    one = replace(evidence, horizon=1, settled=(2,))
    want = violation_time_bound_from_counts([0, 3], 10_000, 1, 1.3, 1e-7)
    assert ViolationTimeConstraint(1.3).prior_bound(one) == want


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=15),
    st.integers(0, 20),
    st.floats(1.0, 1.6),
    st.sampled_from([500, 10_000]),
)
def test_the_promise_lies_between_the_base_s_and_the_ratio_s(by_step, timeouts, alpha, count):
    violations = sum(by_step) + timeouts
    beta = 1e-7
    evidence = Evidence(
        horizon=len(by_step),
        eps_base=scenario_bound(count, violations, beta),
        beta=beta,
        num_scenarios=count,
        num_violations=violations,
        fixed_number=True,
        settled=tuple(np.cumsum(by_step).tolist()),
        steps_left=(1.0,) * len(by_step),
    )
    bound = ViolationTimeConstraint(alpha).prior_bound(evidence)
    at_half = replace(evidence, eps_base=scenario_bound(count, violations, beta / 2.0))
    assert bound <= RatioConstraint(alpha).prior_bound(at_half) * (1.0 + 1e-9)
    assert bound >= evidence.eps_base


def test_alpha_must_be_given(evidence):
    with pytest.raises(UserError, match="give alphas"):
        ViolationTimeConstraint.for_target(evidence, 0.1)
    with pytest.raises(UserError, match="alpha must be"):
        ViolationTimeConstraint(0.5)


def test_a_number_found_by_a_stopping_rule_is_refused(evidence):
    with pytest.raises(UserError, match="number of scenarios that was fixed beforehand"):
        ViolationTimeConstraint(1.1).prior_bound(replace(evidence, fixed_number=False))
