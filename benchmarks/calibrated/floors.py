"""The two-point bound: the law of ratios that attains it, and the event that is worst for it."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import certify
from sport_ray.bounds import scenario_bound
from sport_ray.constraints.two_point import TwoPointConstraint
from tests.exact_mdp import GOAL, HAZARD, TabularMdp

COUNT, STEPS = 300, 5
LIMITS = TwoPointConstraint(alpha=1.5, kappa=0.7)
RARE = (1.0 - LIMITS.kappa) / (LIMITS.alpha - LIMITS.kappa)
"""How often the base takes action 1: so often that ratios of α and κ make a law."""


def counting(p: float) -> TabularMdp:
    """P(viol) = p: action 1 at every step, or at all but one of them after a start of one kind."""
    every, but_one = (float(stats.binom.pmf(n, STEPS, RARE)) for n in (STEPS, STEPS - 1))
    kind = (p - every) / but_one
    places = [(u, t, n) for u in (0, 1) for t in range(STEPS) for n in range(t + 1)]
    number = {place: 2 + i for i, place in enumerate(places)}
    size = 2 + len(places)
    step, start = np.zeros((size, 2, size)), np.zeros(size)
    step[:2] = np.eye(size)[:2, None]
    for (u, t, n), here in number.items():
        for action in (0, 1):
            taken = n + action
            lost = HAZARD if taken >= STEPS - u else GOAL
            step[here, action, number[u, t + 1, taken] if t + 1 < STEPS else lost] = 1.0
    start[number[0, 0, 0]], start[number[1, 0, 0]] = 1.0 - kind, kind
    return TabularMdp(start, step, np.tile([1.0 - RARE, RARE], (size, 1)))


@cache
def world() -> TabularMdp:
    return counting(scenario_bound(COUNT, 5, BETA) * (1.0 + 1e-9))


@calibrates(
    "two-point (floors)", 10,
    problem="N = 300, ratios in [0.7, 1.5], T = 5; the law on both ends, its largest products",
    control="a floor of 0.85 is promised, and 0.7 is kept",
)  # fmt: skip
def two_point(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp = world()
    limits = TwoPointConstraint(alpha=LIMITS.alpha, kappa=0.85) if wrong else LIMITS
    bound = limits.prior_bound(certify(mdp, STEPS, COUNT, rng))
    tilted = mdp.base * [LIMITS.kappa, LIMITS.alpha]
    return Trial(bound, mdp.violation(tilted, STEPS))
