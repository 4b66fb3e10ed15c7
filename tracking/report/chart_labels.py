"""Where the labels of a chart's points go: beside their points, on no mark and no other label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sport_ray.tracking.report.chart_axes import LOWEST, TOP, WIDTH

GAP, LETTER = 9, 6.3  # of a label from its point, and the width of a letter
ABOVE, BELOW = -9, 17  # of a baseline from its point
ASCENT, DESCENT, BETWEEN = 10, 3, 4  # of letters from their baseline, and between two labels
MARK = 6
"""How far a mark reaches from its place."""


@dataclass(frozen=True)
class Label:
    """A text from `x` on or, with `end`, up to it; `y` is its baseline, in SVG units."""

    text: str
    x: float
    y: float
    end: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, right, top and bottom, about."""
        width = LETTER * len(self.text)
        left = self.x - width if self.end else self.x
        return left, left + width, self.y - ASCENT, self.y + DESCENT


def labels_with_room(
    places: Sequence[tuple[float, float]],
    texts: Sequence[str],
    marks: Iterable[tuple[float, float]],
) -> list[Label | None]:
    """The label of each point of a front, in its order; None where there is no room for it.

    Of the places above and below, to the right and to the left, the first that lies within the
    frame. marks: the places of all points of the chart.
    """
    taken = [(x - MARK, x + MARK, y - MARK, y + MARK) for x, y in marks]
    found = []
    for (px, py), text in zip(places, texts, strict=True):
        tried = (
            Label(text, round(px - GAP if end else px + GAP, 1), round(py + down, 1), end)
            for down in (ABOVE, BELOW)
            for end in (False, True)
        )
        chosen = next((one for one in tried if _is_inside(one) and _is_free(one, taken)), None)
        if chosen is not None:
            left, right, top, bottom = chosen.box
            taken.append((left - BETWEEN, right + BETWEEN, top - BETWEEN, bottom + BETWEEN))
        found.append(chosen)
    return found


def _is_inside(label: Label) -> bool:
    left, right, top, bottom = label.box
    return left >= 0 and right <= WIDTH and top >= TOP - ASCENT and bottom <= LOWEST


def _is_free(label: Label, taken: Iterable[tuple[float, float, float, float]]) -> bool:
    left, right, top, bottom = label.box
    return all(
        right < one_left or left > one_right or bottom < one_top or top > one_bottom
        for one_left, one_right, one_top, one_bottom in taken
    )
