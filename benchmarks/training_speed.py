"""Env steps per second of Projected PPO and of stock RLlib PPO, and scenarios per second.

All train on the same vector environment with 64 copies, batches of 4,096 steps, the same number
of epochs, minibatches of the same size, a 256×256 policy and critic, one process and one thread.
They alternate, an iteration each, so that all see the same noise of the machine.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from rich.console import Console
from rich.table import Table

from sport_ray.constraints import RatioConstraint
from sport_ray.experiments.cluster.session import ray_session
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.projected_ppo import ProjectedPPOConfig, Sampling, TrainingEnvironment
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios

ENV = "sport_ray/PointReachAvoid-v0"
KWARGS = {"layout": "fixed", "horizon": 21, "end_on_violation": False}
COMMON = {
    "train_batch_size": 4_096,
    "minibatch_size": 512,
    "num_epochs": 4,
    "lr": 1e-4,
    "gamma": 0.9,
    "lambda_": 0.95,
    "clip_param": 0.2,
    "use_kl_loss": False,
    "grad_clip": 0.5,
}
ROUNDS = 15


def projected(base: Path, sampling: Sampling):
    """Projected PPO at α = 1.5."""
    return (
        ProjectedPPOConfig()
        .environment(ENV, env_config=KWARGS)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=64)
        .training(base=base, alpha=1.5, warmup_env_steps=0, sampling=sampling, **COMMON)
        .debugging(seed=0, log_level="ERROR")
        .build_algo()
    )


def stock():
    """RLlib's own PPO with its own module, sampling the same squashed environment."""
    context = {"env_id": ENV, "kwargs": KWARGS, "squash": "tanh"}
    return (
        PPOConfig()
        .environment(TrainingEnvironment, env_config=context)
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=64,
            gym_env_vectorize_mode="vector_entry_point",
        )
        .training(**COMMON)
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=[256, 256], fcnet_activation="relu", vf_share_layers=False
            )
        )
        .debugging(seed=0, log_level="ERROR")
        .build_algo()
    )


def rate(algorithm) -> float:
    """Env steps per second of one training iteration."""
    key = "num_env_steps_sampled_lifetime"
    started = time.perf_counter()
    before = getattr(algorithm, "_seen", 0)
    algorithm._seen = int(algorithm.train()["env_runners"][key])
    return (algorithm._seen - before) / (time.perf_counter() - started)


def training_table(console: Console, base: Path) -> None:
    """Alternate the algorithms and print medians and the medians of the paired ratios."""
    algorithms = {
        "stock PPO": stock(),
        "Projected PPO (episodes)": projected(base, "episodes"),
        "Projected PPO (arrays)": projected(base, "arrays"),
    }
    rates: dict[str, list[float]] = {name: [] for name in algorithms}
    for round_ in range(ROUNDS + 2):
        for name, algorithm in algorithms.items():
            measured = rate(algorithm)
            if round_ >= 2:  # the first rounds build caches
                rates[name].append(measured)
    for algorithm in algorithms.values():
        algorithm.stop()
    table = Table(title=f"training, medians of {ROUNDS} alternating iterations")
    for column in ("algorithm", "env steps/s", "ratio to stock"):
        table.add_column(column, justify="right")
    for name, own in rates.items():
        ratios = [a / b for a, b in zip(own, rates["stock PPO"], strict=True)]
        table.add_row(name, f"{statistics.median(own):,.0f}", f"{statistics.median(ratios):.2f}")
    console.print(table)


def scenario_table(console: Console, base: Path) -> None:
    """Complete scenarios per second in one process, of the base and of a projected policy."""
    frozen = FrozenPolicy(load_policy(base).network)
    plan = ScenarioPlan(
        env_id=ENV, property="(!hazard) U goal", horizon=100, root_seed=0, purpose="base"
    )
    behaviours = {
        "base policy": BaseBehaviour(frozen),
        "projected, α = 1.5": ProjectedBehaviour(frozen, frozen, RatioConstraint(alpha=1.5)),
    }
    table = Table(title="scenarios of at most 100 steps, one process, medians of 5 runs of 2,000")
    for name in ("behaviour", "scenarios/s", "env steps/s"):
        table.add_column(name, justify="right")
    for name, behaviour in behaviours.items():
        rates, steps = [], []
        for _ in range(6):
            started = time.perf_counter()
            outcomes = run_scenarios(plan, behaviour, 0, 2_000)
            seconds = time.perf_counter() - started
            rates.append(2_000 / seconds)
            steps.append(outcomes.length.sum() / seconds)
        table.add_row(
            name, f"{statistics.median(rates[1:]):,.0f}", f"{statistics.median(steps[1:]):,.0f}"
        )
    console.print(table)


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    console = Console()
    base = BUNDLED / "point_reach_avoid"
    with ray_session(num_cpus=2):
        training_table(console, base)
    scenario_table(console, base)


if __name__ == "__main__":
    main()
