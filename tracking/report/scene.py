"""The task as a small picture: start, hazard, goal, and some trajectories of a cell, as SVG paths.

Only where cells kept trajectories with poses (``samples.npz``): an environment that is flat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sport_ray.errors import UserError
from sport_ray.tracking.figures.trajectories import (
    SCENE,
    Samples,
    enters_hazard,
    positions,
    scene_limits,
)
from sport_ray.tracking.results.records import Results

SIZE = 120.0
"""Units of the picture's longer side."""
MOST_PATHS = 24
Circle = tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """One cell's trajectories, in units of the picture (y downwards).

    hazard, goal: x, y and radius. paths: those that stay outside the hazard; entering: those that
    do not. start: where the first one begins. cell: whose they are.
    """

    cell: str
    width: float
    height: float
    hazard: Circle
    goal: Circle
    start: tuple[float, float]
    paths: tuple[str, ...]
    entering: tuple[str, ...]

    @property
    def count(self) -> int:
        """Trajectories in the picture."""
        return len(self.paths) + len(self.entering)


def scene_of(folder: Results, cells: Iterable[str]) -> Scene | None:
    """The picture of the first of these cells that kept trajectories; None where none did."""
    for cell in cells:
        try:
            samples = folder.samples(cell)
        except UserError:  # damaged, which the figure of trajectories names
            continue
        if samples is not None and samples.keys() >= SCENE:
            return _drawn(cell, samples)
    return None


def _drawn(cell: str, samples: Samples) -> Scene | None:
    shown = samples | {"poses": samples["poses"][:MOST_PATHS]}
    poses = positions(shown)
    if not len(poses):
        return None
    left, right, bottom, top = scene_limits([shown])
    scale = SIZE / max(right - left, top - bottom)

    def place(xy: np.ndarray) -> np.ndarray:
        return np.stack([(xy[..., 0] - left) * scale, (top - xy[..., 1]) * scale], axis=-1)

    def circle(name: str) -> Circle:
        x, y = place(np.asarray(shown[name], dtype=np.float64)[:2])
        return (
            round(float(x), 1),
            round(float(y), 1),
            round(float(shown[f"{name}_radius"]) * scale, 1),
        )

    hit = enters_hazard(poses, shown["hazard"], float(shown["hazard_radius"]))
    lines = [place(path[np.isfinite(path[:, 0])]) for path in poses]
    first = lines[0][0]
    drawn = [_path(line) for line in lines]
    return Scene(
        cell,
        round((right - left) * scale, 1),
        round((top - bottom) * scale, 1),
        circle("hazard"),
        circle("goal"),
        (round(float(first[0]), 1), round(float(first[1]), 1)),
        tuple(d for d, into in zip(drawn, hit, strict=True) if d and not into),
        tuple(d for d, into in zip(drawn, hit, strict=True) if d and into),
    )


def _path(points: np.ndarray) -> str:
    corners = (f"{x:.1f},{y:.1f}" for x, y in points)
    return "M" + "L".join(corners) if len(points) > 1 else ""
