"""What the number of candidates and the size of the critic are worth, and what a step costs.

    python -m sport_ray.experiments.cli.main run experiments/studies/selection.yaml
    python benchmarks/selection_candidates.py results/selection

For each size of the critic (learned here from the study's transitions, seed 0) and each M: steps
saved against the base under the constant ratio and under the budget of one ε_max, violations, and
the time of a step (base, candidates, score, projection; one core). All on the same scenarios.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from sport_ray.certificates import load_certificate
from sport_ray.constraints import Constraint, constraint_class
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.evaluation import evaluation_plan, through_violations
from sport_ray.experiments.task_policies._critic import lesson_of, options_of
from sport_ray.experiments.task_policies.critic import CriticSection
from sport_ray.random_streams import stream
from sport_ray.rollouts import base_behaviour, run_scenarios
from sport_ray.rollouts.transitions import load_transitions
from sport_ray.samplers import read_base, sampler_of
from sport_ray.selection import SelectionBehaviour, Selector
from sport_ray.selection.scores.critic import Critic
from sport_ray.selection.scores.training import train_critic

SIZES = {
    "64 / 32-32": {"embedding": (64,), "hidden": (32, 32)},
    "256-256 / 64-64": {"embedding": (256, 256), "hidden": (64, 64)},
    "256-256 / 128-64": {"embedding": (256, 256), "hidden": (128, 64)},
    "256-256 / 256-256": {"embedding": (256, 256), "hidden": (256, 256)},
}
CANDIDATES = (4, 8, 16, 32, 64, 128, 256)


def step_time(behaviour: SelectionBehaviour, observation: np.ndarray, steps: int = 300) -> float:
    """Median µs of one whole step at one state."""
    generator, state = np.random.default_rng(0), behaviour.start(1)
    taken, times = np.zeros(1, dtype=np.int64), []
    for _ in range(steps):
        started = time.perf_counter()
        draws = behaviour.draw(observation, [generator])
        laws = behaviour.step(observation, state, draws, taken)
        drawn = laws.chosen.sample(draws.noise)
        behaviour.spend(state, laws, drawn)
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--eps-max", type=float, default=0.1)
    parser.add_argument("--scenarios", type=int, default=2_000)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--candidates", nargs="*", type=int, default=list(CANDIDATES))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study = load_study(asked.results / "study.yaml")
    folder = StudyFolder(asked.results, study)
    certificate, base = load_certificate(folder.certificate), read_base(folder.base)
    horizon = study.horizons(certificate)[0]
    task, plan = study.task(horizon, 0), evaluation_plan(study, horizon, 0)
    sampler = sampler_of(base, run_module=True)
    kept = load_transitions(folder.transitions, certificate.digest)
    evidence = certificate.evidence(horizon)
    kinds: dict[str, Constraint] = {
        name: constraint_class(name).for_target(evidence, asked.eps_max, trained=True)
        for name in ("ratio", "pathwise")
    }
    alone = run_scenarios(through_violations(plan), base_behaviour(base), 0, asked.scenarios)
    print(f"base {alone.length.mean():.3f} steps; ε_max = {asked.eps_max}, T = {horizon}")
    print("| critic | M | saved, ratio | violations | saved, budget | violations | µs a step |")
    print("| -- | -- | -- | -- | -- | -- | -- |")
    for name in asked.sizes:
        settings = CriticSection(**SIZES[name])
        options, generator = options_of(settings), stream(0, "critic draws")
        lesson = lesson_of(task, kept, sampler, options, settings.draws, generator)
        network, _ = train_critic(*lesson, options, 0)
        for count in asked.candidates:
            row = []
            for constraint in kinds.values():
                behaviour = SelectionBehaviour(
                    sampler, Selector(count, Critic(network)), constraint
                )
                free = run_scenarios(through_violations(plan), behaviour, 0, asked.scenarios)
                judged = run_scenarios(plan, behaviour, 0, asked.scenarios)
                saved = alone.length.mean() - free.length.mean()
                row += [f"{saved:.3f}", f"{judged.num_violations(horizon) / asked.scenarios:.4f}"]
            micros = step_time(behaviour, kept.observation[:1].astype(np.float64))
            print(f"| {name} | {count} | {' | '.join(row)} | {micros:.0f} |", flush=True)


if __name__ == "__main__":
    main()
