"""The scalar rules against the constraints that were evaluated: the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.constraints import CONSTRAINTS, Constraint, constraint_from_json
from sport_ray.deploy.rules import SUPPORTED, Gaussians, realised_log_ratio, rule_from_json
from tests.gaussians import gaussian

ALL: list[dict[str, Any]] = [
    {"name": "ratio", "alpha": 1.3},
    {"name": "gauss_renyi", "alpha": 1.0},
    {"name": "violation_time", "alpha": 1.7},
    {"name": "pathwise", "log_budget": 1.3, "rule": "spread", "steps_left": [9.0, 4.0, 0.5]},
    {"name": "pathwise_all", "log_budget": 0.2, "rule": "all", "steps_left": [20.0]},
    {"name": "pathwise_spread", "log_budget": 3.0, "rule": "spread", "steps_left": [20.0]},
    {"name": "mean_shift", "mu": 0.8, "steps_left": [7.0, 6.0]},
]


def test_these_are_all_that_there_are() -> None:
    assert {one["name"] for one in ALL} == set(SUPPORTED)
    assert set(SUPPORTED) <= set(CONSTRAINTS)


@pytest.mark.parametrize("record", ALL, ids=lambda record: record["name"])
def test_json_of_a_constraint_is_understood(record: dict[str, Any]) -> None:
    assert rule_from_json(constraint_from_json(record).to_json()).total >= 0.0


@settings(max_examples=150)
@given(
    st.sampled_from(ALL),
    st.integers(1, 10),
    st.integers(0, 2**32 - 1),
    st.one_of(st.floats(0.0, 4.0), st.sampled_from([0.0, 1e-9, 1e-8, 1e-7])),
    st.integers(0, 30),
)
def test_a_step_has_the_same_bits(
    record: dict[str, Any], size: int, seed: int, left: float, steps: int
) -> None:
    constraint: Constraint = constraint_from_json(record)
    rule, rng = rule_from_json(record), np.random.default_rng(seed)
    state = np.array([[left, steps]])[:, : constraint.state_size]
    limit = rule.limit(left, steps)
    assert limit == constraint.limits(state)[0]
    assert rule.seen(limit, left) == constraint.features(state)[0].tolist()

    def float32(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32).astype(np.float64)

    base = float32(rng.normal(size=size)), float32(np.exp(rng.normal(size=size)))
    task = (
        float32(base[0] + base[1] * rng.normal(size=size)),
        float32(np.exp(rng.normal(size=size))),
    )
    around, wanted = (
        gaussian(*(x[None].astype(np.float32) for x in pair)) for pair in (base, task)
    )
    limits = torch.tensor([limit], dtype=torch.float64)
    chosen = constraint.project(around, wanted, limits)
    found = rule.project(base, task, limit)
    assert found == (chosen.mean[0].tolist(), chosen.std[0].tolist())
    step = Gaussians(np.array(found[0]), np.array(found[1]), *base)
    assert (rule.reached(step) <= limit) == bool(constraint.within(chosen, around, limits)[0])
    action = step.mean + step.std * rng.normal(size=size)
    cost = rule.cost(step, action)
    assert cost == constraint.cost(chosen, around, action[None])[0]
    wanted_ratio = chosen.log_ratio(around, action[None])[0]
    assert realised_log_ratio(step, action) == pytest.approx(wanted_ratio, abs=1e-10)
    if constraint.state_size:
        assert rule.spend(left, cost) == constraint.spend(state, np.array([cost]))[0, 0]


@pytest.mark.parametrize("record", ALL, ids=lambda record: record["name"])
def test_a_step_beyond_the_limit_is_seen(record: dict[str, Any]) -> None:
    rule = rule_from_json(record)
    one = np.ones(2)
    assert rule.reached(Gaussians(0.0 * one, 1.5 * one, 0.0 * one, one)) == np.inf
    far = Gaussians(
        9.0 * one, (0.5 if record["name"] != "mean_shift" else 1.0) * one, 0.0 * one, one
    )
    assert rule.reached(far) > rule.limit(rule.total, 0)


@pytest.mark.parametrize("cost", [1.1, float("nan"), float("inf")])
def test_no_more_is_spent_than_there_is(cost: float) -> None:
    with pytest.raises(ArithmeticError, match="overspent"):
        rule_from_json(ALL[3]).spend(1.0, cost)


def test_what_has_no_rule_is_refused() -> None:
    for record in (
        {"name": "unconstrained"}, {"name": "ratio"}, {"name": "ratio", "alpha": 0.9}, {},
        {"name": "ratio", "alpha": 1.1, "more": 1}, {"name": "ratio", "alpha": float("inf")},
        {"name": "ratio", "alpha": True}, {"name": "mean_shift", "mu": -1.0, "steps_left": [1.0]},
        {"name": "pathwise", "log_budget": 1.0, "rule": "wild", "steps_left": [1.0]},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            rule_from_json(record)
