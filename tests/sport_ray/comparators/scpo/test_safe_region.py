"""The projection against CVXPY, and membership in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.comparators.scpo.local_model import LocalModel
from sport_ray.comparators.scpo.safe_region import SafeRegion


def random_region(seed: int, safe_origin: bool = True) -> tuple[SafeRegion, np.ndarray]:
    """A region whose numbers are of many sizes, and a raw step."""
    rng = np.random.default_rng(seed)
    size, count = int(rng.integers(1, 9)), int(rng.integers(1, 7))
    value = 10.0 ** rng.uniform(-3, 1, count)
    model = LocalModel(
        value=-value if safe_origin else value * rng.choice([-1.0, 1.0], count),
        value_error=(0.3 * value if safe_origin else value) * rng.uniform(0, 1, count),
        gradient=rng.standard_normal((count, size)) * 10.0 ** rng.uniform(-2, 2, (count, 1)),
        gradient_error=10.0 ** rng.uniform(-4, 0, count) * rng.integers(0, 2, count),
    )
    smoothness = 10.0 ** rng.uniform(-2, 2, count) * rng.integers(0, 2, count)
    radius = 10.0 ** rng.uniform(-2, 1)
    return SafeRegion(model, smoothness, radius), rng.standard_normal(size) * 10.0 ** rng.uniform(
        -2, 2
    )


def by_cvxpy(region: SafeRegion, raw: np.ndarray) -> tuple[float, str]:
    """The smallest distance to the region."""
    step = cvxpy.Variable(len(raw))
    model = region.model
    conditions = [cvxpy.norm(step) <= region.radius]
    for i, smooth in enumerate(region.smoothness):
        conditions.append(
            model.value[i] + model.value_error[i] + model.gradient[i] @ step
            + model.gradient_error[i] * cvxpy.norm(step) + 0.5 * smooth * cvxpy.sum_squares(step)
            <= 0
        )  # fmt: skip
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.norm(step - raw)), conditions)
    problem.solve(solver=cvxpy.CLARABEL)
    return problem.value, problem.status


def exact_upper(region: SafeRegion, step: np.ndarray) -> list[Fraction]:
    """The left sides in rational arithmetic, the length of the step rounded down by 2⁻⁶⁰."""
    squared = sum((Fraction(x) ** 2 for x in step.tolist()), Fraction(0))
    length = Fraction(float(np.sqrt(float(squared)))) * (1 - Fraction(1, 2**50))
    model = region.model
    found = []
    for i in range(len(model.value)):
        dot = sum(
            (
                Fraction(a) * Fraction(b)
                for a, b in zip(model.gradient[i].tolist(), step.tolist(), strict=True)
            ),
            Fraction(0),
        )
        found.append(
            Fraction(model.value[i]) + Fraction(model.value_error[i]) + dot
            + Fraction(model.gradient_error[i]) * length
            + Fraction(region.smoothness[i]) * squared / 2
        )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(40))
def test_as_close_as_cvxpy_and_inside(seed):
    region, raw = random_region(seed)
    origin = np.zeros(len(raw))
    found = region.project(origin, raw)
    assert found.theta is not None
    assert found.outcome in ("inside", "projected")
    assert region.contains(found.theta)
    best, _ = by_cvxpy(region, raw)
    distance = float(np.linalg.norm(found.theta - raw))
    assert distance == pytest.approx(best, abs=2e-5 * (1 + region.radius), rel=2e-5)


@given(st.integers(0, 100_000))
@settings(max_examples=150)
def test_what_is_returned_is_inside_in_exact_arithmetic(seed):
    region, raw = random_region(seed, safe_origin=seed % 3 > 0)
    origin = np.random.default_rng(seed).standard_normal(len(raw))
    found = region.project(origin, raw)
    if found.theta is None:
        return
    step = found.theta - origin
    assert max(exact_upper(region, step)) <= 0
    assert sum(Fraction(x) ** 2 for x in step.tolist()) <= Fraction(region.radius) ** 2


@pytest.mark.parametrize("seed", range(20))
def test_infeasible_where_cvxpy_says_so(seed):
    region, raw = random_region(seed, safe_origin=False)
    _, status = by_cvxpy(region, raw)
    found = region.project(np.zeros(len(raw)), raw)
    if "infeasible" in status:
        assert found.theta is None
        assert found.outcome == "infeasible"
    if found.theta is not None:
        assert "optimal" in status


def test_an_inner_step_is_returned_as_it_is():
    model = LocalModel(np.array([-1.0]), np.zeros(1), np.ones((1, 2)), np.zeros(1))
    region = SafeRegion(model, np.array([0.1]), 1.0)
    step = np.array([0.1, -0.2])
    assert region.project(np.zeros(2), step).outcome == "inside"
    assert (region.project(np.zeros(2), step).theta == step).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_doubt_fails_closed(bad):
    region, raw = random_region(1)
    assert region.project(np.zeros(len(raw)), np.full(len(raw), bad)).theta is None
    model = LocalModel(np.array([bad]), np.zeros(1), np.ones((1, 2)), np.zeros(1))
    assert SafeRegion(model, np.array([1.0]), 1.0).project(np.zeros(2), np.ones(2)).theta is None
    slope = LocalModel(np.array([-1.0]), np.zeros(1), np.full((1, 2), bad), np.zeros(1))
    assert SafeRegion(slope, np.array([1.0]), 1.0).project(np.zeros(2), np.ones(2)).theta is None


def test_a_boundary_point_is_kept_or_left_inwards():
    # At the boundary with a gradient along the first axis: only steps to the left are possible.
    model = LocalModel(np.array([0.0]), np.zeros(1), np.array([[1.0, 0.0]]), np.zeros(1))
    region = SafeRegion(model, np.array([1.0]), 1.0)
    found = region.project(np.zeros(2), np.array([-0.5, 0.5]))
    assert found.theta is not None
    assert found.theta[0] < 0
    with pytest.raises(ValueError, match="radius"):
        SafeRegion(model, np.array([1.0]), 0.0)
