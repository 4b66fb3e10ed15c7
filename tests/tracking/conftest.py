"""Writes result folders as a sweep leaves them, from a plausible made-up study.

Numbers follow the shape of the paper's: steps to goal fall with alpha, the naively projected
policy grows risky at large alpha, Projected PPO hardly. Bounds are the real formulas.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta as beta_law
from scipy.stats import norm

from sport_ray.bounds import (
    gauss_renyi_bound,
    gauss_renyi_max_alpha,
    gaussian_tradeoff_bound,
    max_alpha,
    max_mu,
    pathwise_bound,
    pathwise_log_budget,
    ratio_bound,
)
from sport_ray.certificates import Certificate, save_certificate
from sport_ray.certificates.record_check import derived_numbers
from sport_ray.tracking.results.record import COLUMN_NAMES

ALPHAS = (1.0, 1.1, 1.25, 1.5, 3.0, 10.0)
HORIZONS = (21, 30)
SEEDS = (0, 1)
OUTCOMES = "certificate_outcomes.parquet"
NUM_SCENARIOS = 10_000
BETA = 1e-7
START = np.array([0.058576, -0.456962])
GOAL = np.array([-0.162016, 2.113773])
HAZARD = np.array([-0.122152, 0.910484])

Change = Callable[[dict[str, Any]], dict[str, Any]]
Factory = Callable[..., Path]


def clopper_pearson(violations: int, scenarios: int, confidence_left: float) -> float:
    return float(beta_law.ppf(1 - confidence_left, violations + 1, scenarios - violations))


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def make_certificate(max_horizon: int = 60) -> dict[str, Any]:
    horizons = np.arange(1, max_horizon + 1)
    late = norm.sf(horizons + 0.5, loc=14.0, scale=2.2)
    violations = np.round(NUM_SCENARIOS * (0.001 + 0.999 * late)).astype(int)
    violations = np.minimum(violations, NUM_SCENARIOS)

    def bounds(left: float) -> list[float]:
        return [
            1.0 if k == NUM_SCENARIOS else clopper_pearson(int(k), NUM_SCENARIOS, left)
            for k in violations
        ]

    return whole(
        {
            "schema": "sport-ray/certificate/2",
            "base_digest": digest("base"),
            "env_id": "sport_ray/PointReachAvoid-v0",
            "env_kwargs": {"layout": "fixed"},
            "property": "(!hazard) U goal",
            "sampling": {"rule": "fixed", "num_scenarios": NUM_SCENARIOS},
            "num_scenarios": NUM_SCENARIOS,
            "beta": BETA,
            "root_seed": 7,
            "counts": {
                "planned": NUM_SCENARIOS,
                "started": NUM_SCENARIOS,
                "finished": NUM_SCENARIOS,
                "aborted": 0,
            },
            "max_horizon": max_horizon,
            "choice": None,
            "table": {
                "horizon": horizons.tolist(),
                "num_violations": violations.tolist(),
                "num_settled": np.minimum(horizons, 10).tolist(),
                "num_running": [NUM_SCENARIOS] * 8 + violations[8:].tolist(),
                "eps_base": bounds(BETA),
                "eps_base_simultaneous": bounds(BETA / max_horizon),
            },
            "mean_steps_to_goal": 14.02,
            "std_steps_to_goal": 2.21,
            "outcomes": {"file": OUTCOMES, "sha256": digest("table"), "digest": digest("rows")},
            "versions": {"sport-ray": "0.1.0", "torch": "2.13.0", "ray": "2.60.0"},
            "code": {},
        }
    )


def whole(certificate: dict[str, Any]) -> dict[str, Any]:
    """The same with its digest; every check of a certificate has passed."""
    found = checked(certificate)
    return found.body() | {"digest": found.digest}


@lru_cache(maxsize=8)
def _checked(text: str) -> Certificate:
    body = json.loads(text)
    body.pop("digest", None)
    return Certificate.model_validate(body)


def checked(certificate: dict[str, Any]) -> Certificate:
    return _checked(json.dumps(certificate))


def write_certificate(folder: Path, certificate: dict[str, Any]) -> None:
    save_certificate(folder / "certificate.json", checked(certificate))


def change_certificate(folder: Path, **changes: Any) -> None:
    """Another certificate in the folder, and its records as they are under that one."""
    certificate = whole(json.loads((folder / "certificate.json").read_text()) | changes)
    write_certificate(folder, certificate)
    for file in folder.glob("cells/*/record.json"):
        write_cell(folder, json.loads(file.read_text()), certificate)


def make_cell(
    study: str, certificate: dict[str, Any], method: str, alpha: float | None, horizon: int,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    rng = np.random.default_rng([horizon, seed, len(method), round(1000 * (alpha or 0))])
    eps_base = certificate["table"]["eps_base_simultaneous"][horizon - 1]
    gain = 1.0 if alpha is None else 1 - math.exp(-1.1 * math.log(alpha))
    steps = 14.0 - gain * (2.6 if method != "projected_ppo" else 2.1) + 0.05 * rng.normal()
    late = norm.sf(horizon + 0.5, loc=steps, scale=2.2)
    hazard = 0.001 + (0.0 if method == "projected_ppo" else 0.6 * gain**6)
    num_hazard = int(rng.binomial(NUM_SCENARIOS, hazard))
    num_timeout = int(rng.binomial(NUM_SCENARIOS - num_hazard, late))
    violations = num_hazard + num_timeout
    free = alpha is None
    log_alpha = None if alpha is None else math.log(alpha)
    return dict.fromkeys(COLUMN_NAMES) | {
        "cell_id": digest(study, method, alpha, horizon, seed)[:16],
        "study": study,
        "source": "projected_ppo" if method == "projected_ppo" else "unconstrained",
        "projected": not free,
        "constraint": "unconstrained" if free else "ratio",
        "alpha": alpha,
        "log_alpha": log_alpha,
        "horizon": horizon,
        "seed": seed,
        "eps_max": None,
        "status": "finished",
        "reason": None,
        "base_digest": certificate["base_digest"],
        "certificate_digest": certificate["digest"],
        "policy_digest": digest(method, alpha, horizon, seed, "policy"),
        "eps_base": eps_base,
        "beta": BETA,
        "alpha_mu": 1.0,
        "alpha_p": 1.0,
        "prior_bound": None if alpha is None else eps_base * alpha**horizon,
        "num_scenarios": NUM_SCENARIOS,
        "num_violations": violations,
        "num_hazard": num_hazard,
        "num_timeout": num_timeout,
        "empirical_violation_rate": violations / NUM_SCENARIOS,
        "posterior_bound": clopper_pearson(violations, NUM_SCENARIOS, BETA),
        "posterior_beta": BETA,
        "mean_steps_to_goal": steps,
        "std_steps_to_goal": 2.2 - 0.8 * gain,
        "max_log_ratio": math.inf if log_alpha is None else log_alpha * (1 - 1e-7),
        "mean_log_ratio": None if log_alpha is None else 0.9 * log_alpha,
        "mean_realised_log_ratio": None if log_alpha is None else 0.2 * log_alpha,
        "projected_share": 0.0 if free else 0.93,
        "mean_kl_to_base": 3.1 if log_alpha is None else 0.3 * log_alpha,
        "mean_task_distance": 0.0 if free else 0.4,
        "train_env_steps": 200_000,
        "train_seconds": 41.5,
        "eval_seconds": 6.2,
        "clip_fraction": 0.31,
        "train_return": 3.2 + gain,
        "train_violations": 40,
        "finished_at": f"2026-03-02T10:{horizon:02d}:{10 * seed + round(alpha or 0):02d}+00:00",
    }


def make_samples(alpha: float, horizon: int, seed: int, scenarios: int = 60) -> dict[str, Any]:
    """Bent paths from start to goal on the hazard's left, the closer the larger alpha."""
    rng = np.random.default_rng([seed, horizon, round(100 * alpha)])
    poses = np.full((scenarios, horizon + 1, 3), np.nan, dtype=np.float32)
    lengths = np.clip(np.round(rng.normal(14 - 2 * math.tanh(math.log(alpha)), 1.5, scenarios)),
                      8, horizon).astype(int)  # fmt: skip
    bend = -1.75 + 0.4 * math.tanh(math.log(alpha)) + 0.15 * rng.normal(size=scenarios)
    for i, length in enumerate(lengths):
        u = np.linspace(0, 0.9, length + 1)[:, None]
        middle = HAZARD + np.array([bend[i], 0.1])
        path = (1 - u) ** 2 * START + 2 * u * (1 - u) * middle + u**2 * GOAL
        poses[i, : length + 1, :2] = path
        poses[i, : length + 1, 2] = np.linspace(2.7, 0.8, length + 1)
    length = int(lengths[0])
    base_mean = np.stack([np.linspace(0.2, 0.6, length), np.linspace(-0.5, 0.4, length)], axis=1)
    base_std = np.full((length, 2), 0.5) + np.linspace(0, 0.2, length)[:, None]
    task_mean, task_std = base_mean + np.array([0.9, 0.3]), 0.5 * base_std
    # Half of log alpha in each action; a quarter of that narrows, the rest shifts.
    budget = math.log(alpha) / 2
    std = base_std * math.exp(-budget / 4)
    shift = np.sqrt(2 * (base_std**2 - std**2) * 0.75 * budget)
    return {
        "poses": poses,
        "goal": GOAL,
        "hazard": HAZARD,
        "goal_radius": 0.3,
        "hazard_radius": 0.5,
        "mean": base_mean + shift,
        "std": std,
        "base_mean": base_mean,
        "base_std": base_std,
        "task_mean": task_mean,
        "task_std": task_std,
    }


