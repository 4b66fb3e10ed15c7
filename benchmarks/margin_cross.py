"""What makes projection dangerous: the base, or the task policy that is projected onto it.

Takes two finished studies whose bases differ (docs/results.md: ``paper.yaml`` and ``margin.yaml``)
and projects each study's policies without a bound, seed by seed, onto each of the two bases: 2 × 2
violation rates at a given α, on the same scenarios for all four.

    python benchmarks/margin_cross.py results/paper results/margin
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import sport_ray
from sport_ray.constraints import RatioConstraint
from sport_ray.policies import FrozenGaussian, load_policy
from sport_ray.rollouts import ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.tracking.results.records import read_results

assert sport_ray  # registers the environments


def unconstrained_policies(results: Path) -> dict[int, FrozenGaussian]:
    """The policies that a study trained without a bound, by seed."""
    return {
        record["seed"]: FrozenGaussian(
            load_policy(results / "policies" / record["policy_digest"][:16]).network
        )
        for record in read_results(results).records
        if not record["projected"] and record["status"] == "finished"
    }


def main(
    studies: Annotated[list[Path], typer.Argument(help="Two result folders.")],
    alpha: Annotated[list[float] | None, typer.Option()] = None,
    horizon: int = 21,
    scenarios: int = 10_000,
) -> None:
    """Print violation rates and steps: rows are bases, columns where the task policy is from."""
    torch.set_num_threads(1)
    bases = [FrozenGaussian(load_policy(path / "base").network) for path in studies]
    tasks = [unconstrained_policies(path) for path in studies]
    seeds = sorted(tasks[0].keys() & tasks[1].keys())
    plan = ScenarioPlan(
        env_id=POINT_REACH_AVOID,
        property="(!hazard) U goal",
        horizon=horizon,
        root_seed=0,
        purpose="evaluate",
    )
    for value in alpha or [10.0, 100.0]:
        table = Table(
            "base of",
            *(f"task policies of {path.name}" for path in studies),
            title=f"α = {value:g}, T = {horizon}, {len(seeds)} seeds: mean rate (least to largest)",
        )
        for path, base in zip(studies, bases, strict=True):
            row = []
            for policies in tasks:
                rates, steps = [], []
                for seed in track(seeds, description="scenarios", transient=True):
                    behaviour = ProjectedBehaviour(base, policies[seed], RatioConstraint(value))
                    outcomes = run_scenarios(plan, behaviour, 0, scenarios)
                    kept = outcomes.satisfied_by(horizon)
                    rates.append(1.0 - kept.mean())
                    steps.append(outcomes.satisfied_at[kept].mean())
                row.append(
                    f"{np.mean(rates):.4f} ({min(rates):.4f} to {max(rates):.4f}), "
                    f"{np.mean(steps):.2f} steps"
                )
            table.add_row(path.name, *row)
        Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
