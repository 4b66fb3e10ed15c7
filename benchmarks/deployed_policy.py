"""Microseconds per ``act`` on one core: ``python benchmarks/deployed_policy.py``.

Policies of 64×64 and 256×256 for the robot's 44 observations and 2 actions, task near base, the
constant ratio binding in nearly every state; with and without an audit log. The variants are timed
in turns, so that a busy machine slows all alike; medians over all calls are printed, and the
largest of the rounds' medians. BLAS is limited to one thread.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sport_ray.constraints import constraint_from_json
from sport_ray.deploy.audit_log import AuditLog
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.observations import Bounds
from sport_ray.deploy.policy import DeployedPolicy
from sport_ray.policies import FrozenGaussian, GaussianNetwork, PolicySpec

HORIZON, ROUNDS, EPISODES = 27, 15, 12
CONSTRAINTS: tuple[dict[str, Any], ...] = (
    {"name": "ratio", "alpha": 1.05},
    {"name": "pathwise", "log_budget": 2.0, "rule": "spread", "steps_left": [14.0]},
    {"name": "mean_shift", "mu": 1.0, "steps_left": [14.0]},
)


def policy_of(width: int, constraint: dict[str, Any], log: Path | None) -> DeployedPolicy:
    """A policy without files: random base weights, and a task policy a little beside them."""
    spec = PolicySpec(observation_size=44, action_size=2, hidden=(width, width))
    torch.manual_seed(0)
    network = GaussianNetwork(spec)
    base = FrozenGaussian(network)
    with torch.no_grad():
        for weights in network.parameters():
            weights += 0.01 * torch.randn(weights.shape)
    manifest: dict[str, Any] = {"digest": "", "constraint": constraint, "promise": {}}
    bundle = Bundle(
        manifest,
        base,
        FrozenGaussian(network),
        constraint_from_json(constraint),
        HORIZON,
        Bounds.of_json({"low": [-1.0] * 44, "high": [1.0] * 44}, 44),
        np.dtype(np.float64),
    )
    return DeployedPolicy(bundle, "raise", None if log is None else AuditLog(log))


def time_calls(policy: DeployedPolicy, observations: np.ndarray) -> list[float]:
    """Seconds of each call in some episodes."""
    found = []
    for _ in range(EPISODES):
        policy.reset()
        for observation in observations:
            start = time.perf_counter()
            policy.act(observation)
            found.append(time.perf_counter() - start)
    return found


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    observations = np.random.default_rng(0).uniform(-1.0, 1.0, (HORIZON, 44))
    with tempfile.TemporaryDirectory() as folder:
        variants = {
            (width, constraint["name"], logged): policy_of(
                width, constraint, Path(folder) / f"{width}{number}" if logged else None
            )
            for width in (64, 256)
            for number, constraint in enumerate(CONSTRAINTS)
            for logged in (False, True)
        }
        times: dict[Any, list[list[float]]] = {key: [] for key in variants}
        for _ in range(ROUNDS + 1):
            for key, policy in variants.items():
                times[key].append(time_calls(policy, observations))
        print("network   constraint   log    median µs   slowest round   99 %   blocks")
        for (width, name, logged), rounds in times.items():
            values = 1e6 * np.array(rounds[1:])
            bundle = variants[width, name, logged].bundle
            assert bundle.task is not None
            share = (bundle.base._row.blocks + bundle.task._row.blocks) / (2 * values.size)
            print(
                f"{width:3}×{width:<5} {name:12} {'yes' if logged else 'no':5} "
                f"{np.median(values):8.0f} {np.median(values, axis=1).max():14.0f} "
                f"{np.quantile(values, 0.99):10.0f} {share:8.2%}"
            )


if __name__ == "__main__":
    main()
