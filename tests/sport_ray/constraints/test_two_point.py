"""The ratio with a floor: what it projects onto, whom it refuses, and what it promises."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.bounds import best_floor, ratio_bound, two_point_bound
from sport_ray.bounds.two_point import MOST_STEPS
from sport_ray.constraints import CONSTRAINTS, RatioConstraint, constraint_from_json
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.constraints.two_point import TwoPointConstraint
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.errors import UserError
from sport_ray.families import Categorical, Gaussian


def task(seed: int, rows: int, count: int, spread: float = 5.0) -> Categorical:
    rng = np.random.default_rng(seed)
    weights = spread * rng.normal(size=(rows, count))
    weights[rng.random((rows, count)) < 0.1] = -math.inf
    weights[:, 0] = 0.0
    return Categorical.of_log_weights(weights)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 40),
    alpha=st.floats(1.0, 20.0),
    kappa=st.floats(0.0, 1.0),
)
def test_it_projects_within_both_limits_on_the_numbers(seed, count, alpha, kappa):
    constraint = TwoPointConstraint(alpha, kappa)
    base, wanted = Categorical.uniform(8, count), task(seed, 8, count)
    got = constraint.project(base, wanted)
    assert bool(constraint.within(got, base, constraint.log_alpha).all())
    (p,), (q,) = got.arrays(), base.arrays()
    # As integers: what the theorem is about, but for the logarithm's own rounding of α.
    units, its = (p * 2**52).astype(np.int64), (q * 2**52).astype(np.int64)
    assert (units.sum(axis=1) == 2**52).all()
    for k, m in zip(units.ravel().tolist(), its.ravel().tolist(), strict=True):
        assert k >= kappa * m
        assert k <= alpha * m * (1.0 + 1e-15)
    assert bool(got.valid().all())


@pytest.mark.parametrize("count", [3, 8])
def test_within_sees_either_limit_broken(count):
    base = Categorical.uniform(1, count)
    greedy = Categorical.of_log_weights(-50.0 * np.arange(count)[None, :])
    constraint = TwoPointConstraint(1.5, 0.8)
    assert not constraint.within(greedy, base, constraint.log_alpha).any()
    # Within α alone: 'ratio' would let it pass.
    capped = greedy.projected(base, constraint.log_alpha)
    assert bool(RatioConstraint(1.5).within(capped, base, constraint.log_alpha).all())
    assert not constraint.within(capped, base, constraint.log_alpha).any()
    # Above the floor alone.
    floored = greedy.projected_within(base, 0.8, math.inf)
    assert float(floored.min_log_ratio(base)) >= math.log(0.8)
    above = float(floored.max_log_ratio(base))
    assert not TwoPointConstraint(math.exp(0.9 * above), 0.8).within(floored, base, 0.9 * above)
    assert bool(constraint.within(constraint.project(base, greedy), base, constraint.log_alpha))
    # One unit of the grid less than the floor.
    kept = constraint.project(base, greedy).arrays()[0].copy()
    lowest = int(kept[0].argmin())
    kept[0, lowest] -= 2.0**-40
    kept[0, (lowest + 1) % count] += 2.0**-40
    broken = Categorical(kept)
    assert bool(broken.valid().all())
    assert not constraint.within(broken, base, 10.0).any()


def test_the_limit_of_a_step_is_taken_and_the_floor_stays():
    constraint = TwoPointConstraint(2.0, 0.9)
    base, wanted = Categorical.uniform(3, 8), task(0, 3, 8)
    limits = torch.tensor([0.0, 0.05, math.log(2.0)], dtype=torch.float64)
    got = constraint.project(base, wanted, limits)
    assert bool(constraint.within(got, base, limits).all())
    assert not got[:1].differs(base[:1]).any()
    assert (got.min_log_ratio(base) >= math.log(0.9)).all()


def test_without_a_floor_it_is_the_ratio_and_with_the_highest_the_base():
    base, wanted = Categorical.uniform(5, 7), task(1, 5, 7)
    plain = RatioConstraint(1.7).project(base, wanted)
    assert not TwoPointConstraint(1.7).project(base, wanted).differs(plain).any()
    assert not TwoPointConstraint(1.7, 1.0).project(base, wanted).differs(base).any()
    assert not TwoPointConstraint(1.0, 0.3).project(base, wanted).differs(base).any()


def test_families_without_floors_are_refused():
    ones = np.ones((1, 2))
    base = Gaussian(0.0 * ones, ones)
    constraint = TwoPointConstraint(1.5, 0.8)
    message = "^constraint 'two_point' keeps a floor under the density ratio, which the family "
    for refused in (
        lambda: constraint.require_family(Gaussian),
        lambda: constraint.project(base, base),
        lambda: constraint.within(base, base, 0.1),
    ):
        with pytest.raises(UserError, match=message + "'gaussian' cannot"):
            refused()
    constraint.require_family(Categorical)


def test_which_constraints_selection_may_have():
    kinds = (RatioConstraint(1.1), ViolationTimeConstraint(1.1), PathwiseBudget(1.0))
    for kind in (*kinds, TwoPointConstraint(1.1, 0.9)):
        kind.require_family(Categorical)
    with pytest.raises(UserError, match="'gauss_renyi' has a bound for Gaussians alone, not for"):
        GaussRenyiConstraint(1.1).require_family(Categorical)
    with pytest.raises(UserError, match=r"'mean_shift' shifts .* the family 'categorical' has not"):
        MeanShiftBudget(1.0).require_family(Categorical)


@given(st.floats(1e-9, 0.5), st.floats(1.0, 5.0), st.floats(0.0, 1.0), st.integers(1, 200))
def test_the_promise_is_the_two_point_bound(evidence, eps_base, alpha, kappa, horizon):
    evidence = replace(evidence, eps_base=eps_base, horizon=horizon)
    bound = TwoPointConstraint(alpha, kappa).prior_bound(evidence)
    assert bound == two_point_bound(eps_base, alpha, kappa, horizon)
    plain = TwoPointConstraint(alpha).prior_bound(evidence)
    assert plain == min(ratio_bound(eps_base, alpha, horizon), 1.0)


@settings(max_examples=30)
@given(st.floats(1e-9, 0.3), st.floats(0.01, 1.0), st.integers(1, 300))
def test_the_target_is_kept_and_nearly_attained(evidence, eps_base, share, horizon):
    eps_max = max(eps_base, eps_base ** (1.0 - share) * 0.999**share)
    evidence = replace(evidence, eps_base=eps_base, horizon=horizon)
    constraint = TwoPointConstraint.for_target(evidence, eps_max)
    assert (constraint.kappa, constraint.alpha) == best_floor(eps_base, eps_max, horizon)
    bound = constraint.prior_bound(evidence)
    assert eps_base <= bound <= eps_max
    assert bound >= eps_max * (1.0 - 1e-9) or constraint.alpha == pytest.approx(64.0)


def test_a_long_horizon_has_a_floor_and_a_short_one_has_none(evidence):
    long = TwoPointConstraint.for_target(replace(evidence, eps_base=0.001, horizon=100), 0.05)
    assert 0.8 < long.kappa < 0.9
    assert (
        long.alpha
        > 1.1
        > RatioConstraint.for_target(replace(evidence, eps_base=0.001, horizon=100), 0.05).alpha
    )
    short = replace(evidence, eps_base=0.00928, horizon=21)
    plain = RatioConstraint.for_target(short, 0.1)
    assert TwoPointConstraint.for_target(short, 0.1) == TwoPointConstraint(plain.alpha)


def test_a_record_has_both_numbers_and_gives_it_back():
    constraint = TwoPointConstraint(1.147, 0.855)
    record = {"constraint": "two_point", "horizon": 100, "mu": None, **constraint.recorded()}
    assert constraint.recorded() == {"alpha": 1.147, "kappa": 0.855}
    again = TwoPointConstraint.from_record(json.loads(json.dumps(record)))
    assert again == constraint == constraint_from_json(constraint.to_json())
    assert TwoPointConstraint.takes_alpha()
    assert TwoPointConstraint(alpha=1.2).kappa == 0.0  # of a study's alphas
    assert CONSTRAINTS["two_point"] is TwoPointConstraint
    assert constraint.held({"horizon": 100, "max_log_ratio": math.log(1.147)})
    assert not constraint.held({"horizon": 100, "max_log_ratio": math.log(1.148)})


@pytest.mark.parametrize("kappa", [-0.1, 1.1, math.nan, math.inf, "0.5", True, None])
def test_a_bad_floor_is_named(kappa):
    with pytest.raises(UserError, match="kappa must be a number from 0") as error:
        TwoPointConstraint(1.5, kappa)
    assert repr(kappa) in str(error.value)


def test_a_horizon_beyond_the_bound_is_named(evidence):
    evidence = replace(evidence, horizon=MOST_STEPS + 1)
    for asked in (
        lambda: TwoPointConstraint(1.5, 0.5).prior_bound(evidence),
        lambda: TwoPointConstraint.for_target(evidence, 0.1),
    ):
        with pytest.raises(UserError, match="up to 100000, got 100001: choose the constraint"):
            asked()
