"""What N buys as a figure: steps saved against N, a panel for each kind, a line for each ε_max."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sport_ray.tracking.figures import palette, style

NAME, TITLE = "what_n_buys", "What more scenarios of the base buy"
ASIDE = 1.07
"""Lines of different risks are drawn so far apart that their strokes do not lie on each other."""


def draw_sizes(table: pd.DataFrame, folder: Path) -> style.Drawn | None:
    """From ``what_n_buys``; None where nothing was saved by anything."""
    known = table[table["saved"].notna()]
    if known.empty:
        return None
    with style.look():
        kinds = list(dict.fromkeys(known["kind"]))
        figure, panels = style.new_panels(len(kinds), 4.2)
        levels = sorted(known["eps_max"].unique())
        top, low = float(known["saved"].max()), min(0.0, float(known["saved"].min()))
        reach = np.nanmax([top, *known["saved_high"]])
        panels[0].set_ylim(1.1 * low, 1.05 * min(reach, 1.5 * top))
        for axes, kind in zip(panels, kinds, strict=True):
            at = known[known["kind"] == kind]
            for number, level in enumerate(levels):
                rows = at[at["eps_max"] == level].sort_values("num_scenarios")
                colour, marker = palette.step_look(number, len(levels))
                half = [rows["saved"] - rows["saved_low"], rows["saved_high"] - rows["saved"]]
                spread = half if np.isfinite(rows["saved_low"]).any() else None
                at_n = rows["num_scenarios"] * ASIDE ** (number - (len(levels) - 1) / 2)
                axes.errorbar(at_n, rows["saved"], yerr=spread, color=colour,
                              marker=marker, capsize=3, elinewidth=1,
                              label=f"ε_max = {level:g}")  # fmt: skip
            axes.set_xscale("log")
            axes.set_xlabel("scenarios of the certificate, N (log)")
            axes.set_title(kind)
        panels[0].set_ylabel("steps of the task saved against the base")
        style.legend_below(figure, panels[0], min(4, len(levels)))
        caption = (
            "Mean steps of the task saved against the base at the same certified risk; strokes: "
            "95% t-intervals over seeds, cut where they leave the picture. Lines lie a little "
            "apart. Where one does not reach down to a small N, the base itself is not certified "
            "for that risk there."
        )
        return style.save(figure, folder, NAME, TITLE, caption)
