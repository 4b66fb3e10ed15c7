"""Commands about PreSa: sport-ray presa ablation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from tracking.console import PlainConsole

if TYPE_CHECKING:
    import pandas as pd

presa_app = typer.Typer(
    no_args_is_help=True,
    help="PreSa: policies learned offline from preferences and safety labels (docs/presa.md).",
)


@presa_app.callback()
def _group() -> None:
    """A group, although it has one command so far."""


@presa_app.command("ablation")
def ablation_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for ablation.csv.")],
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Training seeds.")] = 3,
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="T, control steps.")] = 27,
    scenarios: Annotated[
        int, typer.Option("--scenarios", min=1, help="Fresh scenarios of every policy.")
    ] = 300,
    steps: Annotated[
        int | None, typer.Option("--steps", min=0, help="Gradient steps of each alignment.")
    ] = None,
) -> None:
    """What the parts of PreSa are worth: objective × share of unsafe segments × segment length.

    Learns policies for the point robot from synthetic feedback of the shipped base and other
    behaviours, with and without the safety constraint, and evaluates each on fresh scenarios.
    Writes ablation.csv (one row per policy and seed) and prints a table. Some minutes on one core.
    """
    from dataclasses import replace

    from experiments.base import BUNDLED
    from experiments.presa_ablation import Ablation, run_ablation
    from sport_ray.canonical import write_atomic
    from sport_ray.errors import UserError
    from sport_ray.policies import load_policy
    from tracking.csv_text import csv_text

    ablation = Ablation(seeds=seeds, horizon=horizon, num_scenarios=scenarios)
    if horizon < max(ablation.segment_lengths):
        raise UserError(
            f"--horizon {horizon} is below the segment length {max(ablation.segment_lengths)}: "
            "raise it"
        )
    if steps is not None:
        ablation = replace(ablation, alignment=replace(ablation.alignment, steps=steps))
    base = load_policy(BUNDLED / "point_reach_avoid").network
    console = PlainConsole()
    with Progress(console=console) as bar:
        task = bar.add_task("policies", total=ablation.num_policies)
        frame = run_ablation(ablation, base, lambda: bar.advance(task))
    path = Path(out) / "ablation.csv"
    write_atomic(path, csv_text(frame).encode())
    console.print(ablation_table(frame))
    console.print(f"table: {path}", soft_wrap=True)


def ablation_table(frame: pd.DataFrame) -> Table:
    """One row per setting: means over seeds, and the span of the seeds' 95 % intervals."""
    table = Table(title="Violations within T, and steps of the task alone (means over seeds)")
    for name in ("objective", "unsafe", "L"):
        table.add_column(name, no_wrap=True)
    for name in ("violations", "95 % intervals", "hazard", "steps"):
        table.add_column(name, justify="right", no_wrap=True)
    keys = ["unsafe_share", "segment_length", "objective"]
    for _, group in frame.groupby(keys, dropna=False, sort=False):
        share, length = float(group.unsafe_share.iloc[0]), float(group.segment_length.iloc[0])
        known = not math.isnan(share)  # the base has neither
        table.add_row(
            str(group.objective.iloc[0]),
            f"{share:g}" if known else "–",
            f"{length:g}" if known else "–",
            f"{group.violation_rate.mean():.1%}",
            f"{group.rate_low.min():.1%} … {group.rate_high.max():.1%}",
            f"{(group.num_hazard / group.num_scenarios).mean():.1%}",
            f"{group.mean_task_steps.mean():.1f}",
        )
    return table
