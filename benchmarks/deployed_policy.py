"""Microseconds per ``act`` on one core: ``python benchmarks/deployed_policy.py``.

Policies of 64×64 and 256×256 for the robot's 44 observations and 2 actions, task near base, the
constant ratio binding in nearly every state; with and without an audit log: projected, and as a
choice among 16 and 64 candidates by the task policy's density. The variants are timed in turns, so
that a busy machine slows all alike; medians over all calls are printed, and the largest of the
rounds' medians. BLAS is limited to one thread.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sport_ray.constraints import constraint_from_json
from sport_ray.deploy.audit_log import AuditLog
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.observations import Bounds
from sport_ray.deploy.policy import DeployedPolicy
from sport_ray.families import Categorical
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.selection import SelectionBehaviour, Selector
from sport_ray.selection.scores import TaskDensity

HORIZON, ROUNDS, EPISODES = 27, 15, 12
CANDIDATES = (0, 16, 64)
CONSTRAINTS: tuple[dict[str, Any], ...] = (
    {"name": "ratio", "alpha": 1.05},
    {"name": "pathwise", "log_budget": 2.0, "rule": "spread", "steps_left": [14.0]},
    {"name": "mean_shift", "mu": 1.0, "steps_left": [14.0]},
)


def policy_of(
    width: int, constraint: dict[str, Any], candidates: int, log: Path | None
) -> DeployedPolicy:
    """A policy without files: random base weights, and a task policy a little beside them.

    candidates: among how many one is chosen; 0: the task policy is projected.
    """
    spec = PolicySpec(observation_size=44, action_size=2, hidden=(width, width))
    torch.manual_seed(0)
    network = PolicyNetwork(spec)
    base = FrozenPolicy(network)
    with torch.no_grad():
        for weights in network.parameters():
            weights += 0.01 * torch.randn(weights.shape)
    manifest: dict[str, Any] = {"digest": "", "constraint": constraint, "promise": {}}
    task = Selector(candidates, TaskDensity(network)) if candidates else FrozenPolicy(network)
    bundle = Bundle(
        manifest,
        base,
        task,
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


def parts_of(policy: DeployedPolicy) -> dict[str, float]:
    """Seconds of each part of a step, medians; a part alone is faster than among the others."""
    selection, constraint = policy._task, policy.bundle.constraint
    assert isinstance(selection, SelectionBehaviour)
    observation = np.random.default_rng(0).uniform(-1.0, 1.0, (1, 44)).astype(np.float32)
    seen, state, taken = observation.astype(np.float64), selection.start(1), np.array([0])
    random = [np.random.default_rng(0)]
    draws = selection.draw(seen, random)
    assert draws.candidates is not None
    candidates, limits = draws.candidates, constraint.limits(state)
    weights = selection._score.log_weights(seen, candidates, limits, taken)
    task, bounds = Categorical.of_log_weights(weights), torch.from_numpy(limits)
    base = Categorical.uniform(1, candidates.shape[1])
    chosen = constraint.project(base, task, bounds)
    step = selection.step(seen, state, draws, taken)
    parts: dict[str, Callable[[], Any]] = {
        "observation": lambda: policy._guard.observe(observation[0]),
        "candidates (base known)": lambda: selection.draw(seen, random),
        "score (base known)": lambda: selection._score.log_weights(seen, candidates, limits, taken),
        "weights onto the grid": lambda: Categorical.of_log_weights(weights),
        "projection": lambda: constraint.project(base, task, bounds),
        "check": lambda: constraint.within(chosen, base, bounds),
        "step in all": lambda: selection.step(seen, state, draws, taken),
        "index": lambda: step.chosen.sample(draws.noise),
    }
    found = {}
    for name, part in parts.items():
        times = []
        for _ in range(2000):
            start = time.perf_counter()
            part()
            times.append(time.perf_counter() - start)
        found[name] = float(np.median(times))
    return found


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    observations = np.random.default_rng(0).uniform(-1.0, 1.0, (HORIZON, 44))
    with tempfile.TemporaryDirectory() as folder:
        variants = {
            (width, constraint["name"], candidates, logged): policy_of(
                width,
                constraint,
                candidates,
                Path(folder) / f"{width}-{number}-{candidates}" if logged else None,
            )
            for width in (64, 256)
            for number, constraint in enumerate(CONSTRAINTS)
            for candidates in CANDIDATES
            if not (candidates and constraint["name"] == "mean_shift")  # of Gaussians
            for logged in (False, True)
        }
        times: dict[Any, list[list[float]]] = {key: [] for key in variants}
        for _ in range(ROUNDS + 1):
            for key, policy in variants.items():
                times[key].append(time_calls(policy, observations))
        print("network   constraint    M  log    median µs   slowest round   99 %")
        for (width, name, candidates, logged), rounds in times.items():
            values = 1e6 * np.array(rounds[1:])
            log = "yes" if logged else "no"
            print(
                f"{width:3}×{width:<5} {name:12} {candidates or '':2} {log:5} "
                f"{np.median(values):8.0f} {np.median(values, axis=1).max():14.0f} "
                f"{np.quantile(values, 0.99):10.0f}"
            )
        print("\nwhere the time of a choice goes (64×64, ratio, µs, each part alone)")
        for candidates in CANDIDATES[1:]:
            for name, seconds in parts_of(variants[64, "ratio", candidates, False]).items():
                print(f"M = {candidates:2}  {name:28} {1e6 * seconds:6.1f}")


if __name__ == "__main__":
    main()
