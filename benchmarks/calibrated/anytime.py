"""Looking after every scenario and stopping when one likes."""

from __future__ import annotations

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from benchmarks.calibrated.worlds import even_corridor
from sport_ray.bounds import anytime_bound, scenario_bound
from sport_ray.certificates import AnytimeSampling

STEPS, MOST = 3, 20_000
EVER = even_corridor(0.002, STEPS)
STOPPED = even_corridor(0.05, STEPS)


def looks(p: float, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(N, k) just before each new violation and at the end: between them a bound only falls."""
    gaps = rng.geometric(p, int(2.0 * most * p + 50.0))
    at = np.cumsum(gaps)  # numbers of the scenarios that violate
    at = at[at <= most]
    return np.append(at - 1, most), np.arange(len(at) + 1)


@calibrates(
    "any time", 2,
    problem="P(viol) = 0.002; the smallest bound of all looks at N = 1 … 20,000",
    control="the bound for a fixed N at every look",
)  # fmt: skip
def ever(rng: np.random.Generator, wrong: bool) -> Trial:
    truth = EVER.violation(EVER.base, STEPS)
    bound = scenario_bound if wrong else anytime_bound
    numbers, counts = looks(truth, MOST, rng)
    found = [
        bound(int(n), int(k), BETA) for n, k in zip(numbers, counts, strict=True) if n >= max(k, 1)
    ]
    return Trial(min(found), truth)


@calibrates(
    "any time, stopped by the study's rule", 2,
    problem="P(viol) = 0.05 just above the target; a look after every 100 of at most 5,000",
    control="the bound for a fixed N at every look",
)  # fmt: skip
def stopped(rng: np.random.Generator, wrong: bool) -> Trial:
    truth = STOPPED.violation(STOPPED.base, STEPS)
    rule = AnytimeSampling(
        max_scenarios=5_000, horizon=STEPS, target=truth * (1.0 - 1e-9), check_every=100
    )
    violations, bound = 0, 1.0
    for n in range(rule.check_every, rule.planned + 1, rule.check_every):
        violations += int(rng.binomial(rule.check_every, truth))
        if wrong:
            bound = scenario_bound(n, violations, BETA)
            if bound <= rule.target:
                break
        else:
            bound = rule.bound(n, violations, BETA)
            if rule.verdict(n, violations, BETA) != "go on":
                break
    return Trial(bound, truth)
