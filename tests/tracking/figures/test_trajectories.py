"""Which trajectories count as entering the hazard, and which alphas get a panel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.tracking.figures.trajectories import enters_hazard, spread


def test_entering_is_at_most_the_radius_and_padding_never_enters() -> None:
    nan = np.nan
    poses = np.array(
        [
            [[0.0, 0.0], [2.0, 0.0], [nan, nan]],
            [[0.0, 0.0], [0.5, 0.0], [2.0, 0.0]],
            [[nan, nan], [nan, nan], [nan, nan]],
        ]
    )
    hazard = np.array([1.0, 0.0])
    assert enters_hazard(poses, hazard, 0.5).tolist() == [False, True, False]


@given(st.lists(st.floats(1, 100), min_size=1, unique=True).map(sorted), st.integers(2, 8))
def test_spread_keeps_the_ends(values: list[float], count: int) -> None:
    chosen = spread(values, count)
    assert len(chosen) == min(len(values), count)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(values)
    assert (chosen[0], chosen[-1]) == (values[0], values[-1])


def test_spread_of_the_paper_grid() -> None:
    grid = [1, 1.05, 1.1, 1.2, 1.35, 1.5, 2, 3, 5, 10, 20, 50, 100]
    assert spread(grid, 6) == pytest.approx([1, 1.1, 1.5, 3, 20, 100], abs=1e-12)
