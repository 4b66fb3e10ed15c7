"""The off-policy bound: one policy, fixed beforehand, judged by the base's scenarios alone."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from sport_ray.bounds.off_policy import off_policy_bound
from tests.exact_mdp import GOAL, HAZARD, Array, TabularMdp, TrajectoryLaws, trajectory_laws

COUNT = 500


def bandit(base: Array) -> TabularMdp:
    """One action decides; the last of them violates."""
    size = len(base)
    step = np.zeros((3, size, 3))
    step[:2] = np.eye(3)[:2, None]
    step[2, :-1, GOAL], step[2, -1, HAZARD] = 1.0, 1.0
    return TabularMdp(np.array([0.0, 0.0, 1.0]), step, np.tile(base, (3, 1)))


@cache
def laws(heavy: bool) -> tuple[TrajectoryLaws, float]:
    """Actions: usual and safe, rare and safe, violating. The task wants the last two."""
    if heavy:  # a rare safe path with 120 times the weight carries much of the answer
        rare, violating, ratios = 1.0 / (COUNT_HEAVY * 120.0), 1e-4, (120.0, 1.0)
    else:
        rare, violating, ratios = 0.002, 0.01, (3.0, 4.0)
    base = np.array([1.0 - rare - violating, rare, violating])
    task = np.array([0.0, rare * ratios[0], violating * ratios[1]])
    task[0] = 1.0 - task.sum()
    found = trajectory_laws(bandit(base), lambda now, state, spent: task, 1)
    return found, float(found.q[found.violated].sum())


COUNT_HEAVY = 2_000


def drawn(heavy: bool, limited: bool, rng: np.random.Generator) -> Trial:
    paths, truth = laws(heavy)
    rows = rng.choice(len(paths.p), COUNT_HEAVY if heavy else COUNT, p=paths.p / paths.p.sum())
    limit = float(paths.log_ratio.max()) if limited else None
    ratios, flags = paths.log_ratio[rows], paths.violated[rows]
    return Trial(off_policy_bound(ratios, flags, BETA, log_ratio_limit=limit).bound, truth)


STATES = 400


def memorised(rng: np.random.Generator) -> Trial:
    """A policy that takes what was seen to be safe in each of many states, on these scenarios.

    Two even actions in each state, either violating by chance with probability 0.05: what was seen
    says nothing, and what the policy does is as risky as the base.
    """
    risk, limit = 0.05, math.log(2.0)
    state = rng.integers(STATES, size=COUNT)
    action = rng.integers(2, size=COUNT)
    violated = rng.random(COUNT) < risk
    score = np.zeros((STATES, 2))
    np.add.at(score, (state, action), np.where(violated, -1.0, 1.0))
    better = score[state, action] - score[state, 1 - action]
    ratios = np.where(better > 0.0, limit, np.where(better < 0.0, -math.inf, 0.0))
    return Trial(off_policy_bound(ratios, violated, BETA, log_ratio_limit=limit).bound, risk)


@calibrates(
    "off-policy", 8,
    problem="N = 500; four times the violations, P(viol) = 0.01; a rare path of ratio 3",
    control="the policy was fitted to the scenarios that judge it",
)  # fmt: skip
def off_policy(rng: np.random.Generator, wrong: bool) -> Trial:
    return memorised(rng) if wrong else drawn(heavy=False, limited=False, rng=rng)


@calibrates(
    "off-policy with a limit", 8,
    problem="the same, with L ≤ 4 known",
    control="the policy was fitted to the scenarios that judge it",
)  # fmt: skip
def off_policy_limited(rng: np.random.Generator, wrong: bool) -> Trial:
    return memorised(rng) if wrong else drawn(heavy=False, limited=True, rng=rng)


@calibrates(
    "off-policy, heavy weights", 8,
    problem="N = 2,000; a safe path of ratio 120 is seen in one data set of 120",
    control="the policy was fitted to the scenarios that judge it",
)  # fmt: skip
def off_policy_heavy(rng: np.random.Generator, wrong: bool) -> Trial:
    return memorised(rng) if wrong else drawn(heavy=True, limited=True, rng=rng)
