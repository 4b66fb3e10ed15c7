"""Selection: candidates of the base, and an index that wants what violates."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np

from benchmarks.calibrated.registry import Trial, calibrates
from benchmarks.calibrated.worlds import certify, counted, even_corridor, tightest
from sport_ray.constraints import Evidence, RatioConstraint
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.families import Categorical
from tests.exact_mdp import Array, Choice, selection_laws

COUNT, STEPS, CANDIDATES, EPS_MAX = 1_000, 2, 2, 0.02


def malice(candidates: tuple[int, ...], limit: float) -> Array:
    """The project's projection of 'take one that goes on' onto ratios of at most e^limit."""
    worst = max(candidates)
    weights = np.array([[0.0 if one == worst else -50.0 for one in candidates]])
    uniform = Categorical.uniform(1, len(candidates))
    found: Array = Categorical.of_log_weights(weights).projected(uniform, limit).arrays()[0][0]
    return found


def truth_of(p: float, choice: Choice) -> float:
    executed = selection_laws(even_corridor(p, STEPS), choice, STEPS, CANDIDATES).executed
    return float(executed.q[executed.violated].sum())


@lru_cache(maxsize=4096)
def with_ratio(p: float, log_alpha: float) -> float:
    return truth_of(p, lambda drawn, state, candidates, spent: malice(candidates, log_alpha))


@lru_cache(maxsize=4096)
def with_budget(p: float, budget: PathwiseBudget) -> float:
    def choice(drawn: object, state: int, candidates: tuple[int, ...], spent: float) -> Array:
        left = budget.start(1)
        if spent > -math.inf:
            left = budget.spend(left, np.array([spent]))
        return malice(candidates, float(budget.limits(left)[0]))

    return truth_of(p, choice)


def ratio_for(evidence: Evidence) -> RatioConstraint:
    return RatioConstraint.for_target(evidence, max(EPS_MAX, evidence.eps_base))


def budget_for(evidence: Evidence) -> PathwiseBudget:
    return PathwiseBudget.for_target(evidence, max(EPS_MAX, evidence.eps_base), trained=True)


def hardest(promise: Callable[[Evidence, float], Trial]) -> float:
    def holds(k: int, p: float) -> bool:
        trial = promise(counted(COUNT, k, STEPS), p)
        return trial.bound is not None and trial.bound >= trial.truth

    return tightest(COUNT, holds, most=5, highest=0.05)


def promise_ratio(evidence: Evidence, p: float) -> Trial:
    constraint = ratio_for(evidence)
    return Trial(constraint.prior_bound(evidence), with_ratio(p, constraint.log_alpha))


def promise_budget(evidence: Evidence, p: float) -> Trial:
    budget = budget_for(evidence)
    return Trial(budget.prior_bound(evidence), with_budget(p, budget))


@cache
def ratio_world() -> float:
    return hardest(promise_ratio)


@cache
def budget_world() -> float:
    return hardest(promise_budget)


@calibrates(
    "selection, constant ratio", 9,
    problem="N = 1,000, α for ε_max = 0.02, T = 2, two candidates; the worse one within α",
    control="the cap is α for each place, not α/M",
)  # fmt: skip
def constant(rng: np.random.Generator, wrong: bool) -> Trial:
    p = ratio_world()
    evidence = certify(even_corridor(p, STEPS), STEPS, COUNT, rng)
    if not wrong:
        return promise_ratio(evidence, p)
    constraint = ratio_for(evidence)
    return Trial(
        constraint.prior_bound(evidence), with_ratio(p, math.log(CANDIDATES * constraint.alpha))
    )


@calibrates(
    "selection, budget", 9,
    problem="the same with B for ε_max: all that is left on the worse candidate",
    control="charges are log p_J, not log M p_J: each step gets log 2 for nothing",
)  # fmt: skip
def budget(rng: np.random.Generator, wrong: bool) -> Trial:
    p = budget_world()
    evidence = certify(even_corridor(p, STEPS), STEPS, COUNT, rng)
    if not wrong:
        return promise_budget(evidence, p)
    promised = budget_for(evidence)
    free = PathwiseBudget(log_budget=promised.log_budget + STEPS * math.log(CANDIDATES), rule="all")
    return Trial(promised.prior_bound(evidence), with_budget(p, free))
