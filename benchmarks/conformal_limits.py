"""What an expected risk buys against one with confidence: limits from the same base scenarios.

For one policy of a finished study, held to a rising list of ratios α at one T: the largest α by the
prior bound, by a confidence (each of the list tested by the off-policy bound, in order), and by
the two rules that promise an expected risk (Conformal Policy Control, arXiv 2603.02196, and ours).
All on the same fresh scenarios of the base, in which none of the policies acts. Prints a table and
writes it; docs/comparators.md has what it gave.

    python -m benchmarks.conformal_limits RESULTS CELL --scenarios 5000 --out build/conformal.csv
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import track

from sport_ray.bounds import max_alpha, off_policy_bound
from sport_ray.certificates import load_certificate
from sport_ray.comparators.conformal import OnScenarios, conformal_choice, controlled_choice
from sport_ray.constraints import RatioConstraint
from sport_ray.experiments.config.study import Study
from sport_ray.rollouts.shadow import watched_scenarios
from sport_ray.samplers import read_base
from sport_ray.selection import load_task_policy, task_behaviour
from sport_ray.tracking.results.csv_text import write_csv
from sport_ray.tracking.results.folder import ResultFolder

ALPHAS = tuple(round(1.0 + step / 100.0, 2) for step in range(0, 52, 4))
LEVELS = (0.02, 0.05, 0.1, 0.2)


def on_scenarios(
    results: Path, cell: str, alphas: Sequence[float], count: int, seed: int
) -> tuple[list[OnScenarios], float, int]:
    """A policy under each α on the same scenarios of the base; ε_base and T."""
    folder = ResultFolder(results)
    study = Study.model_validate(folder.read_study())
    record = folder.read_record(cell)
    if record is None:
        raise typer.BadParameter(f"{results} has no cell {cell}")
    horizon = int(record["horizon"])
    certificate, base = load_certificate(folder.certificate), read_base(folder.base)
    policy = load_task_policy(folder.policy(record["policy_digest"])).policy
    plan = study.task(horizon, 0).plan("off_policy", seed)
    found = []
    for alpha in track(alphas, "limits"):
        constraint = RatioConstraint(alpha=alpha)
        behaviour = task_behaviour(base, policy, constraint, run_module=True)
        outcomes, ratios, _ = watched_scenarios(plan, behaviour, count)
        violated = ~outcomes.satisfied_by(horizon)
        limit = constraint.path_log_ratio_limit(horizon)
        found.append(OnScenarios(ratios, violated, limit))
    return found, certificate.eps_base(horizon), horizon


def by_confidence(beta: float) -> Callable[[Sequence[OnScenarios], float], int]:
    """The rule that tests each of a list by the off-policy bound, up to the first that fails."""

    def choice(policies: Sequence[OnScenarios], eps_max: float) -> int:
        for passed, one in enumerate(policies):
            limit = one.log_ratio_limit or None
            bound = off_policy_bound(
                one.log_ratios, one.violated, beta, log_ratio_limit=limit
            ).bound
            if bound is None or bound > eps_max:
                return passed
        return len(policies)

    return choice


def table(
    policies: Sequence[OnScenarios],
    alphas: Sequence[float],
    eps_base: float,
    horizon: int,
    beta: float,
) -> pd.DataFrame:
    """A row per ε_max: the largest α of each rule; NaN where none passes."""
    rules: dict[str, Callable[[Sequence[OnScenarios], float], int]] = {
        f"confidence 1 - {beta:g}": by_confidence(beta),
        "expected, proved": controlled_choice,
        "expected, CPC": conformal_choice,
    }
    rows = []
    for level in LEVELS:
        row: dict[str, float] = {"eps_max": level}
        row["prior"] = max_alpha(eps_base, level, horizon) if level >= eps_base else math.nan
        for name, rule in rules.items():
            passed = rule(policies, level)
            row[name] = alphas[passed - 1] if passed else math.nan
        rows.append(row)
    return pd.DataFrame(rows)


def main(
    results: Path,
    cell: str,
    scenarios: Annotated[int, typer.Option(help="Fresh scenarios of the base.")] = 5_000,
    seed: int = 2_603,
    beta: float = 1e-7,
    out: Path = Path("build/conformal.csv"),
) -> None:
    """Compare the rules on one policy of a finished study."""
    policies, eps_base, horizon = on_scenarios(results, cell, ALPHAS, scenarios, seed)
    found = table(policies, ALPHAS, eps_base, horizon, beta)
    violated = np.asarray(policies[0].violated)
    Console().print(
        f"T = {horizon}, ε_base = {eps_base:.4g}; {violated.sum()} of {len(violated)} scenarios of "
        "the base violated"
    )
    Console().print(found.to_string(index=False))
    write_csv(found, out)


if __name__ == "__main__":
    typer.run(main)
