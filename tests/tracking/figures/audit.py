"""What a reader could stumble over in a figure, found by drawing it: the rules for all figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from tests.tracking.figures.sight import distance

CLOSE = 10.0
"""Colours that differ by less are one colour to someone; 2.3 is just noticeable."""


def problems(figure: Figure, smallest: float = 0.0) -> list[str]:
    """Texts cut or overlapping or too small, entries alike, lines that nothing tells apart.

    smallest: points that no text may fall below.
    """
    texts = _drawn_texts(figure)
    found = [*_cut(figure, texts), *_overlapping(texts)]
    found += [
        f"{one.get_text()!r} is {one.get_fontsize():.1f} points"
        for one, _ in texts
        if one.get_fontsize() < smallest
    ]
    for legend in figure.findobj(Legend):
        found += _alike(legend)
    for axes in figure.axes:
        found += _confusable(axes)
    return found


def _drawn_texts(figure: Figure) -> list[tuple[Text, Any]]:
    """Every text that a drawing shows, with its extent: ticks beyond an axis are not drawn."""
    seen: dict[int, tuple[Text, Any]] = {}
    inner = Text.draw

    def draw(self: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
        inner(self, renderer, *args, **kwargs)
        if self.get_visible() and self.get_text().strip():
            seen[id(self)] = (self, Text.get_window_extent(self, renderer))

    with mock.patch.object(Text, "draw", draw):
        figure.canvas.draw()
    return list(seen.values())


def _cut(figure: Figure, texts: list[tuple[Text, Any]]) -> Iterator[str]:
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in texts:
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            yield f"{text.get_text()!r} is cut"


def _overlapping(texts: list[tuple[Text, Any]]) -> Iterator[str]:
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        tall = min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 1 and tall > 1.5:  # a box has room for accents and descenders
            yield f"{one.get_text()!r} overlaps {other.get_text()!r}"


def _alike(legend: Legend) -> Iterator[str]:
    labels = [text.get_text() for text in legend.get_texts()]
    looks = [_look(handle) for handle in legend.legend_handles]
    for (a, one), (b, other) in itertools.combinations(zip(labels, looks, strict=True), 2):
        if a == b:
            yield f"two entries are called {a!r}"
        elif one[0] == other[0] and _same(one[1], other[1]):
            yield f"{a!r} and {b!r} look alike"


def _look(handle: Any) -> tuple[tuple[Any, ...], str]:
    """Shape, and colour."""
    if isinstance(handle, ErrorbarContainer):
        handle = handle[0]
    if isinstance(handle, Line2D):
        style = handle._marker
        marker = style.get_transform().transform(style.get_path().vertices).round(2).tobytes()
        hollow = to_rgba(handle.get_markerfacecolor())[3] == 0 or handle.get_fillstyle() == "none"
        hollow |= to_hex(handle.get_markerfacecolor()) == "#ffffff"
        shape = (marker, hollow, handle.get_fillstyle(), str(handle._unscaled_dash_pattern),
                 handle.get_linestyle() == "None", handle.get_linewidth() > 3)  # fmt: skip
        return shape, to_hex(handle.get_color())
    colours = handle.get_facecolor()
    if len(colours) == 0:  # of lines
        colours = handle.get_edgecolor()
    return (type(handle).__name__,), to_hex(np.atleast_2d(colours)[0])


def _same(one: str, other: str) -> bool:
    return distance(one, other) < CLOSE


def _marked(line: Line2D) -> bool:
    """Polygons of ours are arrays."""
    marker = line.get_marker()
    return not (marker is None or (isinstance(marker, str) and marker in ("None", "", " ")))


def _confusable(axes: Axes) -> Iterator[str]:
    """Lines that are named, cross a panel without marks, and have the same dashes."""
    plain = [
        line
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
        and not _marked(line)
        and line.get_linestyle() != "None"
        and len(line.get_xdata()) > 1
    ]
    for one, other in itertools.combinations(plain, 2):
        if _look(one)[0] == _look(other)[0]:
            yield f"lines {one.get_label()!r} and {other.get_label()!r} have no marks"
