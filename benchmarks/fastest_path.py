"""How few steps the point robot's fixed layout can take, with and without entering the hazard.

The cross-entropy method over open-loop action sequences of K steps: how far inside the goal's
circle (metres) the best one ends. A search is no proof that nothing better exists, but the
dynamics are deterministic, and what it finds barely differs between seeds. Compare docs/results.md:
a mean time to goal below the fewest steps can hardly have been counted as ours is.

    python benchmarks/fastest_path.py
"""

from __future__ import annotations

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from sport_ray.envs.simulator import PointReachAvoidSimulator

SEQUENCES, ELITE, ROUNDS, SEEDS = 512, 40, 60, 3
CLEARANCE = 1e-3  # metres between the robot and the hazard that a safe sequence must keep


def inside_goal(num_steps: int, seed: int, *, avoid: bool) -> float:
    """The largest goal signal (metres; at least 0: reached) after so many steps that was found."""
    rng = np.random.default_rng(seed)
    slots = np.arange(SEQUENCES)
    simulator = PointReachAvoidSimulator(SEQUENCES, end_on_violation=False)
    mean = np.tile([1.0, 0.0], (num_steps, 1))
    std = np.full((num_steps, 2), 0.8)
    best = -np.inf
    for _ in range(ROUNDS):
        actions = np.clip(mean + std * rng.standard_normal((SEQUENCES, num_steps, 2)), -1, 1)
        simulator.reset(slots, [rng] * SEQUENCES)  # a fixed layout draws nothing
        goal, hazard = play(simulator, slots, actions)
        shortfall = np.maximum(hazard + CLEARANCE, 0.0) if avoid else np.zeros(SEQUENCES)
        elite = np.argsort(3.0 * shortfall - goal)[:ELITE]
        best = np.max(goal[elite][shortfall[elite] == 0.0], initial=best)
        mean = 0.2 * mean + 0.8 * actions[elite].mean(axis=0)
        std = np.maximum(0.2 * std + 0.8 * actions[elite].std(axis=0), 0.02)
    return float(best)


def play(
    simulator: PointReachAvoidSimulator, slots: NDArray[np.int64], actions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Goal signal after the last step and the largest hazard signal on the way, metres (n,)."""
    hazard = np.full(len(slots), -np.inf)
    signals = np.empty((len(slots), 2))
    for step in range(actions.shape[1]):
        signals = simulator.step(slots, actions[:, step]).signals
        hazard = np.maximum(hazard, signals[:, 0])
    return signals[:, 1], hazard


def main() -> None:
    """Print, for each number of steps, how far inside the goal the best sequence ends."""
    table = Table("steps", "hazard", "inside the goal, m (per seed)", "reached")
    for avoid in (False, True):
        for num_steps in (10, 11, 12, 13):
            found = [inside_goal(num_steps, seed, avoid=avoid) for seed in range(SEEDS)]
            table.add_row(
                str(num_steps),
                "avoided" if avoid else "ignored",
                ", ".join(f"{value:.3f}" for value in found),
                "yes" if max(found) >= 0.0 else "no",
            )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
