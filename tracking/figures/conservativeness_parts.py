"""Where the gap of each setting comes from, as stacked bars."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from sport_ray.tracking.analysis.conservativeness.decomposition import PARTS
from sport_ray.tracking.figures.conservativeness_panels import panels_of
from sport_ray.tracking.figures.style import (
    BLUE,
    GOLD,
    INK,
    MUTED,
    PURPLE,
    SKY,
    Drawn,
    legend_below,
    new_figure,
    save,
    say_few_seeds,
)
from sport_ray.tracking.results.labels import constraint_text, seeds_text
from sport_ray.tracking.results.table import plain_rows

_PART_COLOURS = {"confidence": GOLD, "world": PURPLE, "unreached": BLUE, "worst_case": SKY}


def draw_parts(settings: pd.DataFrame, folder: Path) -> Drawn | None:
    """Where each setting's gap comes from: stacked bars, a panel per method and T."""
    known = settings[settings[list(PARTS)].notna().all(axis=1)]
    if known.empty:
        return None
    panels = list(panels_of(known))
    longest = max(len(part) for *_, part in panels)
    columns = min(len(panels), 2)
    height = (0.29 * longest + 0.9) * -(-len(panels) // columns) + 0.5
    figure, grid = new_figure(
        5.6 * columns, height, -(-len(panels) // columns), columns, sharex=True
    )
    places = list(grid.flat)
    for spare in places[len(panels) :]:
        spare.remove()
    shown = [name for name in PARTS if known[name].abs().max() > 1e-12]
    for axes, (title, _, _, part) in zip(places, panels, strict=False):
        _bars(axes, part, shown)
        axes.set_title(title)
        axes.tick_params(labelbottom=True)
    for axes in places[: len(panels)][-columns:]:
        axes.set_xlabel("log10(promised bound / observed rate)")
    legend_below(figure, places[0], 2)
    say_few_seeds(figure, known["seeds"])
    limits = bool(known["gap_is_limit"].any())
    caption = (
        f"Mean over {seeds_text(known['seeds'])} per setting; the parts of a bar add up to the "
        "gap, written at its end. A part left of 0 narrows the gap: the theorem grants less than "
        "the likeliest path took, or the policy violates more than the base by more than that. "
        "No interval is drawn"
        + ("; ≥: a seed without violations counts with the upper end of its interval." if limits
           else ".")
    )  # fmt: skip
    svg = save(figure, folder, "conservativeness_parts")
    return Drawn("conservativeness_parts", "Where the gap comes from", caption, svg)


def _bars(axes: Axes, rows: pd.DataFrame, shown: list[str]) -> None:
    labels = []
    for place, row in enumerate(plain_rows(rows)):
        right = left = 0.0
        for name in shown:
            width = row[name]
            start = right if width >= 0 else left
            axes.barh(place, width, left=start, height=0.72, color=_PART_COLOURS[name],
                      label=f"{name.replace('_', ' ')}: {PARTS[name]}" if place == 0 else None,
                      linewidth=0)  # fmt: skip
            right, left = (right + width, left) if width >= 0 else (right, left + width)
        sign = "≥ " if row["gap_is_limit"] else ""
        axes.annotate(f"{sign}{row['gap']:.2f}", (right, place), xytext=(4, 0), va="center",
                      textcoords="offset points", fontsize=8.5, color=INK)  # fmt: skip
        labels.append(constraint_text(row))
    axes.set_yticks(range(len(labels)), labels, fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.margins(x=0.14)
