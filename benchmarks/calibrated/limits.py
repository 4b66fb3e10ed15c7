"""The limit chosen from the base's scenarios: a list written down before, tested in its order."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from benchmarks.calibrated.off_policy import bandit, memorised
from benchmarks.calibrated.registry import BETA, Trial, calibrates
from sport_ray.bounds import limit_choice
from sport_ray.bounds.off_policy import off_policy_bound
from tests.exact_mdp import TrajectoryLaws, trajectory_laws

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
    laws, truths = policies()
    rows = rng.choice(len(laws[0].p), COUNT, p=laws[0].p / laws[0].p.sum())
    bounds = (
        off_policy_bound(
            law.log_ratio[rows], law.violated[rows], BETA, log_ratio_limit=math.log(ratio)
        ).bound
        for law, ratio in zip(laws, LIST, strict=True)
    )
    passed = limit_choice(bounds, EPS_MAX)
    return Trial(EPS_MAX, truths[passed - 1]) if passed else Trial(None, truths[0])
