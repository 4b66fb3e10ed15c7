"""Small problems in which a constraint's policies violate as often as they can.

An action is *risky* where the density ratio of a projected task policy to the base is among its
largest: the event that gains most (Neyman and Pearson). An episode violates where all of the
problem's decisive steps were risky ones. The base does the same; it is certified by counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from sport_ray.bounds import scenario_bound
from sport_ray.constraints import Constraint, Evidence
from sport_ray.families import Distribution
from sport_ray.testing.members import Members

HORIZON = 4
CERTIFY, EVALUATE = 40_000, 20_000
BETA = 1e-7
RISKY = 0.45
"""About how often an action of the base is risky."""
CANDIDATES = 24
"""Task policies, of which the riskiest is taken."""
DECISIVE = {
    "violations need a risky action at every step": (0, 1, 2, 3),
    "violations follow from the first action": (0,),
    "violations follow from the last action": (3,),
    "violations need two risky actions": (1, 2),
}


class WorstCase(NamedTuple):
    """What happened in a problem; p_value: of so many violations where the bound is the truth."""

    name: str
    family: str
    episodes: int
    violations: int
    bound: float
    p_value: float


class _Problem(NamedTuple):
    """A base and a task policy, one member each, and the log ratio from which on it is risky."""

    members: Members
    base: Distribution
    task: Distribution
    direction: Distribution
    threshold: float

    def risky(self, action: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which actions (n, D) are risky ones."""
        rows = np.zeros(len(action), dtype=np.int64)
        ratio = self.direction[rows].log_ratio(self.base[rows], action)
        return np.asarray(ratio >= self.threshold)


def worst_cases(constraint: Constraint, members: Members, seed: int) -> Iterator[WorstCase]:
    """Run the problems with a family's members; those where nothing is promised are left out."""
    generator = np.random.default_rng([11, seed])
    for name, decisive in DECISIVE.items():
        problem = _riskiest(constraint, members, generator)
        evidence = _certified(problem, decisive, generator)
        bound = constraint.prior_bound(evidence)
        if bound is None or bound >= 1.0:
            continue
        violations = _violations(constraint, problem, decisive, generator)
        family = type(problem.base).name
        p_value = stats.binomtest(violations, EVALUATE, bound, alternative="greater").pvalue
        yield WorstCase(name, family, EVALUATE, violations, bound, float(p_value))


def _riskiest(constraint: Constraint, members: Members, generator: np.random.Generator) -> _Problem:
    """Of random pairs the one that gains most by its risky actions at the first step."""
    found: tuple[float, _Problem] | None = None
    limits = torch.from_numpy(constraint.limits(constraint.start(1)))
    for _ in range(CANDIDATES):
        base, task = members.draw(generator, 1), members.draw(generator, 1)
        chosen = constraint.project(base, task, limits)
        rows = np.zeros(4_000, dtype=np.int64)
        ratio = chosen[rows].log_ratio(base[rows], _sample(base[rows], members, generator))
        threshold = float(np.quantile(ratio, 1.0 - RISKY))
        problem = _Problem(members, base, task, chosen, threshold)
        often = [
            float(problem.risky(_sample(one[rows], members, generator)).mean())
            for one in (base, chosen)
        ]
        gain = often[1] / often[0] if 0.0 < often[0] < 0.9 else 0.0
        if found is None or gain > found[0]:
            found = gain, problem
    if found is None:
        raise ValueError("CANDIDATES must be positive")
    return found[1]


def _certified(
    problem: _Problem, decisive: tuple[int, ...], generator: np.random.Generator
) -> Evidence:
    """What CERTIFY episodes of the base show of it."""
    base = problem.base[np.zeros(CERTIFY, dtype=np.int64)]
    violating = np.ones(CERTIFY, dtype=bool)
    running = [CERTIFY]
    for step in range(HORIZON):
        if step in decisive:
            violating &= problem.risky(_sample(base, problem.members, generator))
        running.append(int(violating.sum()) if step < decisive[-1] else 0)
    count = int(violating.sum())
    return Evidence(
        horizon=HORIZON,
        eps_base=scenario_bound(CERTIFY, count, BETA),
        beta=BETA,
        num_scenarios=CERTIFY,
        num_violations=count,
        fixed_number=True,
        settled=tuple(0 if step < decisive[-1] else count for step in range(HORIZON)),
        steps_left=tuple(
            sum(running[step:HORIZON]) / running[step] if running[step] else 1.0
            for step in range(HORIZON)
        ),
    )


def _violations(
    constraint: Constraint,
    problem: _Problem,
    decisive: tuple[int, ...],
    generator: np.random.Generator,
) -> int:
    """Of EVALUATE episodes under the constraint, whose task policy seeks risk at decisive steps."""
    rows = np.zeros(EVALUATE, dtype=np.int64)
    base, task = problem.base[rows], problem.task[rows]
    state = constraint.start(EVALUATE)
    violating = np.ones(EVALUATE, dtype=bool)
    for step in range(HORIZON):
        wanted = task if step in decisive else base
        limits = torch.from_numpy(constraint.limits(state))
        chosen = constraint.project(base, wanted, limits)
        action = _sample(chosen, problem.members, generator)
        state = constraint.spend(state, constraint.cost(chosen, base, action))
        if step in decisive:
            violating &= problem.risky(action)
    return int(violating.sum())


def _sample(
    batch: Distribution, members: Members, generator: np.random.Generator
) -> NDArray[np.float64]:
    """One action of each row."""
    return batch.sample(type(batch).draw_noise(generator, len(batch), members.size))
