"""Constraints: limits, JSON, and mistakes that name themselves."""

from __future__ import annotations

import json
import math

import pytest
import torch

from sport_ray.constraints import CONSTRAINTS, RatioConstraint, Unconstrained, constraint_from_json
from sport_ray.errors import UserError
from sport_ray.projection import max_log_ratio

ONES = torch.ones(3, 2)


@pytest.mark.parametrize("constraint", [RatioConstraint(1), RatioConstraint(1.25), Unconstrained()])
def test_json_round_trip(constraint):
    again = constraint_from_json(json.loads(json.dumps(constraint.to_json())))
    assert again == constraint
    assert type(again) is CONSTRAINTS[constraint.name]


def test_ratio_projects_within_its_limit():
    constraint = RatioConstraint(alpha=1.5)
    assert constraint.log_ratio_limit == constraint.log_alpha == math.log(1.5)
    mean, std = constraint.project(0 * ONES, ONES, ONES, 0.5 * ONES)
    ratio = max_log_ratio(mean, std, 0 * ONES, ONES)
    assert ((ratio <= constraint.log_ratio_limit) & (ratio > 0.99 * math.log(1.5))).all()


def test_alpha_one_is_the_base_and_unconstrained_the_task():
    task = (ONES, 0.5 * ONES)
    mean, std = RatioConstraint(alpha=1.0).project(0 * ONES, ONES, *task)
    assert torch.equal(mean, 0 * ONES) and torch.equal(std, ONES)
    free = Unconstrained()
    assert free.log_ratio_limit == math.inf
    assert free.project(0 * ONES, ONES, *task) == task


@pytest.mark.parametrize("alpha", [0.99, 0.0, -1.0, math.nan, math.inf, "1.5", True, None])
def test_bad_alpha_is_named(alpha):
    with pytest.raises(UserError, match="alpha must be") as error:
        RatioConstraint(alpha=alpha)
    assert repr(alpha) in str(error.value)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"name": "ratoi", "alpha": 2.0},
            "unknown constraint 'ratoi'; known: gauss_renyi, mean_shift, pathwise, ",
        ),
        ({"alpha": 2.0}, "unknown constraint None"),
        ({"name": "ratio"}, "constraint 'ratio' cannot take"),
        ({"name": "ratio", "alfa": 2.0}, "constraint 'ratio' cannot take"),
        ({"name": "unconstrained", "alpha": 2.0}, "constraint 'unconstrained' cannot take"),
    ],
)
def test_bad_records_are_named(record, message):
    with pytest.raises(UserError, match=message):
        constraint_from_json(record)
