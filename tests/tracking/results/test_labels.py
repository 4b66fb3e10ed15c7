"""Numbers as people read them; a bound is never shown smaller than it is."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.tracking.mlflow.names import run_name
from sport_ray.tracking.results.labels import (
    alpha_text,
    alpha_text_down,
    bound_text,
    confidence_text,
    left_out_text,
    point_text,
    rate_text,
    setting_text,
    steps_text,
)


@given(st.floats(1e-300, 1, exclude_max=True))
def test_a_bound_is_rounded_up_to_three_digits(value: float) -> None:
    shown = float(bound_text(value))
    assert value <= shown <= value * 1.0101


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0042899, "0.00429"),
        (0.00429001, "0.0043"),
        (0.5, "0.5"),
        (0.05, "0.05"),  # whose float is a little more than 0.05
        (0.05000000000000001, "0.0501"),
        (1.2e-7, "1.20e-7"),
        (1.0, "≥ 1"),
        (math.inf, "≥ 1"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_bounds(value: float | None, text: str) -> None:
    assert bound_text(value) == text


def test_rates_round_to_nearest_and_zero_stays_zero() -> None:
    assert rate_text(0.0) == "0"
    assert rate_text(0.00144) == "0.00144"
    assert rate_text(0.12349) == "0.123"
    assert steps_text(None) == "–"


@given(st.floats(1, 10, exclude_min=True))
def test_an_alpha_is_readable_and_never_looks_like_the_base(value: float) -> None:
    shown, down = float(alpha_text(value)), float(alpha_text_down(value))
    assert shown == pytest.approx(value, abs=max(6e-4, 0))
    assert shown - 1 == pytest.approx(value - 1, rel=0.06) or value - 1 >= 0.01
    assert down <= value * (1 + 1e-11)
    if value > 1 + 1e-6:
        assert alpha_text(value) != "1"


@pytest.mark.parametrize(
    ("beta", "text"), [(1e-7, "1 − 10⁻⁷"), (0.05, "95%"), (2e-9, "1 − 2e-09"), (0.001, "1 − 10⁻³")]
)
def test_confidence_never_rounds_to_one(beta: float, text: str) -> None:
    assert confidence_text(beta) == text


@pytest.mark.parametrize(
    ("source", "kind", "alpha", "eps_max", "text"),
    [
        ("projected_ppo", "ratio", 1.15, None, "PPO, α = 1.15"),
        ("projected_ppo", "gauss_renyi", 1.15, 0.1, "PPO, α = 1.15 (Gauss–Rényi)"),
        ("projected_ppo", "pathwise", None, 0.1, "PPO, pathwise budget, ε_max = 0.1"),
        ("unconstrained", "mean_shift", math.nan, 0.1,
         "at deployment, mean shift, ε_max = 0.1"),
        ("projected_ppo", "pathwise_all", None, None, "PPO, pathwise budget, all at once"),
        ("projected_ppo", "of_a_plugin", None, 0.02, "PPO, of_a_plugin, ε_max = 0.02"),
        ("unconstrained", "unconstrained", math.nan, math.nan, "unconstrained"),
    ],
)  # fmt: skip
def test_every_setting_has_a_name(source, kind, alpha, eps_max, text) -> None:
    row = {"source": source, "projected": kind != "unconstrained", "constraint": kind}
    row |= {"alpha": alpha, "eps_max": eps_max, "horizon": 21}
    assert setting_text(row) == setting_text(pd.Series(row, dtype=object)) == text
    assert point_text(row, horizon=True).endswith(", T 21")


def test_policies_that_aim_at_risks_differ_by_name() -> None:
    """Used as they are, with nothing else that tells them apart."""
    row = {"source": "ppo_lagrangian", "projected": False, "constraint": "unconstrained"}
    row |= {"alpha": None, "horizon": 21, "eps_max": 0.05}
    assert setting_text(row) == "PPO-Lagrangian, as it is, ε_max = 0.05"
    assert point_text(row, horizon=False) == "PPO-Lagrangian, as it is, ε_max 0.05"
    record = row | {"hyperparameters": None, "seed": 0}
    assert run_name(record) == "PPO-Lagrangian, as it is, ε_max = 0.05 · T 21 · s0"


def test_a_caption_says_which_kinds_are_not_shown() -> None:
    table = pd.DataFrame(
        {
            "constraint": ["ratio", "pathwise", "gauss_renyi", "unconstrained"],
        }
    )
    assert left_out_text(table).endswith("not shown: pathwise budget, Gauss–Rényi.")
    assert left_out_text(table.iloc[[0, 3]]) == ""
