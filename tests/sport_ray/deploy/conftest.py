"""A base policy with a certificate of its own, and bundles of a task policy near it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sport_ray import experiments
from sport_ray.certificates import FixedSampling, build_certificate, save_certificate
from sport_ray.constraints import Constraint, constraint_from_json
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.policies import FrozenGaussian, GaussianNetwork, load_policy, save_policy
from sport_ray.policies.network import widened
from sport_ray.rollouts import BaseBehaviour, OutcomeTotals, ScenarioPlan, Tally, run_scenarios

BASE = Path(experiments.__file__).parent / "bases" / "point_reach_avoid"
HORIZON, COUNT = 20, 300
CONSTRAINTS: dict[str, dict[str, Any]] = {
    "ratio": {"alpha": 1.02},
    "gauss_renyi": {"alpha": 1.03},
    "violation_time": {"alpha": 1.01},
    "pathwise": {"log_budget": 0.7, "rule": "spread", "steps_left": [15.0, 14.0, 13.0]},
    "pathwise_spread": {"log_budget": 0.5},
    "pathwise_all": {"log_budget": 0.6},
    "mean_shift": {"mu": 0.4, "steps_left": [12.0]},
}


def constraint_named(name: str) -> Constraint:
    """The constraint of that name that these tests use."""
    return constraint_from_json({"name": name, **CONSTRAINTS[name]})


@pytest.fixture(scope="session")
def plan() -> ScenarioPlan:
    """What is certified."""
    return ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "fixed"},
        property="(!hazard) U goal",
        horizon=HORIZON,
        root_seed=3,
        purpose="certify",
    )


@pytest.fixture(scope="session")
def certified(plan: ScenarioPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, its base policy and two task policies (one sees a budget)."""
    folder = tmp_path_factory.mktemp("certified")
    base = load_policy(BASE)
    save_policy(folder / "base", base.network, {})
    outcomes = run_scenarios(plan, BaseBehaviour(FrozenGaussian(base.network)), 0, COUNT)
    totals = OutcomeTotals(HORIZON)
    totals.add(outcomes)
    certificate = build_certificate(
        plan, totals, Tally(COUNT, COUNT, 0), sampling=FixedSampling(num_scenarios=COUNT),
        beta=1e-3, base_digest=base.digest, outcomes_file="none.parquet",
        outcomes_sha256="cd" * 32, versions={}, code={},
    )  # fmt: skip
    save_certificate(folder / "certificate.json", certificate)
    save_policy(folder / "task", nudged(base.network, 0), {})
    save_policy(folder / "task_with_budget", nudged(widened(base.network, 2), 1), {})
    return folder


def nudged(network: GaussianNetwork, seed: int) -> GaussianNetwork:
    """The same policy with every weight moved a little."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in network.parameters():
            weights += 0.01 * torch.randn(weights.shape, generator=generator)
    return network


@pytest.fixture(scope="session")
def export_of(certified: Path) -> Callable[..., Export]:
    """What a bundle under a constraint is made of."""

    def make(name: str, task: str = "task", **changes: Any) -> Export:
        constraint = constraint_named(name)
        given: dict[str, Any] = {
            "base": certified / "base",
            "task": certified / task,
            "certificate": certified / "certificate.json",
            "constraint": constraint,
            "horizon": HORIZON,
            "env_kwargs": {"layout": "fixed"},
            "alpha_mu": 1.0,
            "alpha_p": 1.0,
            "source": {},
            "evidence": {},
        }
        return Export(**{**given, **changes})

    return make


@pytest.fixture
def bundle(export_of: Callable[..., Export], tmp_path: Path) -> Path:
    """A bundle under the paper's constraint, which may be spoiled."""
    write_bundle(tmp_path / "bundle", export_of("ratio"))
    return tmp_path / "bundle"


@pytest.fixture
def observations() -> np.ndarray:
    """Observations of the robot, from its first states on."""
    import gymnasium

    environment = gymnasium.make("sport_ray/PointReachAvoid-v0", layout="fixed", horizon=HORIZON)
    rng = np.random.default_rng(0)
    found = []
    for seed in range(4):
        seen, _ = environment.reset(seed=seed)
        for _ in range(10):
            found.append(seen)
            seen, *_ = environment.step(np.tanh(rng.normal(size=2)))
    return np.array(found)
