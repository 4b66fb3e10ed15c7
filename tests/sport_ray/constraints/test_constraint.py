"""Constraints: limits, JSON, and mistakes that name themselves."""

from __future__ import annotations

import json
import math
import os
import pkgutil
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sport_ray.constraints
from sport_ray.constraints import CONSTRAINTS, RatioConstraint, Unconstrained, constraint_from_json
from sport_ray.constraints.constraint import float32_down
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget, PathwiseBudgetAll
from sport_ray.constraints.two_point import TwoPointConstraint
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from tests.gaussians import gaussian

ONES = torch.ones(3, 2)


STATELESS = [
    RatioConstraint(1),
    RatioConstraint(1.25),
    Unconstrained(),
    GaussRenyiConstraint(1.1),
    ViolationTimeConstraint(1.1),
    TwoPointConstraint(1.14, 0.1 + 0.75),
]
BUDGETS = [
    PathwiseBudget(2.3),
    PathwiseBudget(0.1 + 0.2, rule="all", steps_left=(3.25, 1.0 / 3.0)),
    PathwiseBudgetAll(2),
    PathwiseBudgetAll(2.0, rule="spread"),
    MeanShiftBudget(1.07, steps_left=(21.0, 20.0)),
]


@pytest.mark.parametrize("constraint", STATELESS + BUDGETS)
def test_json_round_trip(constraint):
    again = constraint_from_json(json.loads(json.dumps(constraint.to_json())))
    assert again == constraint
    assert type(again) is type(constraint) is CONSTRAINTS[constraint.name]
    assert hash(again) == hash(constraint)  # tuples came back as tuples


def test_every_file_is_found_and_every_name_known():
    files = {module.name for module in pkgutil.iter_modules(sport_ray.constraints.__path__)}
    shared = {"constraint", "evidence", "budget", "mixture"}
    assert files - shared <= set(CONSTRAINTS)
    assert {type(one) for one in STATELESS + BUDGETS} <= set(CONSTRAINTS.values())
    assert all(kind.name == name for name, kind in CONSTRAINTS.items())
    assert all(kind.promises() == (kind is not Unconstrained) for kind in CONSTRAINTS.values())


def test_a_variant_without_a_name_does_not_take_its_parent_s_place():
    class Variant(RatioConstraint):
        """Of a test, say."""

    assert CONSTRAINTS["ratio"] is RatioConstraint
    assert type(constraint_from_json(Variant(2.0).to_json())) is RatioConstraint


@dataclass(frozen=True)
class Fresh(RatioConstraint):
    """A user's own, with a number of its own beside α."""

    slack: float = 0.5
    name: ClassVar[str] = "fresh"


def test_a_new_constraint_is_known_by_its_module_and_name():
    name = f"{__name__}:fresh"
    assert Fresh.name == name
    assert constraint_from_json({"name": name, "alpha": 2.0}) == Fresh(2.0)
    # Its parent's title and formula are not said of it.
    assert (Fresh.title, Fresh.formula) == ("fresh", "")
    shipped = [kind for kind in CONSTRAINTS.values() if kind.__module__.startswith("sport_ray.")]
    assert Fresh.order > max(kind.order for kind in shipped)
    record = {"horizon": 3, "constraint": name, **Fresh(2.0, 0.25).recorded()}
    assert Fresh.from_record(record | {"mu": 1.0}) == Fresh(2.0, 0.25)
    with pytest.raises(UserError, match="cannot take"):
        Fresh.from_record({"slack": 0.25})


