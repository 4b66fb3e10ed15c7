"""Constants from second differences: exact for quadratics, below the truth in general."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.scpo.smoothness import Smoothness, estimate_smoothness, given_smoothness
from tests.benchmarks.scpo.smooth_problem import SmoothProblem


def test_exact_for_a_quadratic():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 4))
    hessian = root + root.T
    found = estimate_smoothness(
        lambda x: np.array([0.5 * x @ hessian @ x + x[0] - 3.0]),
        rng.standard_normal((2, 4)),
        1e-3,
        2.0,
    )
    assert found.values[0] == pytest.approx(2.0 * np.linalg.norm(hessian, 2), rel=1e-6)
    assert found.source == "estimated"


@pytest.mark.parametrize("seed", range(5))
def test_without_a_margin_below_what_is_valid_everywhere(seed):
    problem = SmoothProblem(seed)
    points = np.random.default_rng(seed).standard_normal((5, problem.dimension))
    found = estimate_smoothness(problem.constraints, points, 1e-4, 1.0)
    assert (found.values <= problem.smoothness() * (1 + 1e-4)).all()
    assert (found.values > 0.2 * problem.smoothness()).any()


def test_raised_where_contradicted():
    raised = Smoothness(np.array([1.0, 0.0, 3.0]), "estimated").raised(
        np.array([True, True, False])
    )
    assert raised.values[0] == 2.0
    assert raised.values[1] > 0.0
    assert raised.values[2] == 3.0


def test_arguments():
    with pytest.raises(ValueError, match="smoothness"):
        given_smoothness([1.0, -1.0])
    with pytest.raises(ValueError, match="smoothness"):
        given_smoothness([np.nan])
    with pytest.raises(ValueError, match="margin"):
        estimate_smoothness(lambda x: x, np.zeros((1, 2)), 0.1, 0.5)
    with pytest.raises(ValueError, match="not finite"):
        estimate_smoothness(lambda x: x * np.nan, np.zeros((1, 2)), 0.1, 1.0)
