"""A picture of the scene from above, drawn with Pillow.

6 ms of CPU a picture; matplotlib took 15 ms, and a second to import in every worker that draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.envs.layouts import GOAL_RADIUS, HAZARD_RADIUS
from sport_ray.errors import UserError

PIXELS_PER_METRE = 128
X_RANGE = (-1.75, 1.75)
Y_RANGE = (-1.25, 2.75)
_MARGIN = 0.25
_FINER = 3  # drawn so many times larger, then averaged: smooth edges

_PAPER = (250, 250, 247)
_GRID = (228, 229, 226)
_GOAL = (39, 134, 84)
_HAZARD = (200, 62, 48)
_TRAIL = (70, 110, 185)
_START = (150, 158, 172)
_BODY = (33, 60, 110)
_NOSE = (243, 168, 50)

_Array = NDArray[np.float64]
_Colour = tuple[int, int, int]


def check_render_mode(render_mode: str | None) -> str | None:
    """The mode, or a UserError that names the allowed ones."""
    if render_mode not in (None, "rgb_array"):
        raise UserError(f"render_mode is {render_mode!r}: expected None or 'rgb_array'")
    return render_mode


def draw_picture(trail: _Array, goal: _Array, hazard: _Array) -> NDArray[np.uint8]:
    """The robot at the last pose of ``trail`` (L, 3), its way there, goal and hazard (2,).

    The window shows 3.5 m x 4 m around the layouts and moves along with a robot that leaves it.
    Half-metre grid; the path darkens towards the present, with a dot per control step.
    (H, W, 3) uint8, the first row at the top.
    """
    low, high = np.array([X_RANGE, Y_RANGE]).T
    robot = trail[-1, :2]
    shift = robot - np.clip(robot, low + _MARGIN, high - _MARGIN)
    canvas = _Canvas(low + shift, high + shift)
    canvas.grid()
    for centre, radius, colour in ((hazard, HAZARD_RADIUS, _HAZARD), (goal, GOAL_RADIUS, _GOAL)):
        canvas.disc(centre, radius + 0.012, colour, 0.22, edge=0.024)
        canvas.disc(centre, 0.022, colour, 0.95)
    canvas.disc(trail[0, :2], 0.1, _START, 0.45)
    canvas.square(trail[0], 0.05, _START, 0.45)
    for k in range(1, len(trail)):
        age = k / len(trail)
        canvas.line(trail[k - 1 : k + 1, :2], 0.022, _TRAIL, 0.25 + 0.6 * age)
    for k in range(1, len(trail) - 1):
        canvas.disc(trail[k, :2], 0.02, _TRAIL, 0.4 + 0.6 * k / len(trail))
    # The sphere of radius 0.1 and the cube of half-size 0.05 ahead of it, to scale.
    canvas.disc(robot, 0.112, _PAPER, 1.0)
    canvas.disc(robot, 0.1, _BODY, 1.0)
    canvas.square(trail[-1], 0.06, _PAPER, 1.0)
    canvas.square(trail[-1], 0.05, _NOSE, 1.0)
    return canvas.image()


class _Canvas:
    """Shapes in metres over the rectangle from ``low`` to ``high`` (x, y)."""

    def __init__(self, low: _Array, high: _Array) -> None:
        from PIL import Image, ImageDraw  # for pictures alone

        self.low, self.high = low, high
        self._scale = PIXELS_PER_METRE * _FINER
        width, height = np.rint((high - low) * PIXELS_PER_METRE).astype(int) * _FINER
        self._image = Image.new("RGB", (int(width), int(height)), _PAPER)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def _at(self, point: ArrayLike) -> tuple[float, float]:
        x, y = np.asarray(point)
        return float(x - self.low[0]) * self._scale, float(self.high[1] - y) * self._scale

    def grid(self) -> None:
        """Lines every half metre."""
        first = np.ceil(self.low / 0.5) * 0.5
        for x in np.arange(first[0], self.high[0], 0.5):
            self._draw.line(
                [self._at((x, self.low[1])), self._at((x, self.high[1]))], _GRID, _FINER
            )
        for y in np.arange(first[1], self.high[1], 0.5):
            self._draw.line(
                [self._at((self.low[0], y)), self._at((self.high[0], y))], _GRID, _FINER
            )

    def disc(
        self, centre: _Array, radius: float, colour: _Colour, opacity: float, edge: float = 0.0
    ) -> None:
        """A filled circle, with an edge of nearly full colour and a width in metres."""
        (x, y), reach = self._at(centre), radius * self._scale
        self._draw.ellipse(
            (x - reach, y - reach, x + reach, y + reach),
            _ink(colour, opacity),
            _ink(colour, 0.95) if edge else None,
            round(edge * self._scale),
        )

    def line(self, ends: _Array, width: float, colour: _Colour, opacity: float) -> None:
        """A straight line between two points (2, 2)."""
        points = [self._at(end) for end in ends]
        self._draw.line(points, _ink(colour, opacity), round(width * self._scale))

    def square(self, pose: _Array, half: float, colour: _Colour, opacity: float) -> None:
        """A square that turns with ``pose``, its centre 0.1 ahead of it."""
        ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
        aside = np.array([-ahead[1], ahead[0]])
        centre = pose[:2] + 0.1 * ahead
        signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
        corners = [self._at(centre + half * (a * ahead + b * aside)) for a, b in signs]
        self._draw.polygon(corners, _ink(colour, opacity))

    def image(self) -> NDArray[np.uint8]:
        """The finished pixels."""
        return np.array(self._image.reduce(_FINER))


def _ink(colour: _Colour, opacity: float) -> tuple[int, int, int, int]:
    return (*colour, round(255 * opacity))
