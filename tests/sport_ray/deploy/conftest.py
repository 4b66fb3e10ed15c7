"""A base policy with a certificate of its own, and bundles of a task policy near it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import torch

from sport_ray import experiments
from sport_ray.certificates import FixedSampling, build_certificate, save_certificate
from sport_ray.constraints import Constraint, RatioConstraint, constraint_from_json
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy, save_policy
from sport_ray.policies.network import widened
from sport_ray.rollouts import (
    BaseBehaviour,
    Behaviour,
    OutcomeTotals,
    ScenarioPlan,
    Tally,
    base_behaviour,
    run_scenarios,
)
from sport_ray.samplers import SamplerSpec, read_base, save_sampler
from sport_ray.selection import SCORES, Score, Selector, load_task_policy
from sport_ray.selection.scores import TaskDensity
from sport_ray.sources import file_digest
from tests.sport_ray.deploy import limit_lists

BASE = Path(experiments.__file__).parent / "bases" / "point_reach_avoid"
HORIZON, COUNT = 20, 300
CANDIDATES = 24
MODULE = "sampler_of_deploy_tests"
SAMPLER = '''
"""A controller and one of three disturbances to each of its numbers."""

import numpy as np

from sport_ray.policies import FrozenPolicy, load_policy


class Disturbed:
    def __init__(self, controller, size):
        self.controller = FrozenPolicy(load_policy(controller).network)
        self.size = size

    def sample(self, observation, count, generator):
        mean = self.controller.distribution(observation[None]).arrays()[0]
        noise = generator.choice([-self.size, 0.0, self.size], size=(count, 2))
        return 0.8 * np.tanh(mean) + noise
'''
CONSTRAINTS: dict[str, dict[str, Any]] = {
    "ratio": {"alpha": 1.02},
    "gauss_renyi": {"alpha": 1.03},
    "violation_time": {"alpha": 1.01},
    "pathwise": {"log_budget": 0.7, "rule": "spread", "steps_left": [15.0, 14.0, 13.0]},
    "pathwise_spread": {"log_budget": 0.5},
    "pathwise_all": {"log_budget": 0.6},
    "mean_shift": {"mu": 0.4, "steps_left": [12.0]},
}


FOR_CHOICES: dict[str, dict[str, Any]] = {"two_point": {"alpha": 1.1, "kappa": 0.9}}
"""What Gaussians cannot keep to."""


def constraint_named(name: str) -> Constraint:
    """The constraint of that name that these tests use."""
    return constraint_from_json({"name": name, **(CONSTRAINTS | FOR_CHOICES)[name]})


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
    certify(plan, BaseBehaviour(FrozenPolicy(base.network)), base.digest, folder)
    task = nudged(base.network, 0)
    save_policy(folder / "task", task, {})
    Selector(CANDIDATES, TaskDensity(task)).save(folder / "selector", {})
    save_policy(folder / "task_with_budget", nudged(widened(base.network, 2), 1), {})
    return folder


def certify(plan: ScenarioPlan, behaviour: Behaviour, base_digest: str, folder: Path) -> None:
    """Write the certificate of a base policy into a folder; it has no table."""
    totals = OutcomeTotals(HORIZON)
    totals.add(run_scenarios(plan, behaviour, 0, COUNT))
    certificate = build_certificate(
        plan, totals, Tally(COUNT, COUNT, 0), sampling=FixedSampling(num_scenarios=COUNT),
        beta=1e-3, base_digest=base_digest, outcomes_file="none.parquet",
        outcomes_sha256="cd" * 32, versions={}, code={},
    )  # fmt: skip
    save_certificate(folder / "certificate.json", certificate)


def nudged(network: PolicyNetwork, seed: int) -> PolicyNetwork:
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


class Leaning(Score):
    """Towards a direction of actions, more so where more is permitted."""

    def __init__(self, direction: np.ndarray) -> None:
        self.direction = direction

    def log_weights(
        self, observation: np.ndarray, candidates: np.ndarray, limits: np.ndarray, taken: np.ndarray
    ) -> np.ndarray:
        along = (candidates * self.direction).sum(axis=-1)
        return along * (1.0 + limits + 0.1 * taken + np.abs(observation[:, 0]))[:, None]

    def to_json(self) -> dict[str, Any]:
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"direction": self.direction}

    @classmethod
    def from_parts(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(arrays["direction"])


@pytest.fixture
def leaning() -> Iterator[type[Leaning]]:
    """A score of a user's, which needs no density."""

    class Registered(Leaning):
        name: ClassVar[str] = "leaning"

    yield Registered
    del SCORES["leaning"]