def kind_cell(
    certificate: dict[str, Any], method: str, kind: str, eps_max: float | None, seed: int
) -> dict[str, Any]:
    """A cell at T = 21 under some kind, derived from ε_max; without one, the base (α = 1)."""
    horizon = 21
    eps_base = certificate["table"]["eps_base_simultaneous"][horizon - 1]
    alpha = budget = mu = None
    prior = eps_base
    if kind == "unconstrained":
        prior = None
    elif eps_max is None:
        alpha = 1.0
    elif kind in ("ratio", "gauss_renyi"):
        largest = max_alpha if kind == "ratio" else gauss_renyi_max_alpha
        alpha = largest(eps_base, eps_max, horizon)
        bound = ratio_bound if kind == "ratio" else gauss_renyi_bound
        prior = bound(eps_base, alpha, horizon)
    elif kind == "mean_shift":
        mu = max_mu(eps_base, eps_max)
        prior = gaussian_tradeoff_bound(eps_base, mu)
    else:
        budget = pathwise_log_budget(eps_base, eps_max)
        prior = pathwise_bound(eps_base, budget)
    # The base's numbers are the same, whoever asks for them.
    seen = "projected_ppo" if alpha == 1.0 else method
    record = make_cell("kinds", certificate, seen, alpha or 1.1, horizon, seed)
    saved = {"ratio": 0.3, "gauss_renyi": 0.5, "mean_shift": 0.4, "pathwise": 1.0}
    better = 0.0 if eps_max is None else saved.get(kind, 0.9) * (1 + 5 * eps_max)
    better = 2.5 if kind == "unconstrained" else better
    steps = 14.0 - better + 0.01 * seed - (0.05 if method == "projected_ppo" and eps_max else 0.0)
    return record | {
        "cell_id": digest("kinds", method, kind, eps_max, seed)[:16],
        "source": "projected_ppo" if method == "projected_ppo" else "unconstrained",
        "projected": kind != "unconstrained",
        "constraint": kind,
        "alpha": alpha,
        "log_alpha": None if alpha is None else math.log(alpha),
        "log_budget": budget,
        "mu": mu,
        "eps_max": eps_max,
        "eps_base": eps_base,
        "prior_bound": prior,
        "mean_steps_to_goal": steps,
        "std_steps_to_goal": 1.5,
        "mean_task_steps": steps + 0.1,
        "std_task_steps": 1.5,
        "max_log_ratio": None if alpha is None else 0.999 * math.log(alpha),
        "max_prefix_log_ratio": 0.9 if budget is None else budget * (1 - 1e-12),
    }


