"""The two experiments of SCPO (arXiv 2512.13788), made anew, and the same steps without it.

regression: some labels lie beyond what may be predicted. double-integrator: an expert to imitate
pushes the system away. Writes scpo-NAME.png, scpo-NAME.svg and scpo-NAME.csv (every iteration of
both runs) and prints whether any iterate was ever above 0. docs/comparators.md has the results.

    python -m benchmarks.scpo regression --out build/scpo
    python -m benchmarks.scpo double-integrator --out build/scpo
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.scpo.experiments import EXPERIMENTS, Experiment
from benchmarks.scpo.optimise import descend, optimise
from sport_ray.canonical import write_atomic
from sport_ray.tracking.figures.palette import INK, KINDS, MUTED, UNBOUND
from sport_ray.tracking.figures.style import (
    legend_below,
    look,
    new_figure,
    save,
)


def draw(rows: pd.DataFrame, experiment: Experiment, folder: Path, name: str) -> None:
    """The objective and the largest constraint of both runs, step by step."""
    with look():
        figure, [[left, right]] = new_figure(9.8, 4.2, 1, 2)
        left.set(title=experiment.title, ylabel=experiment.objective)
        right.set(title="Largest constraint value", ylabel="largest g(θ); above 0 is unsafe")
        for axes, column in ((left, "objective"), (right, "max_constraint")):
            axes.set_xlabel("iteration")
            for run, colour, style in (
                ("scpo", KINDS["blue"], "-"),
                ("unconstrained", UNBOUND, "--"),
            ):
                chosen = rows[rows["run"] == run]
                axes.plot(chosen["iteration"], chosen[column], style, color=colour, label=run)
                still = chosen[chosen["outcome"].isin(("stood still", "went back"))]
                if len(still):
                    axes.plot(
                        still["iteration"], still[column], ".", color=INK, label="stood still"
                    )
        finite = rows["max_constraint"][np.isfinite(rows["max_constraint"])]
        low, high = finite.min(), finite.max()
        if high > 10.0 * abs(min(low, -1e-3)):  # show both sides where one is far longer
            right.set_yscale("symlog", linthresh=max(abs(low), 1e-3))
        bottom, top = right.get_ylim()
        right.axhspan(0.0, max(top, 0.05 * (top - bottom)), color=MUTED, alpha=0.12, linewidth=0)
        right.axhline(0.0, color=INK, linewidth=1.0)
        right.set_ylim(bottom, max(top, 0.05 * (top - bottom)))
        legend_below(figure, left, 3)
        save(figure, folder, name, experiment.title, "")


def main(
    experiment: Annotated[Literal["regression", "double-integrator"], typer.Argument()],
    out: Annotated[Path, typer.Option(file_okay=False, help="For the figure and the table.")],
    seed: Annotated[int, typer.Option(min=0, help="Of data and start.")] = 0,
) -> None:
    """Run an experiment of SCPO, and the same steps without constraints. Takes seconds."""
    made, name = EXPERIMENTS[experiment](seed), f"scpo-{experiment}"
    runs = {
        "scpo": optimise(made.problem, made.start, made.smoothness, made.settings),
        "unconstrained": descend(made.problem, made.start, made.settings),
    }
    rows = pd.DataFrame(
        [{"run": label, **row} for label, run in runs.items() for row in run.rows()]
    )
    write_atomic(out / f"{name}.csv", rows.to_csv(index=False).encode())
    draw(rows, made, out, name)
    columns = "objective", "largest g", "ever above 0", "stood still", "probes above 0"
    table = Table("", *columns, title=made.title, box=None, pad_edge=False)
    for label, run in runs.items():
        table.add_row(
            label,
            f"{run.iterations[0].objective:.4f} → {run.iterations[-1].objective:.4f}",
            f"{run.largest_constraint:.3g}",
            "yes" if run.ever_unsafe else "no",
            str(run.count("stood still", "went back")),
            f"{run.unsafe_probes} of {run.evaluations - len(run.iterations)}",
        )
    console = Console(width=100)
    console.print(table)
    known = "given by analysis: that no iterate is above 0 is proved"
    estimated = "estimated, with a margin: that no iterate is above 0 is observed, not proved"
    console.print(f"L is {estimated if made.smoothness is None else known}")
    console.print(f"figure and table: {out / name}.png, .svg, .csv", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
