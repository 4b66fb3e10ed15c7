"""Gauss–Rényi and mean shift: T Gaussian actions, and the event that is worst for them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2

from benchmarks.calibrated.registry import Trial, calibrates
from benchmarks.calibrated.worlds import counted, tightest
from sport_ray.bounds.gauss_renyi import gauss_renyi_path_bound
from sport_ray.constraints import Evidence
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from tests.exact_mdp import shift_worst, shrink_worst

COUNT, STEPS, EPS_MAX, SHIFT_EPS_MAX = 1_000, 21, 0.05, 0.3


@cache
def renyi(violations: int, steps: int) -> tuple[GaussRenyiConstraint, float]:
    """The constraint for ε_max after so many violations, and its bound."""
    evidence = counted(COUNT, violations, steps)
    constraint = GaussRenyiConstraint.for_target(evidence, max(EPS_MAX, evidence.eps_base))
    return constraint, constraint.prior_bound(evidence)


@cache
def ball() -> float:
    def holds(k: int, p: float) -> bool:
        constraint, bound = renyi(k, STEPS)
        return bound >= shrink_worst(p, constraint.alpha, STEPS)

    return tightest(COUNT, holds, most=5, highest=0.5)


@calibrates(
    "Gauss–Rényi", 4,
    problem="N = 1,000, α for ε_max = 0.05 at T = 21; all stds shrink by α, the event is a ball",
    control="half of the steps are not paid for",
)  # fmt: skip
def gauss_renyi(rng: np.random.Generator, wrong: bool) -> Trial:
    radius = chi2.ppf(ball(), STEPS)
    actions = rng.standard_normal((COUNT, STEPS))
    violations = int(((actions**2).sum(axis=1) <= radius).sum())
    constraint, bound = renyi(violations, STEPS // 2 if wrong else STEPS)
    return Trial(bound, shrink_worst(ball(), constraint.alpha, STEPS))


LOG_RATIOS = (0.3, 0.2, 0.1) * 7
"""A schedule fixed in advance, nats. Its worst event at each size of ratio is a ball again."""


def scheduled(violations: int, log_ratios: tuple[float, ...]) -> float:
    return gauss_renyi_path_bound(counted(COUNT, violations, STEPS).eps_base, log_ratios)


@cache
def scheduled_worst(p: float) -> float:
    """Of the balls in the actions of the largest ratio alone, whose number is a third of T."""
    return shrink_worst(p, math.exp(LOG_RATIOS[0]), STEPS // 3)


@cache
def scheduled_ball() -> float:
    def holds(k: int, p: float) -> bool:
        return scheduled(k, LOG_RATIOS) >= scheduled_worst(p)

    return tightest(COUNT, holds, most=5, highest=0.5)


@calibrates(
    "Gauss–Rényi, a schedule", 4,
    problem="N = 1,000, log ratios of 0.3, 0.2 and 0.1 in turn at T = 21; a ball in the first kind",
    control="the mean of the ratios is paid for, at a third of the steps",
)  # fmt: skip
def schedule(rng: np.random.Generator, wrong: bool) -> Trial:
    actions = rng.standard_normal((COUNT, STEPS // 3))
    radius = chi2.ppf(scheduled_ball(), STEPS // 3)
    violations = int(((actions**2).sum(axis=1) <= radius).sum())
    paid = (sum(LOG_RATIOS) / STEPS,) * (STEPS // 3) if wrong else LOG_RATIOS
    return Trial(scheduled(violations, paid), scheduled_worst(scheduled_ball()))


def shift(evidence: Evidence) -> MeanShiftBudget:
    return MeanShiftBudget.for_target(evidence, max(SHIFT_EPS_MAX, evidence.eps_base))


@cache
def half_space() -> float:
    def holds(k: int, p: float) -> bool:
        evidence = counted(COUNT, k, STEPS)
        budget = shift(evidence)
        return budget.prior_bound(evidence) >= shift_worst(p, math.sqrt(budget.total))

    return tightest(COUNT, holds, most=5, highest=0.5)


@calibrates(
    "Gaussian trade-off (mean shift)", 6,
    problem="N = 1,000, μ for ε_max = 0.3; 21 equal shifts of μ² in all; a half space",
    control="each step may spend a tenth of μ², and there are 21",
)  # fmt: skip
def mean_shift(rng: np.random.Generator, wrong: bool) -> Trial:
    actions = rng.standard_normal((COUNT, STEPS))
    violations = int((actions.sum(axis=1) / math.sqrt(STEPS) <= ndtri(half_space())).sum())
    evidence = counted(COUNT, violations, STEPS)
    budget = shift(evidence)
    spent = budget.total * (STEPS / 10.0 if wrong else 1.0)
    return Trial(budget.prior_bound(evidence), shift_worst(half_space(), math.sqrt(spent)))
