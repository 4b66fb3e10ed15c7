"""Shares of the log budget, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.conservativeness.spending import SPENDING, spending_table


def spent(make_kinds, **wanted: object):
    def change(record: dict) -> dict:
        step = {"max_log_ratio": 0.09, "mean_log_ratio": 0.05, "mean_realised_log_ratio": 0.01}
        return record | step | {"max_prefix_log_ratio": 0.5}

    table = spending_table(load_results(make_kinds(change=change)))
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def test_shares_of_a_constant_ratio(make_kinds) -> None:
    row = spent(make_kinds, constraint="ratio", eps_max=0.1).iloc[0]
    log_alpha = math.log(row["alpha"])
    assert row["step_limit"] == pytest.approx(log_alpha, rel=1e-12)
    assert row["path_limit"] == pytest.approx(21 * log_alpha, rel=1e-12)
    assert row["mean_allowed_share"] == pytest.approx(0.05 / log_alpha)
    assert row["max_allowed_share"] == pytest.approx(0.09 / log_alpha)
    assert row["mean_realised_share"] == pytest.approx(0.01 / log_alpha)
    assert row["path_share"] == pytest.approx(0.5 / (21 * log_alpha))
    unused = (21 * log_alpha - 0.5) / math.log(10)
    assert row["log10_unused"] == pytest.approx(unused)
    # ∫ (α π_base − π) / ∫ α π_base, whatever the policy.
    assert row["artificial_mass"] == pytest.approx((row["alpha"] - 1) / row["alpha"])
    assert 10 ** row["log10_path_mass"] == pytest.approx(row["alpha"] ** 21)


def test_a_budget_is_compared_with_an_even_share_and_has_no_artificial_mass(make_kinds) -> None:
    row = spent(make_kinds, constraint="pathwise", eps_max=0.1).iloc[0]
    assert row["step_limit"] == pytest.approx(row["path_limit"] / 21)
    assert row["path_share"] == pytest.approx(0.5 / row["path_limit"])
    assert np.isnan(row["artificial_mass"])
    assert np.isnan(row["log10_path_mass"])


def test_what_allows_no_ratio_or_bounds_none_is_left_out(make_kinds) -> None:
    table = spent(make_kinds)
    assert set(table["constraint"]) == {"ratio", "gauss_renyi", "pathwise"}
    assert not (table["alpha"] == 1.0).any()
    assert list(table.columns[-len(SPENDING) :]) == list(SPENDING)
