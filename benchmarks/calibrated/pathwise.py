"""The pathwise budget: everything that is left is spent on whatever violates."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np

from benchmarks.calibrated.registry import Trial, calibrates
from benchmarks.calibrated.worlds import certify, counted, even_corridor, tightest
from sport_ray.constraints import Evidence
from sport_ray.constraints.pathwise import PathwiseBudget
from tests.exact_mdp import Array, TabularMdp, keep_ratio, trajectory_laws

COUNT, EPS_MAX = 300, 0.3


def fork(p: float) -> TabularMdp:
    """Two even actions lead on, then come two steps of a corridor; P(viol) = p.

    The policy gives up half of the one (a refund) for half as much again of the other.
    """
    narrow = even_corridor(p, 2)
    size = len(narrow.start) + 1
    step, base = np.zeros((size, 2, size)), np.full((size, 2), 0.5)
    step[:-1, :, :-1], base[:-1] = narrow.step, narrow.base
    step[-1, :, 2] = 1.0
    return TabularMdp(np.eye(size)[-1], step, base)


@lru_cache(maxsize=4096)
def spent_to_the_end(p: float, budget: PathwiseBudget, refilled: bool) -> float:
    """Q(viol) of the policy that spends all that is left on whatever goes on."""
    mdp = fork(p)

    def rule(now: int, state: int, spent: float) -> Array:
        if now == 0:
            return np.array([0.25, 0.75])
        left = budget.start(1)
        if not refilled:
            left = budget.spend(left, np.array([spent]))
        limit = math.exp(float(budget.limits(left)[0]))
        return keep_ratio(mdp.base[state], np.array([0.0, 1.0]), limit)

    laws = trajectory_laws(mdp, rule, 3)
    return float(laws.q[laws.violated].sum())


def budget_for(evidence: Evidence) -> PathwiseBudget:
    return PathwiseBudget.for_target(evidence, EPS_MAX, trained=True)


@cache
def spending_world() -> float:
    def holds(k: int, p: float) -> bool:
        evidence = counted(COUNT, k, 3)
        budget = budget_for(evidence)
        return budget.prior_bound(evidence) >= spent_to_the_end(p, budget, refilled=False)

    return tightest(COUNT, holds, most=5)


@calibrates(
    "pathwise budget", 5,
    problem="N = 300, B for ε_max = 0.3; a refund, then all that is left at each step",
    control="the budget is full again at every step",
)  # fmt: skip
def pathwise(rng: np.random.Generator, wrong: bool) -> Trial:
    p = spending_world()
    evidence = certify(fork(p), 3, COUNT, rng)
    budget = budget_for(evidence)
    return Trial(budget.prior_bound(evidence), spent_to_the_end(p, budget, wrong))
