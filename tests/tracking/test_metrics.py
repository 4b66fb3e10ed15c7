"""What is logged per cell: whitelisted, documented, finite."""

from __future__ import annotations

import math

import pytest

from tracking.metrics import METRICS, cell_metrics

RECORD = {
    "horizon": 21,
    "log_alpha": math.log(1.1),
    "eps_base": 0.005,
    "prior_bound": 0.005 * 1.1**21,
    "posterior_bound": 0.004,
    "empirical_violation_rate": 0.001,
    "max_log_ratio": 0.09,
    "train_return": None,
    "cell_id": "0123456789abcdef",
}


def test_about_25_metrics_each_with_a_meaning() -> None:
    assert 20 <= len(METRICS) <= 30
    assert {"empirical_violation_rate", "posterior_bound", "prior_bound"} <= set(METRICS)
    for name, meaning in METRICS.items():
        assert name.replace("_", "").isalnum() and name.islower()
        assert len(meaning) > 10 and "\n" not in meaning


def test_only_whitelisted_finite_numbers_pass() -> None:
    metrics, not_finite = cell_metrics(RECORD)
    assert set(metrics) <= set(METRICS)
    assert "train_return" not in metrics
    assert not_finite == []
    assert metrics["prior_vacuous"] == 0
    assert metrics["log10_prior_bound"] == pytest.approx(math.log10(RECORD["prior_bound"]))
    assert metrics["conservativeness_log10"] == pytest.approx(
        math.log10(RECORD["prior_bound"] / RECORD["posterior_bound"])
    )


def test_a_vacuous_bound_is_flagged() -> None:
    metrics, _ = cell_metrics(RECORD | {"prior_bound": 1.0})
    assert metrics["prior_vacuous"] == 1


def test_infinite_numbers_are_named_not_logged() -> None:
    metrics, not_finite = cell_metrics(
        RECORD | {"prior_bound": math.inf, "max_log_ratio": math.inf, "train_return": math.nan}
    )
    assert not_finite == ["max_log_ratio", "prior_bound", "train_return"]
    assert not set(not_finite) & set(metrics)
    assert metrics["prior_vacuous"] == 1
    assert all(math.isfinite(value) for value in metrics.values())


def test_an_unconstrained_cell_has_no_prior_metrics() -> None:
    metrics, _ = cell_metrics(RECORD | {"prior_bound": None, "log_alpha": None})
    assert not {"prior_bound", "prior_vacuous", "log10_prior_bound"} & set(metrics)
