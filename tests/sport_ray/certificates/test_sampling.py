"""How many scenarios: fixed, or until good enough or hopeless."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from sport_ray.bounds.anytime import anytime_bound
from sport_ray.bounds.scenario import scenario_bound
from sport_ray.certificates import AnytimeSampling, FixedSampling, Sampling

RULE = AnytimeSampling(max_scenarios=10_000, horizon=21, target=0.02)


def test_the_bound_of_each_rule():
    assert FixedSampling(num_scenarios=100).bound(100, 3, 0.01) == scenario_bound(100, 3, 0.01)
    assert RULE.bound(100, 3, 0.01) == anytime_bound(100, 3, 0.01)


def test_which_numbers_are_allowed():
    assert [n for n in range(300) if FixedSampling(num_scenarios=100).allows(n)] == [100]
    assert [RULE.allows(n) for n in (999, 1_000, 1_500, 10_000, 11_000)] == [0, 1, 0, 1, 0]


def test_good_enough_hopeless_or_neither():
    assert RULE.verdict(500, 0, 1e-7) == "go on"
    assert RULE.verdict(4_000, 0, 1e-7) == "good enough"
    assert RULE.verdict(1_000, 200, 1e-7) == "hopeless"
    assert RULE.verdict(10_000, 200, 1e-7) == "go on"  # the rate is the target


def test_a_rule_that_looks_beyond_its_last_scenario():
    with pytest.raises(ValidationError, match=r"10500.* must be a multiple of 1000"):
        AnytimeSampling(max_scenarios=10_500, horizon=21, target=0.02)


@pytest.mark.parametrize("rule", [RULE, FixedSampling(num_scenarios=7)])
def test_json_there_and_back(rule):
    adapter: TypeAdapter = TypeAdapter(Sampling)
    assert adapter.validate_json(rule.model_dump_json()) == rule


def test_stopping_when_it_looks_good_keeps_the_confidence():
    """4,000 certifications stopped at the first good look: too good more rarely than β.

    The bound for a fixed N, looked at in the same way, breaks its promise: that is why the rule
    has another bound.
    """
    rng = np.random.default_rng(3)
    truth, beta, repetitions = 0.05, 0.1, 4_000
    rule = AnytimeSampling(max_scenarios=2_000, horizon=1, target=0.0499, check_every=20)
    looks = np.arange(20, 2_001, 20)
    counts = rng.binomial(20, truth, (repetitions, looks.size)).cumsum(axis=1)
    fixed = functools.cache(lambda n, k: scenario_bound(n, k, beta) <= rule.target)
    anytime = functools.cache(lambda n, k: rule.verdict(n, k, beta) == "good enough")
    broken = {"anytime": 0, "fixed": 0}
    for row in counts:
        hopeful = [
            (n, k) for n, k in zip(looks.tolist(), row.tolist(), strict=True) if k < 0.05 * n
        ]
        broken["fixed"] += any(fixed(n, k) for n, k in hopeful)
        broken["anytime"] += any(anytime(n, k) for n, k in hopeful)
    assert stats.binomtest(broken["anytime"], repetitions, beta, "greater").pvalue > 1e-3
    assert stats.binomtest(broken["fixed"], repetitions, beta, "greater").pvalue < 1e-6
