"""One look for all figures, and saving them the same way every time.

What colours and marks mean is `sport_ray.tracking.figures.palette`.
"""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from sport_ray.tracking.figures.palette import GRID, INK, MUTED, PAPER
from sport_ray.tracking.figures.powers import label_powers_plainly
from sport_ray.tracking.figures.sheet import SCREEN, SHEET, Sheet
from sport_ray.tracking.results.intervals import MIN_SEEDS
from sport_ray.tracking.results.labels import seeds_text

LEGEND_ROW = 0.21
"""Height of a row of a legend on the screen, inches."""
AROUND = 0.55
"""Height of what stands above and below a panel on the screen, inches, that a label may not use."""
WIDEST_ROW = 3
"""Panels side by side at most."""
OPTIONAL = "optional"
"""The gid of a label that is left out where there is no room."""
_KEPT = ("backend", "backend_fallback")
"""Not about the look: figures here choose their canvas themselves."""
_RC: dict[Any, Any] = {
    "text.parse_math": False,  # names from files may hold a '$'
    "font.family": "DejaVu Sans",
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "sport-ray",
    "pdf.fonttype": 42,  # TrueType, embedded: printers and publishers refuse Type 3
}


@dataclass(frozen=True)
class Drawn:
    """A figure that was drawn: its file name without suffix, title, caption and SVG text."""

    name: str
    title: str
    caption: str
    svg: str


