"""Where figures stand: on a screen, as each likes to be, or in a column of a paper."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sport_ray.tracking.results.files import write_atomically

SCREEN_TEXT = 10.5
"""Points of ordinary text on the screen."""
NARROWEST = 0.5
"""Of a panel's width on the screen, in print."""
FLATTER, TALLEST = 0.62, 7.0
"""Heights in print, of those on the screen: a column is narrower still. At most, inches."""
MARK = 5.0
"""Points of a marker in print."""


@dataclass(frozen=True)
class Sheet:
    """A place for figures.

    width: inches of every figure, None: as it likes. text: points of ordinary text; the smallest
    is five sixths of it. write: writes a figure into a folder under a name; its SVG text, if any.
    """

    width: float | None
    text: float
    write: Callable[[Figure, Path, str], str]

    @property
    def scale(self) -> float:
        """Of text, against the screen's."""
        return self.text / SCREEN_TEXT

    @property
    def rc(self) -> dict[str, Any]:
        """The part of the look that depends on the place."""
        return {
            "font.size": self.text,
            "lines.linewidth": 1.8 * self.scale,
            "lines.markersize": self.points(6),
            "axes.titlepad": 6 * self.scale,
        }

    def points(self, size: float) -> float:
        """The size of a marker that has so many points on the screen."""
        return size if self.width is None else size * MARK / 6

    def size(self, width: float, height: float) -> tuple[float, float]:
        """The size of a figure, inches, from what it would be on the screen."""
        if self.width is None:
            return width, height
        return self.width, min(height * FLATTER, TALLEST)

    def in_a_row(self, wide: float, wanted: int) -> int:
        """How many of the panels that are so wide on the screen stand side by side."""
        if self.width is None:
            return wanted
        return max(min(wanted, int(self.width / (NARROWEST * wide))), 1)


def to_screen(figure: Figure, folder: Path, name: str) -> str:
    """Write NAME.png and NAME.svg; the text of the SVG."""
    for suffix, options in (("png", {"dpi": 160}), ("svg", {"metadata": {"Date": None}})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, **options)
        write_atomically(folder / f"{name}.{suffix}", buffer.getvalue())
        figure.set_layout_engine("none")  # laid out once is enough: it takes half of the time
    return buffer.getvalue().decode("utf-8")


SCREEN = Sheet(None, SCREEN_TEXT, to_screen)
SHEET: ContextVar[Sheet] = ContextVar("sheet", default=SCREEN)
"""The place of the figures that are being drawn; set by `style.look`."""
