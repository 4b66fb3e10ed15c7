"""The posterior bound: certify, derive α, pick a policy within it, test it in fresh scenarios."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import certify, even_corridor, scenarios
from sport_ray.bounds import scenario_bound
from sport_ray.constraints import RatioConstraint
from tests.exact_mdp import TabularMdp

COUNT, TESTED, STEPS, EPS_MAX = 300, 200, 4, 0.3


@cache
def world() -> TabularMdp:
    return even_corridor(0.02, STEPS)


@calibrates(
    "posterior", 1,
    problem="the policy within α whose truth is just above the bound of k = 5 in N = 200 tests",
    control="the best of ten policies, at β as if it were the only one",
)  # fmt: skip
def posterior(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp = world()
    evidence = certify(mdp, STEPS, COUNT, rng)
    constraint = RatioConstraint.for_target(evidence, EPS_MAX)
    wanted = scenario_bound(TESTED, 5, BETA) * (1.0 + 1e-9) / 0.02
    ratio = min(wanted ** (1.0 / STEPS), constraint.alpha)
    policy = mdp.base.copy()
    policy[2:, 1] *= ratio
    policy[2:, 0] = 1.0 - policy[2:, 1]
    bounds = [
        scenario_bound(
            TESTED, scenarios(mdp, policy, STEPS, TESTED, rng).num_violations(STEPS), BETA
        )
        for _ in range(10 if wrong else 1)
    ]
    return Trial(min(bounds), mdp.violation(policy, STEPS))
