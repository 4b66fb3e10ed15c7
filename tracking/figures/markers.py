"""Markers as polygons, the same in matplotlib's figures and in the page's own SVG."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

Points = tuple[tuple[float, float], ...]


def _star(points: int, waist: float) -> Points:
    """A star's corners, from the top on; waist: radius of its inner corners."""
    corners = []
    for i in range(2 * points):
        radius, angle = (waist if i % 2 else 1.0), math.pi * i / points
        corners.append((radius * math.sin(angle), radius * math.cos(angle)))
    return tuple(corners)


POLYGONS: dict[str, Points] = {
    "star": _star(5, 0.42),
    "pentagon": _star(5, math.cos(math.pi / 5)),
    "four-pointed star": _star(4, 0.36),
    "lozenge": ((0.0, 1.0), (0.6, 0.0), (0.0, -1.0), (-0.6, 0.0)),
    "hourglass": ((-0.85, 0.9), (0.85, 0.9), (-0.85, -0.9), (0.85, -0.9)),
    "bow tie": ((-0.9, -0.85), (-0.9, 0.85), (0.9, -0.85), (0.9, 0.85)),
    "arrowhead": ((0.0, 1.0), (0.95, -0.9), (0.0, -0.4), (-0.95, -0.9)),
    "arrowhead down": ((0.0, -1.0), (0.95, 0.9), (0.0, 0.4), (-0.95, 0.9)),
}
"""Corners by name, within ±1, y upwards; others are matplotlib's letters."""


LARGER = 1.35
"""Polygons with waists, beside matplotlib's own: as much ink."""


def marker_of(name: str) -> str | MarkerStyle:
    """What matplotlib draws: a letter of its own, or closed corners."""
    corners = POLYGONS.get(name)
    if corners is None:
        return name
    closed = np.array([*corners, corners[0]])
    return MarkerStyle(closed, transform=Affine2D().scale(LARGER))


def path_of(name: str, radius: float = 6.5) -> str:
    """The polygon as an SVG path around its point, `radius` units of the page in size."""
    corners = [(radius * x, -radius * y) for x, y in POLYGONS[name]]
    at, text = (0.0, 0.0), ""
    for x, y in corners:
        text += f"{'l' if text else 'm'}{x - at[0]:.2f},{y - at[1]:.2f}"
        at = (x, y)
    return text + "z"
