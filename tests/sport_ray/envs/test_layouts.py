"""The start of an episode."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.envs.layouts import FIXED_LAYOUT, HAZARD_RADIUS, sample_layout


@pytest.fixture(scope="module")
def layouts():
    """Poses (n, 3), goals (n, 2) and hazards (n, 2) of 20,000 random layouts."""
    rng = np.random.default_rng(7)
    drawn = [sample_layout(rng) for _ in range(20_000)]
    return tuple(np.array(part) for part in zip(*drawn, strict=True))


def test_fixed_layout_is_the_one_of_the_alpha_sweeps():
    assert FIXED_LAYOUT.pose == (0.058576, -0.456962, 2.749442)
    assert FIXED_LAYOUT.goal == (-0.162016, 2.113773)
    assert FIXED_LAYOUT.hazard == (-0.122152, 0.910484)


def test_coordinates_are_uniform_in_their_ranges(layouts):
    columns = np.concatenate(layouts, axis=1)
    low = np.array([-0.6, -0.6, -np.pi, -0.695, 1.805, -0.8, 0.2])
    high = np.array([0.6, -0.4, np.pi, 0.695, 2.195, 0.8, 1.3])
    unit = (columns - low) / (high - low)
    assert unit.min() >= 0.0
    assert unit.max() <= 1.0
    # Kolmogorov-Smirnov at the level 1e-4, per coordinate.
    grid = (np.arange(len(unit)) + 0.5) / len(unit)
    assert np.abs(np.sort(unit, axis=0) - grid[:, None]).max() < 2.23 / np.sqrt(len(unit))
    correlations = np.corrcoef(unit.T) - np.eye(7)
    assert np.abs(correlations).max() < 0.04


def test_layouts_keep_the_rejection_distances(layouts):
    poses, goals, hazards = layouts
    agents = poses[:, :2]
    assert np.hypot(*(agents - hazards).T).min() >= 0.6
    assert np.hypot(*(goals - hazards).T).min() >= 0.505
    assert np.hypot(*(agents - goals).T).min() >= 0.705


def test_straight_line_crosses_the_hazard_in_61_percent(layouts):
    poses, goals, hazards = layouts
    start, way = poses[:, :2], goals - poses[:, :2]
    along = ((hazards - start) * way).sum(axis=1) / (way**2).sum(axis=1)
    nearest = start + np.clip(along, 0.0, 1.0)[:, None] * way
    crossing = (np.hypot(*(hazards - nearest).T) <= HAZARD_RADIUS).mean()
    # 400,000 layouts give 61.5%; four standard errors here are 1.4%.
    assert crossing == pytest.approx(0.615, abs=0.014)


def test_same_generator_state_gives_the_same_layout():
    assert sample_layout(np.random.default_rng(3)) == sample_layout(np.random.default_rng(3))
    assert sample_layout(np.random.default_rng(3)) != sample_layout(np.random.default_rng(4))
