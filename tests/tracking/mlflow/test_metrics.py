"""What is logged per cell: whitelisted, documented, finite."""

from __future__ import annotations

import math

import pytest

from sport_ray.tracking.mlflow.identity import CONSTANTS
from sport_ray.tracking.mlflow.metrics import (
    BOUNDS,
    METRICS,
    NOT_MEASURED,
    cell_metrics,
    vacuous_bounds,
)
from sport_ray.tracking.results.record import COLUMNS

RECORD = {
    "horizon": 21,
    "projected": True,
    "constraint": "ratio",
    "log_alpha": math.log(1.1),
    "alpha_mu": 1.0,
    "alpha_p": 1.0,
    "eps_base": 0.005,
    "prior_bound": 0.005 * 1.1**21,
    "posterior_bound": 0.004,
    "empirical_violation_rate": 0.001,
    "max_log_ratio": 0.09,
    "train_return": None,
    "cell_id": "0123456789abcdef",
}


def test_about_30_metrics_each_with_a_meaning() -> None:
    assert 25 <= len(METRICS) <= 35
    assert {"empirical_violation_rate", "posterior_bound", "prior_bound"} <= set(METRICS)
    for name, metric in METRICS.items():
        assert name.replace("_", "").isalnum()
        assert name.islower()
        assert len(metric.meaning) > 10
        assert "\n" not in metric.unit + metric.meaning + metric.absent


def test_every_number_of_a_record_is_a_metric_or_known_not_to_be() -> None:
    """A new field of records is one or the other, on purpose."""
    params = {"alpha", "horizon", "seed", "projected", *CONSTANTS}
    not_told = {"num_violations_1000", "log_alpha"}  # for `compare`; alpha again
    numbers = {column.name for column in COLUMNS if column.kind != "str"}
    derived = {"log10_prior_bound", "conservativeness_log10"}
    assert numbers - set(METRICS) == params | not_told
    assert set(METRICS) - numbers == derived


def test_only_whitelisted_finite_numbers_pass() -> None:
    metrics, not_finite = cell_metrics(RECORD)
    assert set(metrics) <= set(METRICS)
    assert "train_return" not in metrics
    assert not_finite == []
    assert metrics["log10_prior_bound"] == pytest.approx(math.log10(RECORD["prior_bound"]))
    assert metrics["conservativeness_log10"] == pytest.approx(
        math.log10(RECORD["prior_bound"] / RECORD["posterior_bound"])
    )


def test_infinite_numbers_are_named_not_logged() -> None:
    metrics, not_finite = cell_metrics(
        RECORD | {"prior_bound": math.inf, "max_log_ratio": math.inf, "train_return": math.nan}
    )
    assert not_finite == ["max_log_ratio", "prior_bound", "train_return"]
    assert not set(not_finite) & set(metrics)
    assert all(math.isfinite(value) for value in metrics.values())


def test_an_infinity_is_null_in_a_record_and_flagged() -> None:
    """`finite_or_none` writes null: of a finished cell under a constraint that is an overflow."""
    record = RECORD | {"status": "finished"}
    metrics, not_finite = cell_metrics(
        record | {"prior_bound": None, "max_log_ratio": None, "log_alpha": 40.0}
    )
    assert not_finite == ["max_log_ratio", "prior_bound"]
    assert metrics["log10_prior_bound"] == pytest.approx(
        math.log10(0.005) + 21 * 40.0 / math.log(10)
    )
    assert vacuous_bounds(record | {"prior_bound": None}) == ["prior_bound"]
    free = record | {"projected": False, "constraint": "unconstrained"}
    assert cell_metrics(free | {"prior_bound": None})[1] == []
    assert vacuous_bounds(free | {"prior_bound": None}) == []
    failed = record | {"status": "failed", "prior_bound": None, "max_log_ratio": None}
    assert cell_metrics(failed)[1] == []


def test_bounds_that_say_nothing_are_named() -> None:
    assert vacuous_bounds(RECORD) == []
    vacuous = {"prior_bound": math.inf} | dict.fromkeys(set(BOUNDS) - {"prior_bound"}, 1.0)
    assert vacuous_bounds(RECORD | vacuous) == list(BOUNDS)


def test_an_unconstrained_cell_has_no_prior_metrics() -> None:
    metrics, _ = cell_metrics(RECORD | {"prior_bound": None, "log_alpha": None})
    assert not {"prior_bound", "log10_prior_bound"} & set(metrics)


def test_the_logarithm_is_of_the_bound_that_the_kind_promises() -> None:
    """Only the paper's is ε·α^T: a Gauss–Rényi cell has an α and another bound, a budget none."""
    for record in (
        RECORD | {"constraint": "gauss_renyi", "prior_bound": 0.02},
        RECORD | {"constraint": "pathwise", "log_alpha": None, "prior_bound": 0.02},
    ):
        metrics, _ = cell_metrics(record)
        assert metrics["log10_prior_bound"] == pytest.approx(math.log10(0.02), rel=1e-15)
        assert metrics["conservativeness_log10"] == pytest.approx(math.log10(0.02 / 0.004))
    overflow, _ = cell_metrics(RECORD | {"constraint": "pathwise", "prior_bound": math.inf})
    assert "log10_prior_bound" not in overflow


def test_limits_and_other_constants_are_no_metrics() -> None:
    """A curve of what was settled beforehand is a line, and hides those that are not."""
    spent = {"max_prefix_log_ratio": 1.6, "mean_task_steps": 13.0}
    known = dict.fromkeys(NOT_MEASURED, 1)
    metrics, _ = cell_metrics(RECORD | known | spent)
    assert spent.items() <= metrics.items()
    assert not metrics.keys() & set(NOT_MEASURED)
