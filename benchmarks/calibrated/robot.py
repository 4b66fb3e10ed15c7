"""The point robot: real rollouts, and policies that a cohort trained under the projection.

Nothing is known exactly here. The probabilities that bounds are held against are those of 100,000
to 400,000 rollouts with seeds of their own. Numbers of scenarios are chosen so that no error of
such a size changes which counts fail. Training a policy for each of a thousand repetitions would
take hours, so one cohort of eight cells is trained, each with an α of its own. A repetition picks,
after its certificate, the cell with the largest α that is allowed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.calibrated import registry
from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import certificate_of, chosen, counted
from benchmarks.peers.settings import ENV_ID, ENV_KWARGS, SETTINGS
from sport_ray.bounds import scenario_bound
from sport_ray.constraints import Evidence, RatioConstraint
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy, save_policy
from sport_ray.rollouts import (
    BaseBehaviour,
    Behaviour,
    Outcomes,
    ProjectedBehaviour,
    ScenarioPlan,
    run_scenarios,
)
from tests.exact_mdp import REACH_AVOID

STEPS, LONGER, EPS_MAX = 19, 30, 0.1
ALPHAS = (1.0, 1.02, 1.04, 1.06, 1.08, 1.1, 1.15, 20.0)
"""Of the cells; no certificate here allows the last, whose policy only the control plays."""
ENV_STEPS, TRUTH_BASE, TRUTH_CELL = 40_960, 400_000, 100_000
LARGEST_SEED = 2**62


class Robot(NamedTuple):
    """The base, the cells' policies in order of ALPHAS, and how often they violate in 19 steps."""

    base: FrozenPolicy
    cells: tuple[FrozenPolicy, ...]
    base_violates: float
    cells_violate: tuple[float, ...]

    def behaviour(self, cell: int) -> Behaviour:
        return ProjectedBehaviour(self.base, self.cells[cell], RatioConstraint(ALPHAS[cell]))


@cache
def robot() -> Robot:
    """Trained and measured once; kept in ``registry.STORE`` where the script has set it."""
    folder = registry.STORE / "robot" if registry.STORE else None
    base = FrozenPolicy(load_policy(SETTINGS["quickstart"].base_folder).network)
    cells = trained(folder)
    measured = folder / "measured.json" if folder else None
    if measured and measured.is_file():
        rates = json.loads(measured.read_text(encoding="utf-8"))
        return Robot(base, cells, rates["base"], tuple(rates["cells"]))
    found = Robot(base, cells, 0.0, ())
    behaviours = [found.behaviour(cell) for cell in range(len(ALPHAS))]
    rates = {
        "base": rate(BaseBehaviour(base), TRUTH_BASE, 1),
        "cells": [rate(one, TRUTH_CELL, 2 + i) for i, one in enumerate(behaviours)],
    }
    if measured:
        measured.write_text(json.dumps(rates), encoding="utf-8")
    return Robot(base, cells, rates["base"], tuple(rates["cells"]))


def trained(folder: Path | None) -> tuple[FrozenPolicy, ...]:
    """The policies of one cohort of Projected PPO, read again if they are there."""
    kept = [folder / f"cell_{cell}" for cell in range(len(ALPHAS))] if folder else []
    if not kept or not all(one.is_dir() for one in kept):
        networks = train()
        for path, network in zip(kept, networks, strict=False):
            save_policy(path, network, {})
        return tuple(FrozenPolicy(network) for network in networks)
    return tuple(FrozenPolicy(load_policy(path).network) for path in kept)


