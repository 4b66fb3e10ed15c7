"""The ratio bound: from the certificate to an α, and to the worst policy within it.

The policy is picked after the certificate, at its worst: a prior bound holds for every policy.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import (
    certificate_of,
    certify,
    chosen,
    corridor,
    even_corridor,
    scenarios,
)
from sport_ray.bounds import scenario_bound
from sport_ray.constraints import RatioConstraint
from tests.exact_mdp import TabularMdp

COUNT, STEPS, EPS_MAX = 300, 4, 0.3


@cache
def world() -> TabularMdp:
    return even_corridor(scenario_bound(COUNT, 5, BETA) * (1.0 + 1e-9), STEPS)


@calibrates(
    "ratio", 3,
    problem="N = 300, α for ε_max = 0.3 at T = 4; the worst policy within it",
    control="the α of 3 steps played for 4",
)  # fmt: skip
def ratio(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp = world()
    evidence = certify(mdp, STEPS, COUNT, rng)
    constraint = RatioConstraint.for_target(evidence, EPS_MAX)
    alpha = constraint.alpha ** (STEPS / (STEPS - 1.0)) if wrong else constraint.alpha
    return Trial(constraint.prior_bound(evidence), mdp.worst_violation(alpha, STEPS))


HORIZONS, LONG_COUNT = 4, 1000


@cache
def many_horizons() -> TabularMdp:
    each, counts = BETA / HORIZONS, [260, 90, 30, 8]
    survival = [scenario_bound(LONG_COUNT, k, each) * (1.0 + 1e-9) for k in counts]
    return corridor(survival)


@calibrates(
    "ratio, T picked after looking", 3,
    problem="N = 1,000 at 4 horizons together, α for ε_max = 0.5 at each; the T that is worst",
    control="T picked by looking at bounds for one T",
)  # fmt: skip
def picked(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp = many_horizons()
    table = scenarios(mdp, mdp.base, HORIZONS, LONG_COUNT, rng)
    trials = []
    for horizon in range(1, HORIZONS + 1):
        choice = chosen(horizon, HORIZONS) if wrong else None
        evidence = certificate_of(table, HORIZONS, choice=choice).evidence(horizon)
        constraint = RatioConstraint.for_target(evidence, 0.5)
        truth = mdp.worst_violation(constraint.alpha, horizon)
        trials.append(Trial(constraint.prior_bound(evidence), truth))
    return min(trials, key=lambda trial: (trial.bound or 0.0) / trial.truth)
