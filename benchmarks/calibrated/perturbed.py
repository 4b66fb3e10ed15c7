"""A world with other starts and other noise than the certified one."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import ndtr

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import certificate_of, chosen, scenarios, tightest
from sport_ray.bounds import gaussian_max_ratio, ratio_bound, scenario_bound
from sport_ray.certificates.promise import promised
from sport_ray.constraints import RatioConstraint
from tests.exact_mdp import GOAL, HAZARD, TabularMdp

COUNT, STEPS, ALPHA = 10_000, 2, 1.5
STD, STD_THERE, NEAR = 0.1, 0.08, 0.0126
ALPHA_MU = 1.3


def gusts(share: float, std: float) -> TabularMdp:
    """Action 1 goes on where a gust N(0, std²) is smaller than NEAR, else to the goal; two steps.

    ``share`` of the episodes start where they can violate, the others at the goal.
    """
    calm = float(2.0 * ndtr(NEAR / std) - 1.0)
    step, base = np.zeros((4, 2, 4)), np.full((4, 2), 0.5)
    step[:2] = np.eye(4)[:2, None]
    for place, onwards in ((2, 3), (3, HAZARD)):
        step[place, 0, GOAL] = 1.0
        step[place, 1, onwards], step[place, 1, GOAL] = calm, 1.0 - calm
    return TabularMdp(np.array([1.0 - share, 0.0, share, 0.0]), step, base)


def elsewhere(share: float) -> float:
    """The worst policy's violation probability in the perturbed world."""
    return gusts(ALPHA_MU * share, STD_THERE).worst_violation(ALPHA, STEPS)


@cache
def alpha_p() -> float:
    return gaussian_max_ratio(0.0, STD_THERE, 0.0, STD)


@cache
def share() -> float:
    """How many episodes start where they can violate, so that the chain fails most often."""
    whole = gusts(1.0, STD)
    calm = whole.violation(whole.base, STEPS)
    most = 1.0 / ALPHA_MU

    def holds(violations: int, p: float) -> bool:
        eps_base = scenario_bound(COUNT, violations, BETA)
        bound = ratio_bound(eps_base, ALPHA, STEPS, alpha_mu=ALPHA_MU, alpha_p=alpha_p())
        return bound >= elsewhere(min(p / calm, most))

    return tightest(COUNT, holds, highest=most * calm) / calm


@calibrates(
    "ratio in a perturbed world", 3,
    problem="N = 10,000, α = 1.5, T = 2; starts of 1.3, noise of 1.25; the worst policy there",
    control="the promise of the certified world, as if it were this one",
)  # fmt: skip
def perturbed(rng: np.random.Generator, wrong: bool) -> Trial:
    mdp = gusts(share(), STD)
    table = scenarios(mdp, mdp.base, STEPS, COUNT, rng)
    certificate = certificate_of(table, STEPS, choice=chosen(STEPS, STEPS))
    ratios = (1.0, 1.0) if wrong else (ALPHA_MU, alpha_p())
    bound = promised(certificate, RatioConstraint(ALPHA), STEPS, *ratios)
    return Trial(bound, elsewhere(share()))
