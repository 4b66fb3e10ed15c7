"""In the field: the any-time bound of policies that change, and the alarm."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.calibrated.registry import BETA, Trial, calibrates
from sport_ray.bounds import anytime_bound, scenario_lower_bound
from sport_ray.bounds.refutation import alarm_at

EPISODES, LOOK = 20_000, 50
QUIET, LOUD = 0.002, 0.004
LATER = 0.02


@calibrates(
    "any time, of changing policies", 14,
    problem="risk 0.002, 0.004 in luck; the average so far, a look after every 50 of 20,000",
    control="the smallest bound so far, of a policy whose risk rises",
)  # fmt: skip
def average(rng: np.random.Generator, wrong: bool) -> Trial:
    risk, count, smallest = 0.0, 0, 1.0
    trials = []
    for number in range(LOOK, EPISODES + 1, LOOK):
        lucky = count < 0.7 * risk
        now = LOUD if lucky else QUIET
        if wrong:
            now = QUIET if number <= EPISODES // 4 else LATER
        risk += LOOK * now
        count += int(rng.binomial(LOOK, now))
        bound = anytime_bound(number, count, BETA)
        smallest = min(smallest, bound)
        trials.append(Trial(smallest if wrong else bound, risk / number))
        if wrong and number > EPISODES // 2:
            break
    return min(trials, key=lambda trial: (trial.bound or 0.0) / trial.truth)


@calibrates(
    "alarm of a deployed policy", 14,
    problem="5,000 episodes at exactly what was promised, 0.02 and after an update 0.03; γ = 0.05",
    control="the lower bound for a fixed number, at a look after every 50",
    side="below",
)  # fmt: skip
def alarm(rng: np.random.Generator, wrong: bool) -> Trial:
    promised = np.repeat([0.02, 0.03], 2_500)
    verdicts = rng.random(len(promised)) < promised
    if wrong:
        counts, risks = verdicts.cumsum(), promised.cumsum()
        looks = range(LOOK, len(promised) + 1, LOOK)
        raised = any(
            scenario_lower_bound(n, int(counts[n - 1]), BETA) > risks[n - 1] / n for n in looks
        )
    else:
        raised = alarm_at(verdicts, promised, BETA) is not None
    # An alarm says that some risk lies above what was promised of it. No alarm says nothing.
    return Trial(math.nextafter(0.03, 1.0) if raised else None, 0.03)
