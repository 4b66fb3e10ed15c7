"""The gradients of SCPO's local model against the true ones, exact and noisy evaluations."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scpo.optimise import fit_local_model
from benchmarks.scpo.smoothness import given_smoothness
from sport_ray.comparators.scpo.local_model import perturbations
from tests.benchmarks.scpo.smooth_problem import NoisyProblem, SmoothProblem


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
