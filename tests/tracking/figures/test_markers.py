"""Markers: the page's paths are the figures' polygons, and no two sources share one."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sport_ray.tracking.figures.markers import POLYGONS, marker_of, path_of


@pytest.mark.parametrize("name", POLYGONS)
def test_a_path_goes_round_the_polygon_upside_down(name):
    moves = re.findall(r"([ml])(-?[\d.]+),(-?[\d.]+)", path_of(name, 100.0))
    corners = np.cumsum([(float(x), float(y)) for _, x, y in moves], axis=0)
    assert [letter for letter, _, _ in moves] == ["m"] + ["l"] * (len(moves) - 1)
    assert corners == pytest.approx(np.array(POLYGONS[name]) * [100.0, -100.0], abs=0.1)
    assert np.abs(POLYGONS[name]).max() <= 1
    drawn = marker_of(name).get_path().vertices
    assert np.array_equal(drawn[0], drawn[-1])
