"""Random budgets: the best mixture for ε_max, and the worst policy under each of its parts."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import certify, even_corridor
from sport_ray.bounds import best_mixture, mixture_bound, pathwise_bound, scenario_bound
from tests.exact_mdp import TabularMdp

COUNT, STEPS, EPS_MAX = 300, 3, 0.4
BUDGETS = (0.0, 0.5, 1.0, 2.0, 3.0)
WORLD: TabularMdp = even_corridor(scenario_bound(COUNT, 5, BETA) * (1.0 + 1e-9), STEPS)


@calibrates(
    "random budgets", 15,
    problem="N = 300; the best mixture of five budgets and none at all, for ε_max = 0.4",
    control="the mean of the budgets is promised, e^(Σ w B) ε, not the mean of the promises",
)  # fmt: skip
def mixture(rng: np.random.Generator, wrong: bool) -> Trial:
    eps_base = certify(WORLD, STEPS, COUNT, rng).eps_base
    bounds = [pathwise_bound(eps_base, budget) for budget in BUDGETS] + [math.inf]
    gains = [math.sqrt(budget) for budget in BUDGETS] + [2.0]
    weights = best_mixture(list(zip(bounds, gains, strict=True)), EPS_MAX)
    p = WORLD.violation(WORLD.base, STEPS)
    # A corridor's policy spends its whole budget on violating: e^B p, as a probability.
    truths = [min(1.0, math.exp(budget) * p) for budget in BUDGETS] + [1.0]
    truth = float(np.dot(weights, truths))
    if wrong:
        mean = float(np.dot(weights[:-1], BUDGETS))
        return Trial(min(pathwise_bound(eps_base, mean), 1.0), truth)
    return Trial(mixture_bound(weights, bounds), truth)
