"""Worlds that are solved exactly, certificates of them, and the probabilities that test most.

A bound from counts fails with a probability that jumps with the truth p: just above the bound of k
violations, k no longer covers. ``tightest`` finds the p at which a whole chain, from the count to
what is promised of a policy, fails most often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.calibrated.registry import BETA
from sport_ray.bounds import scenario_bound
from sport_ray.certificates import (
    Candidate,
    Certificate,
    Choice,
    FixedSampling,
    Sampling,
    build_certificate,
)
from sport_ray.constraints import Evidence
from sport_ray.properties import NEVER
from sport_ray.rollouts import Outcomes, OutcomeTotals, ScenarioPlan, Tally
from sport_ray.rollouts.outcomes import pack_verdicts
from tests.exact_mdp import GOAL, HAZARD, REACH_AVOID, Array, TabularMdp

BASE = "ab" * 32
NO_FILE = {"outcomes_file": "none.parquet", "outcomes_sha256": "cd" * 32, "versions": {}}


def corridor(survival: list[float]) -> TabularMdp:
    """One state for each step; action 1 goes on, action 0 to the goal.

    ``survival`` falls: the base violates within T steps with probability survival[T − 1]. Of all
    policies within α the worst violates with α^T times that, if it is a probability at each step.
    """
    steps = len(survival)
    size = 2 + steps
    step, base = np.zeros((size, 2, size)), np.full((size, 2), 0.5)
    step[:2] = np.eye(size)[:2, None]
    before = [1.0, *survival[:-1]]
    for now, (reached, left) in enumerate(zip(before, survival, strict=True)):
        place = 2 + now
        step[place, 0, GOAL] = 1.0
        step[place, 1, place + 1 if now + 1 < steps else HAZARD] = 1.0
        base[place] = 1.0 - left / reached, left / reached
    return TabularMdp(np.eye(size)[2], step, base)


def even_corridor(p: float, steps: int) -> TabularMdp:
    """A corridor of that length with violation probability p, the same at every step."""
    return corridor([p ** ((now + 1) / steps) for now in range(steps)])


class Decisions(NamedTuple):
    """When a policy's property is decided, (T + 1,) each: after 0 … T actions."""

    satisfied: Array
    violated: Array


def decisions(mdp: TabularMdp, policy: Array, horizon: int) -> Decisions:
    """Exactly; what is left is undecided after T actions."""
    policy = np.broadcast_to(policy, (horizon, *mdp.base.shape))
    law = mdp.start.copy()
    found = Decisions(np.zeros(horizon + 1), np.zeros(horizon + 1))
    for now in range(horizon + 1):
        if now:
            law = np.einsum("s,sa,saz->z", law, policy[now - 1], mdp.step)
        for times, state in ((found.satisfied, GOAL), (found.violated, HAZARD)):
            times[now], law[state] = law[state], 0.0
    return found


def scenarios(
    mdp: TabularMdp, policy: Array, horizon: int, count: int, rng: np.random.Generator
) -> Outcomes:
    """Outcomes of independent episodes: their law is exact, so they need not be stepped through."""
    found = decisions(mdp, policy, horizon)
    law = np.concatenate([found.satisfied, found.violated])
    law = np.append(law, max(1.0 - law.sum(), 0.0))
    drawn = rng.choice(len(law), count, p=law / law.sum())
    satisfied = np.where(drawn <= horizon, drawn, NEVER)
    violated = np.where((drawn > horizon) & (drawn < len(law) - 1), drawn - horizon - 1, NEVER)
    decided = np.maximum(satisfied, violated)
    by_step = (satisfied[:, None] != NEVER) & (np.arange(horizon + 1) >= satisfied[:, None])
    columns = dict.fromkeys(Outcomes.__dataclass_fields__, np.zeros(count))
    columns |= {
        "index": np.arange(count),
        "length": np.where(decided == NEVER, horizon, decided),
        "verdicts": pack_verdicts(by_step),
        "satisfied_at": satisfied,
        "violated_at": violated,
        "projected_steps": np.zeros(count, dtype=np.int64),
        "robustness": np.where(satisfied != NEVER, 1.0, -1.0),
    }
    return Outcomes(**columns)


def certificate_of(
    outcomes: Outcomes,
    horizon: int,
    *,
    choice: Choice | None = None,
    sampling: Sampling | None = None,
) -> Certificate:
    """The project's certificate at β = 0.05 from a table of outcomes."""
    plan = ScenarioPlan(
        env_id="calibrated/Exact-v0", property=REACH_AVOID, horizon=horizon, root_seed=0,
        purpose="certify",
    )  # fmt: skip
    totals, count = OutcomeTotals(horizon), outcomes.num_scenarios
    totals.add(outcomes)
    return build_certificate(
        plan, totals, Tally(count, count, 0),
        sampling=sampling or FixedSampling(num_scenarios=count), beta=BETA,
        base_digest=choice.base_digest if choice else BASE, code={}, choice=choice, **NO_FILE,
    )  # fmt: skip


def chosen(horizon: int, max_horizon: int, eps_max: float = 0.9, base: str = BASE) -> Choice:
    """A horizon that was chosen before certifying: the certificate then holds at β itself."""
    candidate = Candidate(base=base[:4], base_digest=base, horizon=horizon, log_alpha=0.0)
    return Choice(
        eps_max=eps_max, beta=BETA, max_horizon=max_horizon, env_id="calibrated/Exact-v0",
        env_kwargs={}, property=REACH_AVOID, num_scenarios=1, root_seed=0, base_digest=base,
        horizon=horizon, candidates=[candidate],
    )  # fmt: skip


def certify(mdp: TabularMdp, horizon: int, count: int, rng: np.random.Generator) -> Evidence:
    """Scenarios of the base, a certificate of them for the chosen T: what constraints see."""
    table = scenarios(mdp, mdp.base, horizon, count, rng)
    return certificate_of(table, horizon, choice=chosen(horizon, horizon)).evidence(horizon)


def counted(count: int, violations: int, horizon: int) -> Evidence:
    """As of a certificate in which so many of the scenarios violated, all at the end."""
    return Evidence(
        horizon=horizon, eps_base=scenario_bound(count, violations, BETA), beta=BETA,
        num_scenarios=count, num_violations=violations, settled=(0,) * horizon,
        fixed_number=True, steps_left=(1.0,) * horizon,
    )  # fmt: skip


def tightest(
    count: int, holds: Callable[[int, float], bool], most: int = 12, highest: float = 0.999
) -> float:
    """The p at which the chain fails most often, with N = ``count``.

    holds(k, p): whether what is promised after k violations is true where the base violates with
    probability p; false for all p above one point. At that point k and all below it fail.
    """
    best, chance = highest, 0.0
    for violations in range(min(most, count - 1) + 1):
        low, high = 0.0, highest
        if holds(violations, high):
            continue
        for _ in range(80):
            middle = 0.5 * (low + high)
            if holds(violations, middle):
                low = middle
            else:
                high = middle
        high *= 1.0 + 1e-9  # above by more than rounding
        failing = float(stats.binom.cdf(violations, count, high))
        if failing >= 0.999 * chance:  # of equals the larger count: no tests of k = 0 alone
            best, chance = high, failing
    return best
