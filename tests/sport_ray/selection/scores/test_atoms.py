"""Laws on a grid: what a step does to them, against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sport_ray.errors import UserError
from sport_ray.selection.scores import Atoms


def test_the_atoms_of_steps_and_of_returns():
    steps = Atoms.of_steps(21)
    assert (steps.outputs, steps.values[0], steps.values[20]) == (22, -1.0, -21.0)
    assert steps.values[21] == -31.5
    found = Atoms.of_returns(np.array([3.0, -1.0, 0.5]), count=5)
    assert found.values.tolist() == [3.0, 2.0, 1.0, 0.0, -1.0, -3.0]
    assert Atoms.of_returns(np.array([2.0])).values[0] == 2.0  # all episodes alike
    for bad in (0, 1001):
        with pytest.raises(UserError, match=f"horizon is {bad}"):
            Atoms.of_steps(bad)
    with pytest.raises(UserError, match="finite"):
        Atoms.of_returns(np.array([np.nan]))
    with pytest.raises(ValidationError, match="must be below the lowest atom"):
        Atoms(best=0.0, spacing=1.0, count=3, failure=-2.0)


@given(st.lists(st.floats(-1.0, 3.0), min_size=1, max_size=9))
def test_a_value_between_two_atoms_is_shared_so_that_the_mean_is_kept(values):
    atoms = Atoms(best=3.0, spacing=0.5, count=9, failure=-5.0)
    law = atoms.of_values(torch.tensor(values, dtype=torch.float64), torch.zeros(len(values)) > 0)
    np.testing.assert_allclose(law.sum(1), 1.0, atol=1e-6)
    np.testing.assert_allclose(law.double().numpy() @ atoms.values, values, atol=1e-6)
    assert (law > 0).sum(1).max() <= 2


def test_failures_and_what_lies_below_the_grid_have_the_last_class():
    atoms = Atoms.of_steps(3)
    law = atoms.of_values(torch.tensor([-2.0, -2.0, -4.0]), torch.tensor([False, True, False]))
    assert law.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_a_step_of_minus_one_moves_remaining_steps_by_one_exactly():
    atoms = Atoms.of_steps(3)
    law = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    assert atoms.after(torch.tensor([-1.0]), law).tolist() == [[0.0, 0.5, 0.25, 0.25]]


@given(st.lists(st.floats(-6.0, 6.0), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_after_is_the_law_of_the_sum(rewards, seed):
    """Against the sum over atoms: each moved and projected by itself."""
    atoms = Atoms(best=2.0, spacing=0.4, count=7, failure=-4.0)
    law = np.random.default_rng(seed).dirichlet(np.ones(8), size=len(rewards))
    found = atoms.after(torch.tensor(rewards, dtype=torch.float64), torch.from_numpy(law).float())
    for row, reward in enumerate(rewards):
        wanted = np.zeros(8)
        for k in range(7):
            place = (2.0 - (reward + 2.0 - 0.4 * k)) / 0.4
            lower = int(np.floor(place + 1e-9))
            part = max(place - lower, 0.0)
            for at, share in ((lower, 1.0 - part), (lower + 1, part)):
                wanted[min(max(at, 0), 7)] += share * law[row, k]
        wanted[7] += law[row, 7]
        np.testing.assert_allclose(found[row], wanted, atol=2e-6)
