"""The estimated gradient against the true one: within its error bound, which is attained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.comparators.scpo import fit_local_model, given_smoothness, perturbations
from sport_ray.comparators.scpo.local_model import fit_differences
from tests.sport_ray.comparators.scpo.smooth_problem import NoisyProblem, SmoothProblem


def model_at(problem, theta, radius, design, rng, beta=1e-3):
    moves = perturbations(len(theta), radius, 2 * len(theta), design, rng)
    points = theta + moves
    around = [problem.evaluate(point, beta) for point in points]
    smoothness = given_smoothness(problem.smoothness())
    return fit_local_model(problem.evaluate(theta, beta), around, points - theta, smoothness)


@given(
    st.integers(0, 10_000),
    st.floats(1e-4, 1.0),
    st.sampled_from(["basis", "random"]),
)
def test_the_gradient_is_within_its_error(seed, radius, design):
    rng = np.random.default_rng(seed)
    problem = SmoothProblem(seed, dimension=int(rng.integers(1, 6)))
    theta = rng.standard_normal(problem.dimension)
    model = model_at(problem, theta, radius, design, rng)
    error = np.linalg.norm(model.gradient - problem.constraint_gradient(theta), axis=1)
    assert (error <= model.gradient_error).all()


def test_the_error_bound_of_a_basis_is_attained_by_a_bowl():
    # g = ½L‖θ‖² at 0: every difference along an axis of length r is Lr²/2, the gradient is 0.
    size, radius, constant = 5, 0.1, 3.0
    moves = radius * np.eye(size)
    differences = np.full((size, 1), 0.5 * constant * radius**2)
    gradient, error = fit_differences(moves, differences, np.zeros((size, 1)), np.array([constant]))
    assert np.linalg.norm(gradient) == pytest.approx(error[0], rel=1e-8)
    assert error[0] == pytest.approx(0.5 * constant * radius * np.sqrt(size), rel=1e-8)


def test_errors_of_noisy_evaluations_are_covered():
    inside = []
    for seed in range(60):
        problem = NoisyProblem(seed, seed, samples=200, width=1.0, told=True)
        theta = np.zeros(problem.dimension)
        model = model_at(problem, theta, 0.3, "basis", np.random.default_rng(seed), beta=1e-3)
        error = np.linalg.norm(model.gradient - problem.constraint_gradient(theta), axis=1)
        value = np.abs(model.value - problem.constraints(theta))
        inside.append((error <= model.gradient_error).all() and (value <= model.value_error).all())
    assert all(inside)


@given(st.integers(1, 8), st.integers(0, 1000))
def test_a_basis_is_orthogonal_of_the_radius(size, seed):
    moves = perturbations(size, 0.2, 0, "basis", np.random.default_rng(seed))
    assert np.allclose(moves @ moves.T, 0.04 * np.eye(size), atol=1e-14)


def test_directions_must_span_the_space():
    moves = np.array([[0.1, 0.0], [0.2, 0.0]])
    with pytest.raises(ValueError, match="moves must span"):
        fit_differences(moves, np.zeros((2, 1)), np.zeros((2, 1)), np.ones(1))
    with pytest.raises(ValueError, match="count"):
        perturbations(3, 0.1, 2, "random", np.random.default_rng(0))
    with pytest.raises(ValueError, match="radius"):
        perturbations(3, 0.0, 3, "basis", np.random.default_rng(0))