def write_kinds(
    parent: Path,
    change: Change = dict,
    kinds: tuple[str, ...] = ("ratio", "gauss_renyi", "pathwise", "mean_shift"),
    levels: tuple[float, ...] = (0.05, 0.1),
    seeds: tuple[int, ...] = (0, 1, 2),
    samples: bool = False,
) -> Path:
    """A study of several kinds of constraint, each at each ε_max by both methods, T = 21."""
    path = parent / "kinds"
    path.mkdir()
    certificate = make_certificate()
    write_certificate(path, certificate)
    (path / "study.json").write_text(json.dumps({"name": "kinds"}))
    cells = [("unconstrained", "unconstrained", None)]
    for method in ("projected_ppo", "projected_at_deployment"):
        cells += [(method, kind, None) for kind in kinds if kind in ("ratio", "gauss_renyi")]
        cells += [(method, kind, level) for kind in kinds for level in levels]
    for (method, kind, level), seed in itertools.product(cells, seeds):
        file = write_cell(
            path, change(kind_cell(certificate, method, kind, level, seed)), certificate
        )
        if samples and kind == "ratio" and seed == 0:
            arrays = make_samples(1.0 if level is None else 1.1, 21, 0)
            counts = np.bincount(np.random.default_rng(0).poisson(4, 900) + 10)
            np.savez_compressed(file.parent / "samples.npz", task_steps=counts, **arrays)
    return path


def source_cell(
    certificate: dict[str, Any], source: str, method: str, alpha: float | None, seed: int
) -> dict[str, Any]:
    """A cell of a study of several sources of task policies, T = 21."""
    # The base's numbers are the same, whoever asks for them.
    seen = "projected_ppo" if alpha == 1.0 else method
    record = make_cell("sources", certificate, seen, alpha, 21, seed)
    cost = {"scpo": 4_000, "presa": 9_000, "imported": 0}.get(source, 60_000)
    better = {"scpo": 0.4, "presa": 0.2, "imported": 0.1}.get(source, 0.0) * (alpha != 1.0)
    counted = None if source == "imported" else 7 + seed
    return record | {
        "cell_id": digest("sources", source, method, alpha, seed)[:16],
        "source": source,
        "projected": alpha is not None,
        "constraint": "unconstrained" if alpha is None else "ratio",
        "mean_steps_to_goal": record["mean_steps_to_goal"] + better,
        "train_env_steps": cost,
        "train_episodes": None if counted is None else 10 * counted,
        "train_violations": counted,
    }


