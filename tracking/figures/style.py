"""One look for all figures, and saving them the same way every time.

Colours are Okabe and Ito's, safe for colour-blind readers; methods also differ by marker, kinds
of risk by line style, so that no figure depends on colour alone.
"""

from __future__ import annotations

import io
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

from sport_ray.tracking.figures.markers import marker_of
from sport_ray.tracking.figures.powers import label_powers_plainly
from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.intervals import MIN_SEEDS
from sport_ray.tracking.results.kinds import order_of
from sport_ray.tracking.results.labels import seeds_text
from sport_ray.tracking.results.task_policies import is_free, parts_of_series

INK, MUTED, GRID, PAPER = "#1f2933", "#5c6773", "#dfe4ea", "#ffffff"
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#00805e", "#a8518a"
SKY, GOLD, WINE = "#56b4e9", "#b8860b", "#5c2a4a"
MAROON, VIOLET, PLUM = "#781800", "#7800f0", "#480060"
ORANGE = "#e69f00"
RUST = "#a83a00"  # vermillion, dark enough for text
METHOD_COLOURS = {
    "projected_ppo": BLUE,
    "projected_at_deployment": VERMILLION,
    "unconstrained": PURPLE,
}
METHOD_MARKERS = {"projected_ppo": "o", "projected_at_deployment": "s", "unconstrained": "D"}
SOURCE_COLOURS = {
    "scpo": GREEN,
    "presa": GOLD,
    "imported": MAROON,
    "critic": VIOLET,
    "critic_iterated": ORANGE,
    "task_density": SKY,
    "projected_ppo_selection": PLUM,
}
SOURCE_MARKERS = {
    "scpo": ("^", "<"),
    "presa": ("v", ">"),
    "imported": ("P", "X"),
    "critic": ("star", "pentagon"),
    "critic_iterated": ("hourglass", "bow tie"),
    "task_density": ("four-pointed star", "lozenge"),
    "projected_ppo_selection": ("arrowhead", "arrowhead down"),
}
"""Of sources of task policies beside PPO: under a constraint, and without. Others share a pair."""
_OTHERS = ("h", "*")
KIND_COLOURS = (BLUE, MAROON, VIOLET, SKY, GREEN, GOLD, PLUM, INK, PURPLE)
"""Kinds of constraint by their order, where figures show several; methods differ by marker."""
LEGEND_ROW = 0.21
"""Height of a row of a legend, inches."""
# Light to dark: readable in print, ordered without a legend.
SEQUENCE = (SKY, BLUE, GREEN, GOLD, VERMILLION, PURPLE, WINE)

_KEPT = ("backend", "backend_fallback")
"""Not about the look: figures here choose their canvas themselves."""
_RC: dict[Any, Any] = {
    "text.parse_math": False,  # names from files may hold a '$'
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
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
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "sport-ray",
}


def series_colour(series: str) -> str:
    """The colour of a series (`results.task_policies`): of its method, or of its source."""
    method, source = parts_of_series(series)
    return SOURCE_COLOURS.get(source, WINE) if source else METHOD_COLOURS.get(method, WINE)


def kind_colour(kind: str) -> str:
    """The colour of a kind of constraint; those without an order of their own share one."""
    order = order_of(kind)
    return KIND_COLOURS[order] if order < len(KIND_COLOURS) else MUTED


def series_mark(series: str) -> str:
    """The marker's name; of a source, one for it under a constraint, one for it without."""
    method, source = parts_of_series(series)
    if not source:
        return METHOD_MARKERS.get(method, "h")
    return SOURCE_MARKERS.get(source, _OTHERS)[is_free(series)]


def series_marker(series: str) -> Any:
    """The marker of a series as matplotlib takes it."""
    return marker_of(series_mark(series))


@dataclass(frozen=True)
class Drawn:
    """A figure that was drawn: its file name without suffix, title, caption and SVG text."""

    name: str
    title: str
    caption: str
    svg: str


@contextmanager
def look() -> Iterator[None]:
    """Draw and save inside this context: the look is matplotlib's defaults, changed here only.

    Whatever the user's settings, style sheets or ``rcParams`` say; they are as before afterwards.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", mpl.MatplotlibDeprecationWarning)
        mpl.rcParams.update(
            {name: mpl.rcParamsDefault[name] for name in mpl.rcParamsDefault if name not in _KEPT}
        )
        mpl.rcParams.update(_RC)
        # A name in a script that DejaVu lacks is a box in the PNG, and itself in the SVG.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> Any:
    """A figure in inches and its grid of axes (rows, columns), without pyplot's global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def new_panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels with common axes, at most three in a row, each `height` inches."""
    columns = min(count, 3 if count != 4 else 2)
    rows = -(-count // columns)
    width = max(4.9 * columns, 6.4) if columns < 3 else 4.1 * columns
    figure, grid = new_figure(width, height * rows, rows, columns, sharex=True, sharey=True)
    panels = list(grid.flat)
    for spare in panels[count:]:
        spare.remove()
    for i, axes in enumerate(panels[:count]):
        # Shared axes hide the labels of all but the last row, also above a panel that is gone.
        axes.tick_params(labelbottom=i + columns >= count)
    return figure, panels[:count]


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
    figure.suptitle(text, x=0.995, ha="right", fontsize=8.5, fontweight="normal", color=MUTED)


def save(figure: Figure, folder: Path, name: str, title: str, caption: str) -> Drawn:
    """Write NAME.png and NAME.svg, byte for byte the same from the same data."""
    label_powers_plainly(figure)
    for suffix, options in (("png", {"dpi": 160}), ("svg", {"metadata": {"Date": None}})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, **options)
        write_atomically(folder / f"{name}.{suffix}", buffer.getvalue())
        figure.set_layout_engine("none")  # laid out once is enough: it takes half of the time
    return Drawn(name, title, caption, buffer.getvalue().decode("utf-8"))


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


def shade_vacuous(axes: Axes, top: float, text_at: float, va: str = "center") -> None:
    """From 1 up to `top`, where a bound says nothing, the words at the height `text_at`."""
    axes.axhspan(1, top, color=GRID, alpha=0.55, linewidth=0)
    axes.annotate("1 or more: says nothing", (0.985, text_at), fontsize=8.5, color=MUTED,
                  xycoords=axes.get_yaxis_transform(), ha="right", va=va)  # fmt: skip


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """One legend under all panels, from the entries of one of them.

    Long names take fewer columns than asked for, and a taller figure for the rows that adds.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    planned = -(-len(handles) // columns)
    for count in range(columns, 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=count)
        if count == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    more = -(-len(handles) // count) - planned
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * more)
