"""The paper's gradient against the gradient through the projection, on the quickstart problem.

For each α and seed both are trained with the quickstart's settings and evaluated on the same
2,000 fresh scenarios. Prints means over seeds, 95% t-intervals over seeds, and the
interval of the paired difference: ``python benchmarks/gradient_study.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import ray
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sport_ray.constraints import RatioConstraint
from sport_ray.experiments.cluster.session import quiet_ray, ray_session
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.evaluation import evaluation_plan
from sport_ray.experiments.task_policies._training import train_task_policy
from sport_ray.experiments.task_policies.ppo import ProjectedPPOSource
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.rollouts import ProjectedBehaviour, run_scenarios
from sport_ray.tracking.results.intervals import estimate

QUICKSTART = Path(__file__).parents[1] / "experiments" / "studies" / "quickstart.yaml"
GRADIENTS = ("paper", "through_projection")


@ray.remote(num_cpus=1)
def run(study: Study, alpha: float, horizon: int, seed: int) -> tuple[float, float]:
    """Mean steps to goal and violation rate of one trained policy."""
    torch.set_num_threads(1)
    quiet_ray()
    base = load_policy(BUNDLED / study.base).network
    constraint = RatioConstraint(alpha=alpha)
    settings = ProjectedPPOSource().settings_in(study, ())
    trained = train_task_policy(study.task(horizon, seed, constraint), settings, base).network
    behaviour = ProjectedBehaviour(FrozenPolicy(base), FrozenPolicy(trained), constraint)
    plan = evaluation_plan(study, horizon, seed)
    outcomes = run_scenarios(plan, behaviour, 0, study.evaluation.num_scenarios)
    reached = outcomes.satisfied_by(horizon)
    return float(outcomes.satisfied_at[reached].mean()), float(1.0 - reached.mean())


def interval(values: np.ndarray) -> str:
    """Mean and 95% t-interval over seeds."""
    _, low, high = estimate(values)
    return f"{values.mean():.4g} [{low:.4g}, {high:.4g}]"


def main() -> None:
    """Train all pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alphas", type=float, nargs="+", default=[1.1, 1.5, 3.0, 10.0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--horizon", type=int, default=21)
    arguments = parser.parse_args()
    study = load_study(QUICKSTART)
    studies = {
        gradient: study.model_copy(
            update={"training": study.training.model_copy(update={"gradient": gradient})}
        )
        for gradient in GRADIENTS
    }
    table = Table(title=f"{arguments.seeds} seeds, T = {arguments.horizon}: mean [95% interval]")
    for name in ("α", "gradient", "steps to goal", "violation rate", "steps: through − paper"):
        table.add_column(name, justify="right")
    with ray_session():
        keys = [
            (alpha, gradient, seed)
            for alpha in arguments.alphas
            for seed in range(arguments.seeds)
            for gradient in GRADIENTS
        ]
        jobs = {k: run.remote(studies[k[1]], k[0], arguments.horizon, k[2]) for k in keys}
        found = {key: ray.get(jobs[key]) for key in track(keys, "training")}
    for alpha in arguments.alphas:
        seeds = range(arguments.seeds)
        steps, rates = (
            {g: np.array([found[alpha, g, s][i] for s in seeds]) for g in GRADIENTS} for i in (0, 1)
        )
        for gradient in GRADIENTS:
            last = gradient == GRADIENTS[-1]
            difference = interval(steps[GRADIENTS[1]] - steps[GRADIENTS[0]]) if last else ""
            table.add_row(
                f"{alpha:g}", gradient, interval(steps[gradient]), interval(rates[gradient]),
                difference,
            )  # fmt: skip
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
