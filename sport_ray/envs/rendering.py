"""A picture of the scene from above, drawn with numpy alone.

Shapes are signed distance fields: a pixel's coverage is its distance to the outline in pixels,
clipped to [0, 1], which gives smooth edges without a plotting library.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.layouts import GOAL_RADIUS, HAZARD_RADIUS
from sport_ray.errors import UserError

PIXELS_PER_METRE = 128
X_RANGE = (-1.75, 1.75)
Y_RANGE = (-1.25, 2.75)
_MARGIN = 0.25

_PAPER = (250, 250, 247)
_GRID = (228, 229, 226)
_GOAL = (39, 134, 84)
_HAZARD = (200, 62, 48)
_TRAIL = (70, 110, 185)
_START = (150, 158, 172)
_BODY = (33, 60, 110)
_NOSE = (243, 168, 50)

_Array = NDArray[np.float64]
_Field = Callable[[_Array, _Array], _Array]
_Colour = tuple[int, int, int]


def check_render_mode(render_mode: str | None) -> str | None:
    """The mode, or a UserError that names the allowed ones."""
    if render_mode not in (None, "rgb_array"):
        raise UserError(f"render_mode is {render_mode!r}: expected None or 'rgb_array'")
    return render_mode


def draw_scene(trail: _Array, goal: _Array, hazard: _Array) -> NDArray[np.uint8]:
    """The robot at the last pose of ``trail`` (L, 3), its way there, goal and hazard (2,).

    The window shows 3.5 m x 4 m around the layouts and moves along with a robot that leaves it.
    Half-metre grid; the path darkens towards the present, with a dot per control step.
    """
    low, high = np.array([X_RANGE, Y_RANGE]).T
    robot = trail[-1, :2]
    shift = robot - np.clip(robot, low + _MARGIN, high - _MARGIN)
    canvas = _Canvas(low + shift, high + shift)
    canvas.grid()
    _draw_target(canvas, hazard, HAZARD_RADIUS, _HAZARD)
    _draw_target(canvas, goal, GOAL_RADIUS, _GOAL)
    _draw_robot(canvas, trail[0], body=_START, nose=_START, opacity=0.45)
    for k in range(1, len(trail)):
        age = k / len(trail)
        canvas.paint(*_segment(trail[k - 1, :2], trail[k, :2], 0.011), _TRAIL, 0.25 + 0.6 * age)
    for k in range(1, len(trail) - 1):
        canvas.paint(*_disc(trail[k, :2], 0.02), _TRAIL, 0.4 + 0.6 * k / len(trail))
    _draw_robot(canvas, trail[-1], body=_BODY, nose=_NOSE, opacity=1.0)
    return canvas.image()


def _draw_target(canvas: _Canvas, centre: _Array, radius: float, colour: _Colour) -> None:
    canvas.paint(*_disc(centre, radius), colour, 0.22)
    canvas.paint(*_ring(centre, radius, 0.012), colour, 0.95)
    canvas.paint(*_disc(centre, 0.022), colour, 0.95)


def _draw_robot(
    canvas: _Canvas, pose: _Array, body: _Colour, nose: _Colour, opacity: float
) -> None:
    """The sphere of radius 0.1 and the cube of half-size 0.05 ahead of it, to scale."""
    if opacity == 1.0:
        canvas.paint(*_disc(pose[:2], 0.112), _PAPER, 1.0)
    canvas.paint(*_disc(pose[:2], 0.1), body, opacity)
    if opacity == 1.0:
        canvas.paint(*_box(pose, ahead=0.1, half=0.06), _PAPER, 1.0)
    canvas.paint(*_box(pose, ahead=0.1, half=0.05), nose, opacity)


class _Canvas:
    """Pixels over the rectangle from ``low`` to ``high`` (x, y in metres)."""

    def __init__(self, low: _Array, high: _Array) -> None:
        self.low, self.high = low, high
        width, height = np.rint((high - low) * PIXELS_PER_METRE).astype(int)
        self._x = low[0] + (np.arange(width) + 0.5) / PIXELS_PER_METRE
        self._y = high[1] - (np.arange(height) + 0.5) / PIXELS_PER_METRE
        self._pixels = np.empty((height, width, 3))
        self._pixels[:] = _PAPER

    def grid(self) -> None:
        """Lines every half metre."""
        for axis, metres in ((1, self._x), (0, self._y)):
            offset = np.abs(metres - 0.5 * np.rint(metres / 0.5)) * PIXELS_PER_METRE
            lines = np.moveaxis(self._pixels, axis, 0)
            lines[offset <= 0.5] = _GRID

    def paint(
        self, field: _Field, centre: _Array, reach: float, colour: _Colour, opacity: float
    ) -> None:
        """Blend ``colour`` where the signed distance ``field`` is negative.

        ``field`` is evaluated within ``reach`` metres of ``centre`` only.
        """
        near = reach + 2.0 / PIXELS_PER_METRE
        columns = np.flatnonzero(np.abs(self._x - centre[0]) <= near)
        rows = np.flatnonzero(np.abs(self._y - centre[1]) <= near)
        if not columns.size or not rows.size:
            return
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        distance = field(self._x[None, columns], self._y[rows, None])
        cover = opacity * np.clip(0.5 - distance * PIXELS_PER_METRE, 0.0, 1.0)[..., None]
        self._pixels[window] += cover * (np.array(colour) - self._pixels[window])

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8, the first row at the top."""
        return np.rint(self._pixels).astype(np.uint8)


def _disc(centre: _Array, radius: float) -> tuple[_Field, _Array, float]:
    return lambda x, y: np.hypot(x - centre[0], y - centre[1]) - radius, centre, radius


def _ring(centre: _Array, radius: float, half_width: float) -> tuple[_Field, _Array, float]:
    def field(x: _Array, y: _Array) -> _Array:
        return np.abs(np.hypot(x - centre[0], y - centre[1]) - radius) - half_width

    return field, centre, radius + half_width


def _segment(start: _Array, end: _Array, half_width: float) -> tuple[_Field, _Array, float]:
    along = end - start
    length = float(np.hypot(*along))

    def field(x: _Array, y: _Array) -> _Array:
        dx, dy = x - start[0], y - start[1]
        t = np.clip((dx * along[0] + dy * along[1]) / max(length**2, 1e-12), 0.0, 1.0)
        return np.hypot(dx - t * along[0], dy - t * along[1]) - half_width

    return field, (start + end) / 2.0, length / 2.0 + half_width


def _box(pose: _Array, ahead: float, half: float) -> tuple[_Field, _Array, float]:
    """A square that turns with ``pose``, its centre ``ahead`` of the origin."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    centre = pose[:2] + ahead * np.array([cos, sin])

    def field(x: _Array, y: _Array) -> _Array:
        dx, dy = x - centre[0], y - centre[1]
        return np.maximum(np.abs(cos * dx + sin * dy), np.abs(cos * dy - sin * dx)) - half

    return field, centre, 1.5 * half
