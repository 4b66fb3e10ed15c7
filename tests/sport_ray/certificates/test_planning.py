"""Planning: the largest α at each T, and the best of them."""

from __future__ import annotations

import math

import pytest

from sport_ray.bounds import ratio_bound
from sport_ray.certificates.planning import best, permitted
from tests.sport_ray.certificates.conftest import certify
from tests.sport_ray.certificates.test_certificate import chosen


@pytest.mark.parametrize("eps_max", [0.4, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("world", [{}, {"alpha_mu": 1.1, "alpha_p": 1.005}])
def test_every_row_keeps_to_the_target_and_no_larger_alpha_would(certificate, eps_max, world):
    rows = permitted(certificate, eps_max, **world)
    assert [row.horizon for row in rows] == certificate.table.horizon
    for row in rows:
        bound = ratio_bound(row.eps_base, row.alpha or 1.0, row.horizon, **world)
        assert row.prior_bound == bound
        assert row.eps_base == certificate.eps_base(row.horizon)
        if row.alpha is None:
            assert bound > eps_max or eps_max == 1.0
        else:
            assert bound <= eps_max
            more = row.alpha * (1 + 1e-9)
            assert ratio_bound(row.eps_base, more, row.horizon, **world) > eps_max
    top = best(rows)
    assert top is not None
    assert top.log_alpha == max(row.log_alpha or 0.0 for row in rows)


def test_out_of_reach_is_none(certificate):
    rows = permitted(certificate, 0.01)
    assert {row.alpha for row in rows} == {None}
    assert best(rows) is None
    assert all(row.log_alpha is None for row in rows)


def test_the_paper_s_numbers():
    """T = 21, ε_base = 0.00928, bound level 1: α ≤ 1.2496 (arXiv 2504.06386)."""
    alpha = math.exp(math.log(1.0 / 0.00928) / 21)
    assert alpha == pytest.approx(1.2496, abs=1e-4)


def test_a_choice_leaves_one_horizon(plan, outcomes):
    [row] = permitted(certify(plan, outcomes, choice=chosen()), 0.9)
    assert row.horizon == 21


@pytest.mark.parametrize("eps_max", [0.0, -0.1, 1.1, math.nan])
def test_a_level_that_is_no_probability(certificate, eps_max):
    with pytest.raises(ValueError, match="eps_max must lie in"):
        permitted(certificate, eps_max)
