"""The violation-time bound, where all violations are late and where all are early."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import certify, even_corridor, tightest
from sport_ray.bounds.violation_time import violation_time_bound_from_counts
from sport_ray.constraints import Evidence
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from tests.exact_mdp import TabularMdp

COUNT, STEPS = 300, 4
LIMIT = ViolationTimeConstraint(alpha=1.5)


def bound_of(counts: list[int]) -> float:
    return violation_time_bound_from_counts(counts, COUNT, STEPS, LIMIT.alpha, BETA)


@cache
def late_world() -> TabularMdp:
    scale = LIMIT.alpha**STEPS
    p = tightest(COUNT, lambda k, p: bound_of([0, 0, 0, 0, k]) >= p * scale, highest=0.15)
    return even_corridor(p, STEPS)


@cache
def early_world() -> TabularMdp:
    scale = LIMIT.alpha**2
    p = tightest(COUNT, lambda k, p: bound_of([0, 0, k, 0, 0]) >= p * scale, highest=0.3)
    return even_corridor(p, 2)


def recorded_early(evidence: Evidence, steps: int) -> float:
    """What would be promised, were every violation recorded so many steps before it happens."""
    settled = [*evidence.settled[:-1], evidence.num_violations]
    by_step = [0, settled[0], *(b - a for a, b in itertools.pairwise(settled))]
    assert sum(by_step[:steps]) == 0
    return bound_of([*by_step[steps:], *[0] * steps])


def trial(mdp: TabularMdp, rng: np.random.Generator, early: int) -> Trial:
    evidence = certify(mdp, STEPS, COUNT, rng)
    bound = recorded_early(evidence, early) if early else LIMIT.prior_bound(evidence)
    return Trial(bound, mdp.worst_violation(LIMIT.alpha, STEPS))


@calibrates(
    "violation time, all late", 7,
    problem="N = 300, α = 1.5, T = 4; every violation at the last step; the worst policy",
    control="violations recorded one step too early",
)  # fmt: skip
def late(rng: np.random.Generator, wrong: bool) -> Trial:
    return trial(late_world(), rng, 1 if wrong else 0)


@calibrates(
    "violation time, all early", 7,
    problem="the same, every violation after two actions",
    control="violations recorded two steps too early",
)  # fmt: skip
def early(rng: np.random.Generator, wrong: bool) -> Trial:
    return trial(early_world(), rng, 2 if wrong else 0)