@pytest.fixture(scope="session")
def certified_sampler(plan: ScenarioPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a user's sampler, in its module, and the certificate of that base."""
    folder = tmp_path_factory.mktemp("certified_sampler")
    (folder / f"{MODULE}.py").write_text(SAMPLER)
    spec = SamplerSpec(
        entry=f"{MODULE}:Disturbed", arguments={"controller": str(BASE), "size": 0.2},
        observation_size=44, action_size=2,
        code={MODULE: str(file_digest(folder / f"{MODULE}.py"))},
    )  # fmt: skip
    digest = save_sampler(folder / "base", spec, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        certify(plan, base_behaviour(read_base(folder / "base"), run_module=True), digest, folder)
    del sys.modules[MODULE]
    return folder


@pytest.fixture
def module(
    certified_sampler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The file of the user's module, where it is found and may be spoiled; not imported yet."""
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / f"{MODULE}.py"
    file.write_text(SAMPLER)
    monkeypatch.syspath_prepend(str(file.parent))
    yield file
    sys.modules.pop(MODULE, None)


@pytest.fixture
def sampler_bundle(
    certified_sampler: Path, module: Path, leaning: type[Leaning],
    export_of: Callable[..., Export], tmp_path: Path,
) -> Callable[..., Path]:  # fmt: skip
    """Bundles of a choice among the actions of a user's sampler."""

    def make(name: str, candidates: int = CANDIDATES) -> Path:
        selector = Selector(candidates, leaning(np.array([2.0, -1.0])))
        selector.save(tmp_path / "selector", {})
        export = export_of(
            name, base=certified_sampler / "base", task=tmp_path / "selector",
            certificate=certified_sampler / "certificate.json",
        )  # fmt: skip
        write_bundle(tmp_path / "bundle", export)
        return tmp_path / "bundle"

    return make


@pytest.fixture
def listed(
    export_of: Callable[..., Export], certified: Path, tmp_path: Path
) -> Callable[..., Export]:
    """An export of limit 2 of 3, with the files of both tests; changes as keywords."""

    def make(
        violations: tuple[int, int] = (5, 5), alphas: tuple[float, float] = (1.3, 1.6),
        **changes: Any,
    ) -> Export:  # fmt: skip
        plain = export_of("ratio")
        files = []
        for rank, (alpha, bad) in enumerate(zip(alphas, violations, strict=True), start=1):
            path = tmp_path / f"test{rank}.npz"
            path.write_bytes(limit_lists.evidence(alpha, plain.horizon, bad).to_bytes())
            files.append(path)
        digest = load_task_policy(certified / "task").digest
        members = [
            {"constraint": RatioConstraint(alpha).to_json(), "policy": digest} for alpha in alphas
        ]
        about = {
            "list": "0" * 16, "rank": 2, "size": 3, "level": 0.1, "largest_level": 0.1,
            "beta": 1e-3, "scenarios": "fresh", "first": 0, "num_scenarios": limit_lists.COUNT,
            "members": members,
        }  # fmt: skip
        constraint = RatioConstraint(alphas[-1])
        return export_of("ratio", constraint=constraint, limit=about | changes, tests=tuple(files))

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
