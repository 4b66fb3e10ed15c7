"""A deployed bundle over its episodes: the bound on its average risk, and the bets against it."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sport_ray.canonical import write_atomic
from sport_ray.deploy.monitoring import Course
from sport_ray.errors import UserError
from sport_ray.tracking.figures import palette, style
from sport_ray.tracking.figures.powers import label_powers_plainly

_MARKED = (0.06, 0.12)
"""Marks along a line, as shares of its length."""
SUFFIXES: dict[str, dict[str, Any]] = {".png": {"dpi": 160}, ".svg": {"metadata": {"Date": None}}}


def draw_monitor(found: Course, path: Path) -> None:
    """Write the picture of one log as PNG or SVG, by the name's ending.

    Above: risk against episodes, what was promised, what the verdicts bound, what they show.
    Below: what bets against the promise made of 1, with the level of the alarm.

    Raises:
        UserError: another ending, a file that cannot be written, or a log without a verdict.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"plot {path} must end in .png or .svg")
    if not found.episodes.size:
        raise UserError("there is nothing to plot: the log has no verdict yet")
    with style.look():
        figure, grid = style.new_figure(
            7.4, 5.6, rows=2, sharex=True, gridspec_kw={"height_ratios": [3, 2]}
        )
        _risks(grid[0][0], found)
        _evidence(grid[1][0], found)
        for axes in (grid[0][0], grid[1][0]):
            _moments(axes, found)
        _say_alarm(grid[0][0], found)
        style.legend_below(figure, grid[0][0], 3)
        label_powers_plainly(figure)
        _save(figure, path)


def _risks(axes: Axes, found: Course) -> None:
    at = found.episodes
    axes.set_yscale("log")
    own = palette.KINDS["blue"]
    axes.plot(at, found.promised, color=palette.INK, linestyle=(0, (5, 2)),
              label="promised, average so far")  # fmt: skip
    axes.plot(at, found.anytime, "--", color=own, marker="o", markevery=_MARKED,
              markerfacecolor=palette.PAPER, linewidth=1.4,
              label=f"bound from verdicts, 1 − {found.beta:g}")  # fmt: skip
    axes.plot(at, found.bound, color=palette.INK, linewidth=4, alpha=0.25, label="both together")
    seen = found.rate > 0.0
    axes.plot(at[seen], found.rate[seen], color=own, marker="o", markevery=_MARKED, linewidth=1.4,
              label="observed rate")  # fmt: skip
    lowest = min(found.rate[seen].min() if seen.any() else 1.0, found.anytime.min())
    axes.set_ylim(max(lowest / 2.0, 1e-9), 1.3)
    axes.set_ylabel("average risk so far (log)")
    axes.set_title("Average risk of the episodes so far")


def _evidence(axes: Axes, found: Course) -> None:
    level = -math.log10(found.false_alarm)
    values = found.evidence / math.log(10.0)
    axes.plot(found.episodes, values, color=palette.INK)
    axes.axhline(level, color=palette.ALARM, linestyle=(0, (5, 2)), linewidth=1.4)
    said = f"alarm; false with probability ≤ {found.false_alarm:g}, ever"
    axes.annotate(
        said,
        (0.01, level),
        xycoords=axes.get_yaxis_transform(),
        xytext=(0, -4),
        textcoords="offset points",
        va="top",
        fontsize="small",
        color=palette.ALARM,
    )
    axes.set_ylim(min(values.min() - 0.5, -1.0), max(values.max(), level) * 1.15)
    axes.set_ylabel("evidence against\nthe promise (log₁₀)")
    axes.set_xlabel("episodes")


def _moments(axes: Axes, found: Course) -> None:
    """Where another bundle began to act, and where the promise was refuted."""
    axes.set_xlim(1, max(int(found.episodes[-1]), 2))
    for number, update in enumerate(found.updates):
        axes.axvline(update, color=palette.MUTED, linewidth=1, linestyle=(0, (1, 2)),
                     label="another bundle" if not number else None)  # fmt: skip
    if found.alarm is not None:
        axes.axvline(found.alarm, color=palette.ALARM, linewidth=1.6)


def _say_alarm(axes: Axes, found: Course) -> None:
    if found.alarm is None:
        return
    right = found.alarm > 0.6 * found.episodes[-1]
    axes.annotate(f"promise refuted after episode {found.alarm:,}", (found.alarm, 0.93),
                  xycoords=axes.get_xaxis_transform(), xytext=(-5 if right else 5, 0),
                  textcoords="offset points", ha="right" if right else "left", fontsize="small",
                  color=palette.ALARM)  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], **SUFFIXES[path.suffix])
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"plot {path} cannot be written: {error.strerror}") from None