def test_every_process_finds_a_constraint_by_its_module(tmp_path):
    (tmp_path / "my_own_bounds.py").write_text(
        "from dataclasses import dataclass\n"
        "from sport_ray.constraints import RatioConstraint\n"
        "@dataclass(frozen=True)\n"
        "class Mine(RatioConstraint):\n"
        "    name = 'mine'\n"
    )
    code = (
        "import sys\n"
        "from sport_ray.constraints import constraint_from_json as made\n"
        "from sport_ray.errors import UserError\n"
        "record = {'name': 'my_own_bounds:mine', 'alpha': 2.0}\n"
        "try:\n"
        "    made(record)\n"
        "except UserError as error:\n"
        "    assert 'import it first' in str(error)\n"
        "assert 'my_own_bounds' not in sys.modules\n"  # a file that names it runs nothing
        "print(made(record, run_module=True).to_json())\n"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{'name': 'my_own_bounds:mine', 'alpha': 2.0}\n"


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(UserError, match="'nowhere:mine': cannot import 'nowhere': ModuleNotFound"):
        constraint_from_json({"name": "nowhere:mine", "alpha": 2.0}, run_module=True)


def test_a_taken_name_is_refused():
    with pytest.raises(ValueError, match="fresh' is taken by the constraint Fresh"):

        class Taken(RatioConstraint):
            name: ClassVar[str] = "fresh"

    assert CONSTRAINTS[Fresh.name] is Fresh


@pytest.mark.parametrize(
    ("constraint", "seen", "held"),
    [
        (RatioConstraint(1.5), {"max_log_ratio": math.log(1.5)}, True),
        (RatioConstraint(1.5), {"max_log_ratio": math.log(1.5) + 1e-12}, False),
        (GaussRenyiConstraint(1.5), {"max_log_ratio": None}, False),
        (RatioConstraint(1.5), {"max_log_ratio": math.nan}, False),
        (PathwiseBudget(1.0), {"max_log_ratio": None, "max_prefix_log_ratio": 1.0}, True),
        (PathwiseBudgetAll(1.0), {"max_log_ratio": 0.1, "max_prefix_log_ratio": 1.1}, False),
        (MeanShiftBudget(1.0), {"max_log_ratio": None, "max_prefix_log_ratio": 9.0}, True),
        (Unconstrained(), {"max_log_ratio": 0.0, "max_prefix_log_ratio": 0.0}, False),
    ],
)
def test_a_record_says_whether_its_constraint_held(constraint, seen, held):
    assert constraint.held({"horizon": 3, **seen}) is held


@pytest.mark.parametrize("constraint", STATELESS)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_without_a_budget_every_state_allows_the_same(constraint, count):
    state = constraint.start(count)
    assert state.shape == (count, 0)
    assert constraint.limits(state).tolist() == [constraint.log_ratio_limit] * count
    features = constraint.features(state)
    assert features.shape == (count, 0)
    assert features.dtype == np.float32
    assert constraint.num_features == 0
    assert constraint.feature_limits(torch.from_numpy(features)) == constraint.log_ratio_limit
    two = np.ones((count, 2))
    cost = constraint.cost(gaussian(2 * two, 0.5 * two), gaussian(two, two), two)
    assert cost.tolist() == [0.0] * count
    assert constraint.spend(state, cost) is state


@pytest.mark.parametrize("constraint", BUDGETS)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_budget_is_whole_at_the_start_and_sees_itself(constraint, count):
    state = constraint.start(count)
    assert state.shape == (count, constraint.state_size) == (count, 2)
    assert constraint.limits(state).shape == (count,)
    features = constraint.features(state)
    assert features.shape == (count, constraint.num_features) == (count, 2)
    assert constraint.log_ratio_limit == math.inf
    state[:] = 0.0  # nobody else's
    assert constraint.start(1)[0, 0] > 0.0
    assert not constraint.limits(state).any()


@pytest.mark.parametrize("constraint", BUDGETS)
def test_rows_are_charged_by_themselves(constraint):
    rng = np.random.default_rng(0)
    state = constraint.start(5) * rng.uniform(0.1, 1.0, (5, 1))
    given = [torch.from_numpy(rng.normal(size=(5, 2)).astype(np.float32)) for _ in range(4)]
    base, task = Gaussian(given[0], given[1].exp()), Gaussian(given[2], given[3].exp())
    limits = torch.from_numpy(constraint.limits(state))
    step = constraint.project(base, task, limits)
    action = rng.normal(size=(5, 2))
    after = constraint.spend(state, constraint.cost(step, base, action))
    for row in range(5):
        one = constraint.project(base[row], task[row], limits[row])
        assert not one.differs(step[row])
        pick = slice(row, row + 1)
        cost = constraint.cost(step[pick], base[pick], action[pick])
        assert np.array_equal(constraint.spend(state[pick], cost), after[pick])


@pytest.mark.parametrize("constraint", [*STATELESS[:2], *BUDGETS])
def test_without_limits_it_is_the_first_state_s(constraint):
    ones = torch.ones(3, 2)
    given = Gaussian(0.0 * ones, ones), Gaussian(9.0 * ones, 0.1 * ones)
    first = torch.from_numpy(constraint.limits(constraint.start(3)))
    assert not constraint.project(*given).differs(constraint.project(*given, first)).any()


@given(st.floats(0.0, allow_nan=False, allow_infinity=False))
def test_rounding_to_float32_is_downwards_and_to_the_nearest_below(value):
    with np.errstate(over="ignore"):
        got = float32_down(np.array([value]))
    assert got.dtype == np.float64
    assert float(np.float32(got[0])) == got[0] <= value
    above = np.nextafter(np.float32(got[0]), np.float32(np.inf))
    assert np.isinf(above) or Fraction(float(above)) > Fraction(value)


def test_ratio_projects_within_its_limit():
    constraint = RatioConstraint(alpha=1.5)
    assert constraint.log_ratio_limit == constraint.log_alpha == math.log(1.5)
    base = Gaussian(0 * ONES, ONES)
    ratio = constraint.project(base, Gaussian(ONES, 0.5 * ONES)).max_log_ratio(base)
    assert ((ratio <= constraint.log_ratio_limit) & (ratio > 0.99 * math.log(1.5))).all()


def test_alpha_one_is_the_base_and_unconstrained_the_task():
    base, task = Gaussian(0 * ONES, ONES), Gaussian(ONES, 0.5 * ONES)
    assert not RatioConstraint(alpha=1.0).project(base, task).differs(base).any()
    free = Unconstrained()
    assert free.log_ratio_limit == math.inf
    assert free.project(base, task) is task


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
        ({"name": ["ratio"]}, r"unknown constraint \['ratio'\]"),
        ({"name": "pathwise", "log_budget": 1.0, "rule": ["all"]}, "rule .* is unknown"),
        ({"name": "pathwise", "log_budget": 1.0, "steps_left": 3.0}, "steps_left must be"),
        ({"name": "pathwise_all"}, "constraint 'pathwise_all' cannot take"),
        ({"name": "mean_shift", "mu": -1.0}, "mu must be at least 0"),
        ({"name": "two_point", "alpha": 2.0, "kappa": 2.0}, "kappa must be a number from 0"),
        ({"name": "ratio"}, "constraint 'ratio' cannot take"),
        ({"name": "ratio", "alfa": 2.0}, "constraint 'ratio' cannot take"),
        ({"name": "unconstrained", "alpha": 2.0}, "constraint 'unconstrained' cannot take"),
    ],
)
def test_bad_records_are_named(record, message):
    with pytest.raises(UserError, match=message):
        constraint_from_json(record)
