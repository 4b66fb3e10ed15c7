"""Scenario bounds: at one T, at all T at once, for what was chosen elsewhere, and from below."""

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
from sport_ray.bounds import scenario_bound, scenario_lower_bound
from sport_ray.certificates.choice import choose_horizon
from tests.exact_mdp import TabularMdp, first_to_finish, late_hazard

COUNT = 200
STEPS = 3


@cache
def plain() -> tuple[TabularMdp, float]:
    mdp = even_corridor(scenario_bound(COUNT, 5, BETA) * (1.0 + 1e-9), STEPS)
    return mdp, mdp.violation(mdp.base, STEPS)


@calibrates(
    "scenario", 1,
    problem="N = 200 in a corridor of 3 steps; P(viol) just above the bound of k = 5",
    control="the first 200 of 64 slots to finish; half of all violate, all of them late",
)  # fmt: skip
def scenario(rng: np.random.Generator, wrong: bool) -> Trial:
    if wrong:
        late, horizon = late_hazard(0.5, wait=18), 20
        seen = first_to_finish(late, horizon, 64, COUNT, rng)
        bound = scenario_bound(COUNT, int(seen.sum()), BETA)
        return Trial(bound, late.violation(late.base, horizon))
    mdp, truth = plain()
    return Trial(certify(mdp, STEPS, COUNT, rng).eps_base, truth)


HORIZONS, LONG_COUNT = 6, 1000


@cache
def many_horizons() -> tuple[TabularMdp, list[float]]:
    """P(viol within T) falls fast, so that what fails at one T says little of the others."""
    each, counts = BETA / HORIZONS, [600, 250, 100, 38, 13, 3]
    survival = [scenario_bound(LONG_COUNT, k, each) * (1.0 + 1e-9) for k in counts]
    mdp = corridor(survival)
    return mdp, [mdp.violation(mdp.base, t + 1) for t in range(HORIZONS)]


@calibrates(
    "scenario, all T at once", 1,
    problem="N = 1,000, 6 horizons, P(viol) just above a bound at each; the T that is worst",
    control="each T at β, not β/6",
)  # fmt: skip
def simultaneous(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp, truths = many_horizons()
    certificate = certificate_of(scenarios(mdp, mdp.base, HORIZONS, LONG_COUNT, rng), HORIZONS)
    table = certificate.table
    bounds = table.eps_base if wrong else [certificate.eps_base(t + 1) for t in range(HORIZONS)]
    worst = min(range(HORIZONS), key=lambda t: bounds[t] / truths[t])
    return Trial(bounds[worst], truths[worst])


BASES, CHOICE_COUNT, EPS_MAX = 8, 200, 0.7


@cache
def bases() -> tuple[TabularMdp, list[float]]:
    """At each T just above the bound, at β itself, of some k."""
    survival = [scenario_bound(COUNT, k, BETA) * (1.0 + 1e-9) for k in (100, 60, 30, 12)]
    mdp = corridor(survival)
    return mdp, [mdp.violation(mdp.base, t + 1) for t in range(4)]


@calibrates(
    "scenario, T and base chosen elsewhere", 1,
    problem="8 bases and 4 horizons; the best α of 200 other scenarios each, then N = 200",
    control="certified on the scenarios that it was chosen on",
)  # fmt: skip
def choice(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp, truths = bases()
    best, value, looked_at = 1, -1.0, None
    for _ in range(BASES):  # equal in truth, which nobody knows
        table = scenarios(mdp, mdp.base, 4, CHOICE_COUNT, rng)
        horizon, log_alpha = choose_horizon([table], 4, BETA, EPS_MAX)
        if log_alpha is not None and log_alpha > value:
            best, value, looked_at = horizon, log_alpha, table
    if looked_at is None:
        return Trial(None, truths[0])
    fresh = looked_at if wrong else scenarios(mdp, mdp.base, 4, COUNT, rng)
    certificate = certificate_of(fresh, 4, choice=chosen(best, 4, EPS_MAX))
    return Trial(certificate.eps_base(best), truths[best - 1])


@cache
def from_below() -> tuple[TabularMdp, float]:
    """Just below the lower bound of k = 20."""
    mdp = even_corridor(scenario_lower_bound(COUNT, 20, BETA) * (1.0 - 1e-9), STEPS)
    return mdp, mdp.violation(mdp.base, STEPS)


@calibrates(
    "lower bound (refutation)", 1,
    problem="a promise that is exactly true; N = 200 fresh scenarios of the policy",
    control="a look after every 10 scenarios, each at β, and the highest of them",
    side="below",
)  # fmt: skip
def refutation(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp, truth = from_below()
    flags = ~scenarios(mdp, mdp.base, STEPS, COUNT, rng).satisfied_by(STEPS)
    looks = range(10, COUNT + 1, 10) if wrong else (COUNT,)
    lower = max(scenario_lower_bound(n, int(flags[:n].sum()), BETA) for n in looks)
    return Trial(lower, truth)
