"""The constraints at a horizon: α as given, and derived from a target risk."""

from __future__ import annotations

import pytest

from sport_ray.bounds import ratio_bound
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.constraints import constraints_for, out_of_reach
from tests.experiments.known_certificate import certificate


def test_alpha_from_a_target_risk_keeps_the_target(small_study):
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.1, 0.02], "horizons": [20]}
    study = Study.model_validate(small_study)
    axis = constraints_for(study, certificate(), 20, trained=True)
    assert [eps for _, eps in axis] == [0.02, 0.1]
    for constraint, eps_max in axis:
        bound = ratio_bound(certificate().eps_base(20), constraint.alpha, 20)
        assert eps_max * (1 - 1e-9) < bound <= eps_max


def test_a_target_below_the_base_at_one_horizon_leaves_that_one_out(small_study):
    known = certificate()
    risky = [0.5] * 10 + known.table.eps_base_simultaneous[10:]
    table = known.table.model_copy(update={"eps_base_simultaneous": risky})
    known = known.model_copy(update={"table": table})
    short, long = known.eps_base(5), known.eps_base(25)
    assert long < short == 0.5
    level = (long + short) / 2
    small_study["sweep"] |= {"alphas": [1.0], "eps_max": [level], "horizons": [5, 25]}
    study = Study.model_validate(small_study)
    [beyond] = out_of_reach(study, known)
    assert (beyond.eps_max, beyond.horizon, beyond.certified) == (level, 5, short)
    assert [eps for _, eps in constraints_for(study, known, 5, trained=True)] == [None]
    assert [eps for _, eps in constraints_for(study, known, 25, trained=True)] == [None, level]


def test_every_kind_of_constraint_is_derived_from_a_target(small_study):
    small_study["sweep"] |= {
        "alphas": [1.0],
        "eps_max": [0.05, 0.1],
        "horizons": [20],
        "constraints": ["ratio", "gauss_renyi", "pathwise", "mean_shift"],
    }
    study = Study.model_validate(small_study)
    evidence = certificate().evidence(20)
    for trained in (True, False):
        axis = constraints_for(study, certificate(), 20, trained=trained)
        # α = 1 of two kinds, and four kinds at two levels
        assert len(axis) == len({constraint for constraint, _ in axis}) == 2 + 4 * 2
        for constraint, eps_max in axis:
            if eps_max is not None:
                assert eps_max * 0.999 < constraint.prior_bound(evidence) <= eps_max
        [rule] = {c.rule for c, _ in axis if c.name == "pathwise"}
        assert rule == ("all" if trained else "spread")


def test_a_floor_comes_with_a_target_and_not_with_alphas(small_study):
    small_study["sweep"] |= {
        "alphas": [1.0, 1.02],
        "eps_max": [0.6],
        "horizons": [20],
        "constraints": ["two_point"],
    }
    study = Study.model_validate(small_study)
    axis = constraints_for(study, certificate(), 20, trained=True)
    given = {c.alpha: c.kappa for c, eps_max in axis if eps_max is None}
    assert given == {1.0: 0.0, 1.02: 0.0}
    [derived] = [c for c, eps_max in axis if eps_max is not None]
    assert 0.0 < derived.kappa < 1.02 < derived.alpha
    assert derived.prior_bound(certificate().evidence(20)) <= 0.6


def test_the_violation_time_bound_needs_an_alpha(small_study):
    small_study["sweep"] |= {"alphas": [1.01], "horizons": [20], "constraints": ["violation_time"]}
    study = Study.model_validate(small_study)
    [(constraint, _)] = constraints_for(study, certificate(), 20, trained=True)
    bound = constraint.prior_bound(certificate().evidence(20))
    assert 0.001 < bound < 1.3 * ratio_bound(certificate().eps_base(20), 1.01, 20)
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.1]}
    with pytest.raises(UserError, match="give alphas"):
        constraints_for(Study.model_validate(small_study), certificate(), 20, trained=True)


def test_steps_left_are_those_of_the_certificate():
    evidence = certificate().evidence(20)
    assert len(evidence.steps_left) == len(evidence.settled) == 20
    assert evidence.steps_left[0] == pytest.approx(1 + (9_000 * 13 + 10 * 6) / 10_000)
    assert evidence.steps_left[13] == pytest.approx(1 + 6 * 10 / 9_000)
    assert evidence.steps_left[19] == 1.0
