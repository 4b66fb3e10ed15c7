"""The limit chosen from the base's scenarios: a list written down before, tested in its order."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from benchmarks.calibrated.off_policy import bandit, memorised
from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.selection import malice
from sport_ray.bounds import beta_for_counts, limit_choice, scenario_bound
from sport_ray.bounds.limit_choice import largest_count
from sport_ray.bounds.off_policy import off_policy_bound
from tests.exact_mdp import TrajectoryLaws, selection_laws, trajectory_laws

COUNT, RARE, VIOLATING = 500, 0.002, 0.01
LIST = (1.5, 2.5, 4.0, 5.0, 6.0, 8.0)
"""How much likelier violations become under each policy: its limit, too."""
EPS_MAX = VIOLATING * LIST[2] * (1.0 - 1e-9)
"""So the third policy is the first that is bad, by as little as can be."""


@cache
def policies() -> tuple[list[TrajectoryLaws], list[float]]:
    """Their laws over the same trajectories, and their violation probabilities."""
    base = np.array([1.0 - RARE - VIOLATING, RARE, VIOLATING])
    mdp, laws = bandit(base), []
    for ratio in LIST:
        rare = RARE * min(3.0, ratio)
        task = np.array([1.0 - rare - VIOLATING * ratio, rare, VIOLATING * ratio])
        laws.append(trajectory_laws(mdp, lambda now, state, spent, task=task: task, 1))
    return laws, [float(law.q[law.violated].sum()) for law in laws]


@calibrates(
    "limit from base scenarios", 12,
    problem="six policies in order, N = 500; the third is just worse than ε_max = 0.04",
    control="the list was written after the scenarios were seen",
)  # fmt: skip
def limit(rng: np.random.Generator, wrong: bool) -> Trial:
    if wrong:
        fitted = memorised(rng)
        passed = limit_choice([fitted.bound], EPS_MAX)
        return Trial(EPS_MAX if passed else None, fitted.truth)
    return picked(*policies(), LIST, BETA, rng, COUNT)


def picked(
    laws: list[TrajectoryLaws],
    truths: list[float],
    limits: tuple[float, ...],
    beta: float,
    rng: np.random.Generator,
    count: int,
    eps_max: float = EPS_MAX,
) -> Trial:
    """The last of the list that passes on ``count`` scenarios of the base."""
    rows = rng.choice(len(laws[0].p), count, p=laws[0].p / laws[0].p.sum())
    return tested(rows, laws, truths, limits, beta, eps_max)


def tested(
    rows: np.ndarray,
    laws: list[TrajectoryLaws],
    truths: list[float],
    limits: tuple[float, ...],
    beta: float,
    eps_max: float,
) -> Trial:
    bounds = (
        off_policy_bound(
            law.log_ratio[rows], law.violated[rows], beta, log_ratio_limit=math.log(limit)
        ).bound
        for law, limit in zip(laws, limits, strict=True)
    )
    passed = limit_choice(bounds, eps_max)
    return Trial(eps_max, truths[passed - 1]) if passed else Trial(None, truths[0])


CAPS = (1.2, 1.4, 1.6, 1.8, 1.99)
"""Limits of a choice between two candidates, which cannot be above 2."""


@cache
def choices() -> tuple[list[TrajectoryLaws], list[float]]:
    """The laws of candidates and index, and violation probabilities of what is executed."""
    mdp = bandit(np.array([1.0 - RARE - VIOLATING, RARE, VIOLATING]))
    found = [
        selection_laws(
            mdp,
            lambda drawn, state, candidates, spent, cap=cap: malice(candidates, math.log(cap)),
            1,
            2,
        )
        for cap in CAPS
    ]
    executed = [one.executed for one in found]
    return [one.drawn for one in found], [float(law.q[law.violated].sum()) for law in executed]


@calibrates(
    "limit from base scenarios, selection", 12,
    problem="five caps on a choice of two candidates, N = 20,000; the third is just too much",
    control="the score was fitted to the scenarios that test it",
)  # fmt: skip
def selection_limit(rng: np.random.Generator, wrong: bool) -> Trial:
    if wrong:
        return limit(rng, wrong=True)
    laws, truths = choices()
    return picked(laws, truths, CAPS, BETA, rng, 20_000, truths[2] * (1.0 - 1e-9))


OWN, OWN_EPS_MAX = 2_000, 0.06
FACTORS = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
"""How far beyond the prior limit the list goes, whatever the certificate found."""


@cache
def beyond(violations: int) -> tuple[list[TrajectoryLaws], list[float], tuple[float, ...]]:
    """The list that follows from the certificate's count, and from nothing else of it."""
    prior = OWN_EPS_MAX / scenario_bound(OWN, violations, BETA)
    limits = tuple(prior * factor for factor in FACTORS)
    base = np.array([1.0 - RARE - VIOLATING, RARE, VIOLATING])
    laws = []
    for ratio in limits:
        task = np.array([1.0 - VIOLATING * ratio, 0.0, VIOLATING * ratio])
        laws.append(trajectory_laws(bandit(base), lambda now, at, spent, task=task: task, 1))
    return laws, [VIOLATING * ratio for ratio in limits], limits


@calibrates(
    "limit from the certificate's scenarios", 12,
    problem="N = 2,000; limits of 1 to 2 times the prior one for ε_max = 0.06, on the same N",
    control="the list follows from which scenarios violated, not from how many",
)  # fmt: skip
def own_limit(rng: np.random.Generator, wrong: bool) -> Trial:
    if wrong:
        return limit(rng, wrong=True)
    base = beyond(1)[0][0]
    rows = rng.choice(len(base.p), OWN, p=base.p / base.p.sum())
    violations = int(base.violated[rows].sum())
    most = largest_count(OWN, BETA, OWN_EPS_MAX)
    if violations > most:
        return Trial(None, 0.0)
    laws, truths, limits = beyond(violations)
    return tested(rows, laws, truths, limits, beta_for_counts(BETA, most), OWN_EPS_MAX)