@contextmanager
def look(sheet: Sheet = SCREEN) -> Iterator[None]:
    """Draw and save inside this context: the look is matplotlib's defaults, changed here only.

    Whatever the user's settings, style sheets or ``rcParams`` say; they are as before afterwards.
    sheet: where the figures will stand.
    """
    outer = SHEET.set(sheet)
    try:
        with mpl.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore", mpl.MatplotlibDeprecationWarning)
            defaults = mpl.rcParamsDefault
            mpl.rcParams.update({name: defaults[name] for name in defaults if name not in _KEPT})
            mpl.rcParams.update(_RC | sheet.rc)
            # A name in a script that DejaVu lacks is a box in the PNG, and itself in the SVG.
            warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
            yield
    finally:
        SHEET.reset(outer)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> Any:
    """A figure in inches and its grid of axes (rows, columns), without pyplot's global state.

    In print it is as wide as the sheet.
    """
    figure = Figure(figsize=SHEET.get().size(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def new_panels(
    count: int, height: float, sharex: bool = True, width: float | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels with common axes, at most three in a row, each `height` inches."""
    columns = SHEET.get().in_a_row(4.1, min(count, WIDEST_ROW if count != 4 else 2))
    rows = -(-count // columns)
    width = width or (max(4.9 * columns, 6.4) if columns < WIDEST_ROW else 4.1 * columns)
    figure, grid = new_figure(width, height * rows, rows, columns, sharex=sharex, sharey=True)
    panels = list(grid.flat)
    for spare in panels[count:]:
        spare.remove()
    for i, axes in enumerate(panels[:count]):
        # Shared axes hide the labels of all but the last row, also above a panel that is gone.
        axes.tick_params(labelbottom=not sharex or i + columns >= count)
    return figure, panels[:count]


def points(size: float) -> float:
    """The size of a marker that has `size` points on the screen."""
    return SHEET.get().points(size)


def line_height() -> float:
    """Points from a line of small text to the next."""
    return 1.15 * SHEET.get().text * 5 / 6


def say_few_seeds(figure: Figure, counts: pd.Series) -> None:
    """On the figure itself, for whoever sees it without its caption: a single seed."""
    if counts.empty or counts.min() >= MIN_SEEDS:
        return
    where = ", in places" if counts.max() >= MIN_SEEDS else ""
    _in_the_corner(figure, f"{seeds_text(counts)}: too few for an interval{where}")


def say_example(figure: Figure) -> None:
    """On the figure itself: it shows the policy of one training seed, of however many."""
    _in_the_corner(figure, "an example: one training seed")


def _in_the_corner(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.995, ha="right", fontsize="small", fontweight="normal", color=MUTED)


def _wrap(axes: Axes) -> None:
    """Break a title that is wider than its panel, and a label of y that is taller."""
    place, figure = axes.get_subplotspec(), axes.get_figure(root=True)
    if place is None or figure is None:
        return
    rows, columns = place.get_gridspec().get_geometry()
    legends = sum(legend.get_window_extent().height for legend in figure.legends)
    tall = (figure.bbox.height - legends) / rows - AROUND * SHEET.get().scale * figure.dpi
    title: Text = axes._left_title  # type: ignore[attr-defined]  # setting it anew would move it
    _break(title, title.get_window_extent().width, 0.95 * figure.bbox.width / columns)
    _break(axes.yaxis.label, axes.yaxis.label.get_window_extent().height, tall)


def _break(text: Text, length: float, room: float) -> None:
    words = text.get_text()
    if length > room > 0 and "\n" not in words:
        letters = max(int(len(words) * room / length), 8)
        text.set_text("\n".join(textwrap.wrap(words, letters)))


def _thin_out(figure: Figure) -> None:
    """Hide labels that may be missing where they lie on another text, or leave the picture."""
    labels = [text for text in figure.findobj(Text) if text.get_gid() == OPTIONAL]
    if not labels:
        return
    figure.canvas.draw()
    figure.set_layout_engine("none")
    kept = [text.get_window_extent() for text in _written(figure) if text.get_gid() != OPTIONAL]
    for label in labels:
        box = label.get_window_extent()
        inside = figure.bbox.containsx(box.x0) and figure.bbox.containsx(box.x1)
        if not inside or any(box.overlaps(other) for other in kept):
            label.set_visible(False)
        else:
            kept.append(box)


def _written(figure: Figure) -> list[Text]:
    """Texts that stand on the figure; ticks may have some beyond their axis, which do no harm."""
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def remove(folder: Path, name: str, beside: str = "svg") -> None:
    """Remove an older figure, of which there is nothing to draw any more."""
    for suffix in ("png", beside):
        (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def save(figure: Figure, folder: Path, name: str, title: str, caption: str) -> Drawn:
    """Write NAME in the formats of the sheet, byte for byte the same from the same data."""
    label_powers_plainly(figure)
    for axes in figure.axes:
        _wrap(axes)
    _thin_out(figure)
    return Drawn(name, title, caption, SHEET.get().write(figure, folder, name))


def alpha_axis(axes: Axes, alphas: np.ndarray, unconstrained: bool) -> float:
    """A logarithmic axis of alpha, ticks at values that were run; returns the place of 'none'.

    Values closer than can be read get no label of their own. An unconstrained policy has no
    alpha: it stands apart on the right, at the returned place.
    """
    alphas = np.unique(alphas)
    top = float(max(alphas.max(), 1.05))
    beyond = float(top ** (1 + 0.16))
    axes.set_xscale("log")
    right = beyond if unconstrained else top
    axes.set_xlim(1 / right**0.06, right**1.06)
    longest = max(len(f"{alpha:.4g}") for alpha in alphas)
    room = np.log(right) * max(0.1, 0.03 * longest)
    ticks = [float(alphas[0])]
    for alpha in alphas[:0:-1]:
        if np.log(alpha / ticks[0]) >= room and (
            len(ticks) == 1 or np.log(ticks[-1] / alpha) >= room
        ):
            ticks.append(float(alpha))
    labels = [f"{tick:.4g}" for tick in ticks]
    if unconstrained:
        ticks, labels = [*ticks, beyond], [*labels, "none"]
    axes.set_xticks(ticks, labels)
    axes.set_xticks(alphas, [""] * alphas.size, minor=True)
    if axes.xaxis.get_tick_params().get("labelbottom", True):
        axes.set_xlabel("α, largest density ratio to the base (log)")
    return beyond


def base_line(axes: Axes, values: pd.Series) -> None:
    """What the base policy itself attains, as a dotted line; none without α = 1."""
    if len(values):
        axes.axhline(values.mean(), color=INK, linestyle=(0, (1, 1.5)), linewidth=1.4,
                     label="base policy (α = 1)")  # fmt: skip


def shade_vacuous(
    axes: Axes, top: float, text_at: float, va: str = "center", right: float = 0.985
) -> None:
    """From 1 up to `top`, where a bound says nothing, the words at the height `text_at`."""
    axes.axhspan(1, top, color=GRID, alpha=0.55, linewidth=0)
    axes.annotate("1 or more: says nothing", (right, text_at), fontsize="small", color=MUTED,
                  xycoords=axes.get_yaxis_transform(), ha="right", va=va)  # fmt: skip


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """One legend under all panels, from the entries of one of them; see `legend_of`."""
    legend_of(figure, *axes.get_legend_handles_labels(), columns)


def legend_of(figure: Figure, handles: list[Any], labels: list[str], columns: int) -> None:
    """A legend under all panels, and a taller figure for those of its rows that are not planned.

    Long names take fewer columns than asked for.
    """
    if not handles:
        return
    planned = -(-len(handles) // columns)
    for count in range(columns, 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=count)
        if count == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    more = math.ceil(len(handles) / count) - planned
    row = LEGEND_ROW * SHEET.get().scale
    figure.set_figheight(figure.get_figheight() + row * more)
