"""The command scpo: the two experiments of SCPO, with and without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.limits import LARGEST_SEED
from sport_ray.errors import UserError
from tracking.console import PlainConsole

if TYPE_CHECKING:  # torch and pandas take seconds, which --help should not
    from rich.table import Table

    from sport_ray.scpo import Run

NAMES = ("regression", "double-integrator")


def scpo_command(
    experiment: Annotated[
        str, typer.Argument(metavar="regression|double-integrator", help="Which experiment.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the figure and the table.")],
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of data and start.")
    ] = 0,
) -> None:
    """Run an experiment of SCPO (arXiv 2512.13788) and the same steps without constraints.

    regression: some labels lie beyond what may be predicted. double-integrator: an expert to
    imitate pushes the system away. Writes scpo-NAME.png, scpo-NAME.svg and scpo-NAME.csv (every
    iteration of both runs), and prints whether any iterate was ever above 0. Takes seconds.
    """
    if experiment not in NAMES:
        raise UserError(f"experiment {experiment!r} is unknown: give one of {', '.join(NAMES)}")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: give a folder")
    import pandas as pd

    from sport_ray.scpo.examples import EXPERIMENTS
    from tracking.csv_text import csv_text
    from tracking.figures.scpo import draw_scpo
    from tracking.files import write_atomically

    made = EXPERIMENTS[experiment](seed)
    runs = {"scpo": made.constrained(), "unconstrained": made.unconstrained()}
    rows = pd.DataFrame([{"run": name, **row} for name, run in runs.items() for row in run.rows()])
    name = f"scpo-{experiment}"
    table = write_atomically(out / f"{name}.csv", csv_text(rows))
    draw_scpo(rows, made.title, made.objective, out, name)
    console = PlainConsole()
    console.print(_summary(made.title, runs))
    known = made.smoothness is not None and made.smoothness.source == "given"
    console.print(
        "L is given by analysis: that no iterate is above 0 is proved"
        if known
        else "L is estimated, with a margin: that no iterate is above 0 is observed, not proved"
    )
    console.print(f"figure: {out / name}.png", soft_wrap=True)
    console.print(f"table: {table}", soft_wrap=True)


def _summary(title: str, runs: dict[str, Run]) -> Table:
    from rich.table import Table

    columns = (
        "", "objective", "largest g", "ever above 0", "stood still", "perturbations (above 0)",
    )  # fmt: skip
    table = Table(*columns, title=title, box=None, pad_edge=False)
    for label, run in zip(("SCPO", "unconstrained"), runs.values(), strict=True):
        first, last = run.iterations[0], run.iterations[-1]
        table.add_row(
            label,
            f"{first.objective:.4f} → {last.objective:.4f}",
            f"{run.largest_constraint:.3g}",
            "[bold red]yes[/]" if run.ever_unsafe else "[green]no[/]",
            str(run.count("stood still", "went back")),
            f"{run.evaluations - len(run.iterations)} ({run.unsafe_probes})",
        )
    return table
