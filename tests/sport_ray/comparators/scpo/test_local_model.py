"""The estimated gradient against the true one: within its error bound, which is attained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.comparators.scpo.local_model import fit_differences, perturbations


def test_the_error_bound_of_a_basis_is_attained_by_a_bowl():
    # g = ½L‖θ‖² at 0: every difference along an axis of length r is Lr²/2, the gradient is 0.
    size, radius, constant = 5, 0.1, 3.0
    moves = radius * np.eye(size)
    differences = np.full((size, 1), 0.5 * constant * radius**2)
    gradient, error = fit_differences(moves, differences, np.zeros((size, 1)), np.array([constant]))
    assert np.linalg.norm(gradient) == pytest.approx(error[0], rel=1e-8)
    assert error[0] == pytest.approx(0.5 * constant * radius * np.sqrt(size), rel=1e-8)


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
