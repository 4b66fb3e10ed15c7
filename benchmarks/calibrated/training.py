"""Certified training: how many of its episodes violate, against what was promised beforehand.

Here what is bounded is a number of violations, and the truth is the number that happened.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import even_corridor
from sport_ray.bounds import (
    anytime_violations_bound,
    expected_violations,
    ratio_bound,
    scenario_lower_bound,
    total_violations_bound,
    violations_bound,
)
from tests.exact_mdp import TabularMdp

ALPHA, STEPS, EPISODES, LONG = 1.2, 3, 500, 2_000


@cache
def world(count: int, episodes: int) -> tuple[TabularMdp, float, float]:
    """Its worst policy violates ``count`` times or more with a probability of just below β.

    The problem, what is promised of an episode, and the worst policy's risk, which is as much.
    """
    risk = scenario_lower_bound(episodes, count, BETA) * (1.0 - 1e-7)
    mdp = even_corridor(risk / ALPHA**STEPS, STEPS)
    promised = ratio_bound(mdp.violation(mdp.base, STEPS), ALPHA, STEPS)
    return mdp, promised, mdp.worst_violation(ALPHA, STEPS)


def trained(episodes: int, risk: float, rng: np.random.Generator) -> np.ndarray:
    """Verdicts (episodes,) of a training that does its worst in every one."""
    return rng.random(episodes) < risk


@calibrates(
    "training violations", 13,
    problem="α = 1.2, T = 3, 500 episodes, each at its worst; one more than promised: just below β",
    control="the expected number as if it were a limit",
)  # fmt: skip
def fixed(rng: np.random.Generator, wrong: bool) -> Trial:
    _, promised, risk = world(21, EPISODES)
    bound = (
        expected_violations(promised, EPISODES)
        if wrong
        else violations_bound(promised, EPISODES, BETA)
    )
    return Trial(float(bound), float(trained(EPISODES, risk, rng).sum()))


@cache
def curve(wrong: bool) -> np.ndarray:
    """The promise for the first M = 1 … of the episodes."""
    _, promised, _ = world(60, LONG)
    bound = violations_bound if wrong else anytime_violations_bound
    return np.array([bound(promised, most, BETA) for most in range(1, LONG + 1)])


@calibrates(
    "training violations, at any time", 13,
    problem="the same over 2,000 episodes; the moment at which most is above its promise",
    control="the promise for a fixed number of episodes, at every one",
)  # fmt: skip
def any_time(rng: np.random.Generator, wrong: bool) -> Trial:
    _, _, risk = world(60, LONG)
    counts = trained(LONG, risk, rng).cumsum()
    if not counts[-1]:
        return Trial(float(curve(wrong)[-1]), 0.0)
    ratios = np.where(counts > 0, curve(wrong) / np.maximum(counts, 1), np.inf)
    worst = int(ratios.argmin())
    return Trial(float(curve(wrong)[worst]), float(counts[worst]))


RUNS = 10


@cache
def runs() -> list[tuple[float, int]]:
    """(p_j, M_j) of ten runs that share the world's risk unevenly: half of them a tenth more."""
    _, promised, _ = world(21, EPISODES)
    return [(promised * (1.1 if j % 2 else 0.9), EPISODES // RUNS) for j in range(RUNS)]


@calibrates(
    "training violations, of several runs", 13,
    problem="ten runs of 50 episodes, half of them a tenth riskier; their sum",
    control="each run at β, and the one that is most above its promise",
)  # fmt: skip
def together(rng: np.random.Generator, wrong: bool) -> Trial:
    counts = [int(trained(episodes, risk, rng).sum()) for risk, episodes in runs()]
    if not wrong:
        return Trial(float(total_violations_bound(runs(), BETA)), float(sum(counts)))
    bounds = [violations_bound(risk, episodes, BETA) for risk, episodes in runs()]
    worst = max(range(RUNS), key=lambda j: counts[j] - bounds[j])
    return Trial(float(bounds[worst]), float(counts[worst]))
