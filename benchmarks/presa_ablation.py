"""What the parts of PreSa are worth: objective × share of unsafe segments × segment length.

Learns policies for the point robot from synthetic feedback of the shipped base and other
behaviours, with and without the safety constraint. Every policy is judged on the same fresh
scenarios, which go on after a violation: so that the time to the goal is that of the task alone,
hazard or no hazard. Writes ablation.csv (one row per policy and seed) and prints a table. Some
minutes on one core; docs/comparators.md has the results.

    python benchmarks/presa_ablation.py --out build/presa
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sport_ray.canonical import write_atomic
from sport_ray.comparators.presa import (
    AlignmentSettings,
    FeedbackSettings,
    align,
    clone,
    collect_episodes,
    feedback_on,
)
from sport_ray.comparators.presa.settings import Objective
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy
from sport_ray.properties import NEVER
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.rollouts.seeding import Purpose
from sport_ray.tracking.results.statistics import rate_interval

OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ablation:
    """The grid and its sizes. seeds: of data and training, from 0; root_seed: of both purposes."""

    unsafe_shares: tuple[float, ...] = (0.05, 0.2, 0.5)
    segment_lengths: tuple[int, ...] = (4, 8)
    seeds: int = 3
    horizon: int = 27
    num_scenarios: int = 300
    root_seed: int = 0
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    alignment: AlignmentSettings = field(
        default_factory=lambda: AlignmentSettings(clone_steps=300, steps=300)
    )

    @property
    def num_policies(self) -> int:
        """Policies that are learned and evaluated, and the base."""
        points = len(self.unsafe_shares) * len(self.segment_lengths) * self.seeds
        return points * len(OBJECTIVES) + 1


def rows(ablation: Ablation, base: PolicyNetwork) -> Iterator[dict[str, Any]]:
    """One row per policy; the first is the base's.

    Data of one seed are cut from the same episodes whatever the share and the length, and the
    clone with which objectives begin is the same for all of them: it is "behaviour_cloning".
    """
    yield {"objective": "base", **evaluate(ablation, base)}
    frozen = FrozenPolicy(base)
    for seed in range(ablation.seeds):
        plan = _plan(ablation, "presa", seed)
        episodes = collect_episodes(plan, frozen, ablation.feedback)
        for share, length in itertools.product(ablation.unsafe_shares, ablation.segment_lengths):
            recipe = replace(ablation.feedback, unsafe_share=share, segment_length=length)
            feedback = feedback_on(episodes, plan, recipe)
            reference = clone(base, feedback.segments, ablation.alignment, seed)
            for objective in OBJECTIVES:
                started = time.monotonic()
                settings = replace(ablation.alignment, objective=objective)
                found = align(reference, feedback.segments, settings, seed)
                yield {
                    "objective": objective,
                    "unsafe_share": share,
                    "segment_length": length,
                    "seed": seed,
                    **evaluate(ablation, found.network),
                    "env_steps": feedback.env_steps,
                    "train_violations": feedback.num_violations,
                    "segments": feedback.segments.num_segments,
                    "collected_unsafe_share": feedback.collected_unsafe_share,
                    "preference_accuracy": found.preference_accuracy,
                    "safety_loss": found.safety_loss,
                    "safety_target": settings.safety_target if objective == "presa" else None,
                    "multiplier": found.multiplier,
                    "seconds": time.monotonic() - started,
                }


def _plan(ablation: Ablation, purpose: Purpose, seed: int) -> ScenarioPlan:
    mixed = np.random.SeedSequence([ablation.root_seed, seed])
    return ScenarioPlan(
        env_id=POINT_REACH_AVOID,
        env_kwargs={"layout": "fixed", "end_on_violation": False},
        property="(!hazard) U goal",
        horizon=ablation.horizon,
        root_seed=int(mixed.generate_state(1, np.uint64)[0]),
        purpose=purpose,
    )


def evaluate(ablation: Ablation, policy: PolicyNetwork) -> dict[str, Any]:
    """Violations (hazard, or out of time) with their interval, and steps of the task alone.

    mean_task_steps: over all episodes; one that does not arrive takes T.
    """
    count = ablation.num_scenarios
    behaviour = BaseBehaviour(FrozenPolicy(policy))
    outcomes = run_scenarios(_plan(ablation, "evaluate", 0), behaviour, 0, count)
    violations = outcomes.num_violations(ablation.horizon)
    hazard = int((outcomes.violated_at != NEVER).sum())
    low, high = rate_interval(count, violations, CONFIDENCE)
    return {
        "num_scenarios": count,
        "num_violations": violations,
        "num_hazard": hazard,
        "num_timeout": violations - hazard,
        "violation_rate": violations / count,
        "rate_low": low,
        "rate_high": high,
        "mean_task_steps": float(outcomes.length.mean()),
    }


def table(frame: pd.DataFrame) -> Table:
    """One row per setting: means over seeds, and the span of the seeds' 95 % intervals."""
    found = Table(title="Violations within T, and steps of the task alone (means over seeds)")
    for name in ("objective", "unsafe", "L"):
        found.add_column(name, no_wrap=True)
    for name in ("violations", "95 % intervals", "hazard", "steps"):
        found.add_column(name, justify="right", no_wrap=True)
    keys = ["unsafe_share", "segment_length", "objective"]
    for (share, length, objective), group in frame.groupby(keys, dropna=False, sort=False):
        found.add_row(
            objective,
            *("–" if np.isnan(value) else f"{value:g}" for value in (share, length)),  # the base's
            f"{group.violation_rate.mean():.1%}",
            f"{group.rate_low.min():.1%} … {group.rate_high.max():.1%}",
            f"{(group.num_hazard / group.num_scenarios).mean():.1%}",
            f"{group.mean_task_steps.mean():.1f}",
        )
    return found


def main(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for ablation.csv.")],
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds.")] = 3,
    horizon: Annotated[int, typer.Option(min=8, help="T, control steps; a segment has 8.")] = 27,
    scenarios: Annotated[int, typer.Option(min=1, help="Fresh scenarios of every policy.")] = 300,
    steps: Annotated[int, typer.Option(min=0, help="Gradient steps of each alignment.")] = 300,
) -> None:
    """Run the ablation."""
    ablation = Ablation(seeds=seeds, horizon=horizon, num_scenarios=scenarios)
    ablation = replace(ablation, alignment=replace(ablation.alignment, steps=steps))
    base = load_policy(BUNDLED / "point_reach_avoid").network
    console = Console()
    made = track(rows(ablation, base), "policies", total=ablation.num_policies, console=console)
    frame = pd.DataFrame(list(made))
    write_atomic(out / "ablation.csv", frame.to_csv(index=False).encode())
    console.print(table(frame))
    console.print(f"table: {out / 'ablation.csv'}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