def train() -> list[PolicyNetwork]:
    """Eight cells of 40,960 steps each, on one core."""
    import ray

    from sport_ray.projected_ppo import ProjectedPPOConfig
    from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    setting = SETTINGS["quickstart"]
    configs = [
        ProjectedPPOConfig()
        .environment(ENV_ID, env_config={**ENV_KWARGS, "horizon": STEPS})
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=setting.num_envs,
            rollout_fragment_length="auto",
        )
        .training(
            base=setting.base_folder, alpha=alpha, lr=setting.lr, critic_lr=setting.critic_lr,
            warmup_env_steps=4_096, train_batch_size=setting.train_batch_size,
            minibatch_size=setting.minibatch_size, num_epochs=setting.num_epochs,
            gamma=setting.gamma, lambda_=setting.gae_lambda, clip_param=setting.clip,
            entropy_coeff=0.0, grad_clip=setting.grad_clip,
        )
        .debugging(seed=cell, log_level="ERROR")
        for cell, alpha in enumerate(ALPHAS)
    ]  # fmt: skip
    algorithm = ProjectedPPOCohortConfig().cells(configs).build_algo()
    for _ in range(ENV_STEPS // setting.train_batch_size):
        algorithm.train()
    failed = [algorithm.error(cell) for cell in range(len(ALPHAS))]
    if any(failed):
        raise ArithmeticError(f"cells failed: {failed}")
    networks = [algorithm.policy(cell) for cell in range(len(ALPHAS))]
    algorithm.stop()
    ray.shutdown()
    return networks


def rollouts(behaviour: Behaviour, count: int, root_seed: int, horizon: int = STEPS) -> Outcomes:
    plan = ScenarioPlan(
        env_id=ENV_ID, env_kwargs={"layout": "fixed"}, property=REACH_AVOID, horizon=horizon,
        environment_horizon=LONGER, root_seed=root_seed, purpose="certify",
    )  # fmt: skip
    return run_scenarios(plan, behaviour, 0, count)


def rate(behaviour: Behaviour, count: int, root_seed: int) -> float:
    parts = [rollouts(behaviour, 10_000, LARGEST_SEED + 1_000 * root_seed + part)
             for part in range(count // 10_000)]  # fmt: skip
    return sum(part.num_violations(STEPS) for part in parts) / count


@cache
def size_for(p: float, error: float = 0.05, least: int = 200) -> int:
    """N at which bounds at β fail most often, and alike for all probabilities within the error."""
    best, chance = least, 0.0
    for count in range(least, 3 * least):
        violations = [
            sum(scenario_bound(count, k, BETA) < q for k in range(60))
            for q in (p * (1.0 - error), p * (1.0 + error))
        ]
        if violations[0] == violations[1] > 0:
            failing = float(stats.binom.cdf(violations[0] - 1, count, p))
            if failing > chance:
                best, chance = count, failing
    return best


def certified(rng: np.random.Generator) -> Evidence:
    count = size_for(robot().base_violates)
    seed = int(rng.integers(LARGEST_SEED))
    outcomes = rollouts(BaseBehaviour(robot().base), count, seed)
    certificate = certificate_of(outcomes, STEPS, choice=chosen(STEPS, STEPS))
    return certificate.evidence(STEPS)


@calibrates(
    "point robot: certificate", 1,
    problem="the quickstart's base at T = 19, real rollouts; its truth from 400,000 others",
    control="30 steps were waited for, 19 are claimed",
    repeats=1_000,
)  # fmt: skip
def certificate(rng: np.random.Generator, wrong: bool) -> Trial:
    if not wrong:
        return Trial(certified(rng).eps_base, robot().base_violates)
    count, seed = size_for(robot().base_violates), int(rng.integers(LARGEST_SEED))
    late = rollouts(BaseBehaviour(robot().base), count, seed, LONGER).num_violations(LONGER)
    return Trial(counted(count, late, STEPS).eps_base, robot().base_violates)


def picked(evidence: Evidence) -> tuple[int, float]:
    """The cell with the largest α that ε_max allows, and what is promised of it."""
    constraint = GaussRenyiConstraint.for_target(evidence, max(EPS_MAX, evidence.eps_base))
    cell = max(cell for cell, alpha in enumerate(ALPHAS) if alpha <= constraint.alpha)
    return cell, constraint.prior_bound(evidence)


@calibrates(
    "point robot: prior bound", 4,
    problem="α for ε_max = 0.1 by Gauss–Rényi; of a cohort's cells the one nearest to it",
    control="the cell that was trained with α = 20 is promised the same",
    repeats=1_000,
)  # fmt: skip
def prior(rng: np.random.Generator, wrong: bool) -> Trial:
    cell, bound = picked(certified(rng))
    return Trial(bound, robot().cells_violate[-1 if wrong else cell])


@calibrates(
    "point robot: posterior", 1,
    problem="the same cell, tested in fresh rollouts; its truth from 100,000 others",
    control="the best of five tests of it",
    repeats=1_000,
)  # fmt: skip
def posterior(rng: np.random.Generator, wrong: bool) -> Trial:
    cell, _ = picked(certified(rng))
    truth = robot().cells_violate[cell]
    count = size_for(truth)
    bounds = []
    for _ in range(5 if wrong else 1):
        outcomes = rollouts(robot().behaviour(cell), count, int(rng.integers(LARGEST_SEED)))
        bounds.append(scenario_bound(count, outcomes.num_violations(STEPS), BETA))
    return Trial(min(bounds), truth)