def write_sources(
    parent: Path,
    change: Change = dict,
    sources: tuple[str, ...] = ("projected_ppo", "unconstrained", "scpo", "presa", "imported"),
    alphas: tuple[float, ...] = (1.0, 1.1, 1.5),
    seeds: tuple[int, ...] = (0, 1, 2),
    folder: str = "sources",
) -> Path:
    """A study whose task policies come from several sources, each as it is and projected."""
    path = parent / folder
    path.mkdir()
    certificate = make_certificate()
    write_certificate(path, certificate)
    (path / "study.json").write_text(json.dumps({"name": "sources"}))
    for source, seed in itertools.product(sources, seeds):
        if source == "projected_ppo":
            cells: list[tuple[str, float | None]] = [("projected_ppo", a) for a in alphas]
        else:
            free = "unconstrained" if source == "unconstrained" else "unprojected"
            cells = [(free, None), *(("projected_at_deployment", a) for a in alphas)]
        for method, alpha in cells:
            write_cell(
                path, change(source_cell(certificate, source, method, alpha, seed)), certificate
            )
    return path


def write_cell(folder: Path, record: dict[str, Any], certificate: dict[str, Any]) -> Path:
    """Write a record; what follows from its counts and the certificate is computed again."""
    names = ("certificate_digest", "digest"), ("base_digest", "base_digest")
    record = record | {ours: certificate[theirs] for ours, theirs in names}
    if record["status"] == "finished":
        record |= derived_numbers(record, checked(certificate))
    file = folder / "cells" / record["cell_id"] / "record.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record), encoding="utf-8")
    return file


def write_study(
    parent: Path,
    name: str = "quickstart",
    change: Change = dict,
    samples: bool = False,
    alphas: tuple[float, ...] = ALPHAS,
    horizons: tuple[int, ...] = HORIZONS,
    seeds: tuple[int, ...] = SEEDS,
    folder: str = "results",
) -> Path:
    """A study of 52 cells by default, one of them failed; `change` maps each record."""
    path = parent / folder
    path.mkdir()
    certificate = make_certificate()
    write_certificate(path, certificate)
    (path / "study.json").write_text(json.dumps({"name": name, "alphas": list(alphas)}))
    (path / "study.yaml").write_text(f"name: {json.dumps(name)}\nalphas: {list(alphas)}\n")
    settings: list[tuple[str, float | None]] = [("unconstrained", None)]
    settings += [(m, a) for m in ("projected_ppo", "projected_at_deployment") for a in alphas]
    for horizon, seed, (method, alpha) in itertools.product(horizons, seeds, settings):
        record = make_cell(name, certificate, method, alpha, horizon, seed)
        if (method, alpha, horizon, seed) == ("projected_ppo", 10.0, 30, 1):
            record = fail(record, "worker died: out of memory")
        file = write_cell(path, change(record), certificate)
        if samples and alpha is not None and seed == 0:
            np.savez_compressed(file.parent / "samples.npz", **make_samples(alpha, horizon, seed))
    return path


def fail(record: dict[str, Any], reason: str) -> dict[str, Any]:
    kept = ("cell_id", "study", "source", "projected", "constraint", "alpha", "log_alpha",
            "horizon", "seed", "base_digest", "certificate_digest", "eps_base", "beta",
            "prior_bound", "finished_at")  # fmt: skip
    failed = {name: record[name] if name in kept else None for name in record}
    return failed | {"status": "failed", "reason": reason}


@pytest.fixture
def make_results(tmp_path: Path) -> Factory:
    """`make_results(name=, change=, samples=, ...)` -> result folder; see `write_study`."""
    return partial(write_study, tmp_path)


@pytest.fixture(scope="session")
def make_results_in() -> Factory:
    """`make_results_in(parent, ...)` -> result folder, for fixtures that outlive a test."""
    return write_study


@pytest.fixture
def make_kinds(tmp_path: Path) -> Factory:
    """`make_kinds(change=, kinds=, levels=, ...)` -> result folder; see `write_kinds`."""
    return partial(write_kinds, tmp_path)


@pytest.fixture
def make_sources(tmp_path: Path) -> Factory:
    """`make_sources(change=, sources=, alphas=, ...)` -> result folder; see `write_sources`."""
    return partial(write_sources, tmp_path)


@pytest.fixture
def results(make_results: Factory) -> Path:
    """A result folder of the default study, without samples."""
    return make_results()
