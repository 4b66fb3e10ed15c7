"""A small benchmark as `sport-ray bench` leaves it: two bases of one task, all kinds of methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.bounds.list_evidence import ListEvidence
from tests.tracking.conftest import kind_cell, make_certificate, write_cell, write_kinds

LEVELS, SEEDS = (0.001, 0.05, 0.1), (0, 1, 2)
METHODS: list[dict[str, Any]] = [
    {"name": "fixed_alpha", "source": "projected_ppo", "constraint": "ratio"},
    {"name": "at_deployment", "source": "unconstrained", "constraint": "ratio"},
    {"name": "pathwise", "source": "projected_ppo", "constraint": "pathwise"},
    {"name": "from_data", "source": "projected_ppo", "constraint": "pathwise", "kind": "list",
     "promise": "data"},
    {"name": "conformal", "source": "projected_ppo", "constraint": "pathwise",
     "kind": "conformal", "promise": "expected"},
    {"name": "coin_flip", "kind": "coin_flip"},
    {"name": "random_budgets", "kind": "mixture"},
    {"name": "unconstrained", "source": "unconstrained", "promise": "posterior"},
    {"name": "scpo", "source": "scpo", "promise": "posterior"},
]  # fmt: skip
BUDGETS = (3.0, 3.5, 4.0)
Change = Callable[[dict[str, Any]], dict[str, Any]]


def manifest() -> dict[str, Any]:
    task = {"name": "robot", "title": "Robot", "property": "(!hazard) U goal", "horizon": 21}
    bases = [("smooth_0", "smooth"), ("sharp_0", "sharp")]
    return {
        "command": "sport-ray bench --tasks robot",
        "tiny": False,
        "risk_levels": list(LEVELS),
        "seeds": list(SEEDS),
        "tasks": [task],
        "methods": [
            {"title": one["name"].replace("_", " "), "promise": "prior"} | one for one in METHODS
        ],
        "folders": [
            {"task": "robot", "base": name, "level": level, "seed": 0, "folder": f"robot/{name}"}
            for name, level in bases
        ],
    }


def risky(record: dict[str, Any]) -> dict[str, Any]:
    """Without a bound, 15% of the scenarios violate."""
    free = record["constraint"] == "unconstrained"
    return record | ({"num_violations": 1500} if free else {})


def list_evidence(rank: int) -> ListEvidence:
    """A base that violated in 12 of 4,000 scenarios, under which ratios spread with the rank."""
    rng = np.random.default_rng(rank)
    violated = np.arange(4000) < 12
    logs = np.where(violated, 1.1 * rank, rng.uniform(-1.0, 0.9, 4000))
    capped, caps = np.zeros((4000, 1)), np.ones(1)
    return ListEvidence(logs, violated, capped, caps, BUDGETS[rank - 1])


def write_list(folder: Path, seed: int) -> None:
    """A list of three budgets: base scenarios allow two of them at 0.1 and one at 0.05."""
    certificate = make_certificate()
    for rank, budget in enumerate(BUDGETS, 1):
        record = kind_cell(certificate, "projected_ppo", "pathwise", 0.1, seed) | {
            "cell_id": f"{seed}{rank}".zfill(16),
            "eps_max": None,
            "log_budget": budget,
            "limit_list": f"list{seed}",
            "limit_rank": rank,
            "limit_size": len(BUDGETS),
            "limit_levels": "0.05, 0.1",
            "limit_bound": (0.04, 0.09, 0.12)[rank - 1],
            "limit_beta": 1e-7,
            "limit_scenarios": 4000,
            "mean_task_steps": 12.5 - 0.1 * rank,
        }
        file = write_cell(folder, record, certificate)
        file.with_name("limit.npz").write_bytes(list_evidence(rank).to_bytes())


def write_bench(root: Path, change: Change = risky, **changes: Any) -> Path:
    """The benchmark's folder. change: maps each record of the first base; changes: the manifest."""
    task = root / "robot"
    for name, own in (("smooth_0", change), ("sharp_0", dict)):
        task.mkdir(parents=True, exist_ok=True)
        write_kinds(task, own, kinds=("ratio", "pathwise"), levels=LEVELS[1:], seeds=SEEDS).rename(
            task / name
        )
        for seed in SEEDS:
            write_list(task / name, seed)
        study = {"name": "kinds", "task_policies": {"projected_ppo": {}, "unconstrained": {}}}
        for file in ("study.json", "study.yaml"):  # JSON is YAML
            (task / name / file).write_text(json.dumps(study))
    (root / "bench.json").write_text(json.dumps(manifest() | changes))
    return root


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is whole, for tests that only read."""
    return write_bench(tmp_path_factory.mktemp("bench"))
