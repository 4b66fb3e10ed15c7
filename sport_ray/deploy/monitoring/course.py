"""A monitor's bounds over its episodes, for a plot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds import anytime_bound
from sport_ray.bounds.refutation import first_alarm
from sport_ray.deploy.monitoring.history import History
from sport_ray.deploy.monitoring.report import wealths

Array = NDArray[np.float64]


class Course(NamedTuple):
    """What was known after each of these numbers of episodes.

    episodes: (m,) ascending, the last is n. rate, anytime, promised, bound: (m,) probabilities.
    evidence: (m,) log wealth of the bets against the promise, nats. updates: the episodes from
    which on another bundle acted. alarm: as in MonitorReport.
    """

    episodes: NDArray[np.int64]
    rate: Array
    anytime: Array
    promised: Array
    bound: Array
    evidence: Array
    updates: tuple[int, ...]
    alarm: int | None
    beta: float
    false_alarm: float


def course(history: History, points: int = 400) -> Course:
    """At no more than so many numbers of episodes, evenly spaced; rate counts unknown as violated.

    Raises:
        ValueError: fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"points must be at least 2, got {points}")
    count, opened = history.num_episodes, history.opened
    numbers = np.unique(np.linspace(1, count, points).astype(np.int64)) if count else np.zeros(
        0, dtype=np.int64
    )  # fmt: skip
    _, evidence = wealths(history)
    alarm = first_alarm(evidence, opened.false_alarm)
    failed = (history.indicator(history.violated) | history.indicator(history.unknown)).cumsum()
    found = failed[numbers - 1]
    anytime = np.array(
        [anytime_bound(int(n), int(k), opened.beta) for n, k in zip(numbers, found, strict=True)]
    )
    promised = history.promised().cumsum()[numbers - 1] / numbers
    refuted = numbers >= (alarm or np.inf)
    return Course(
        episodes=numbers, rate=found / numbers, anytime=anytime, promised=promised,
        bound=np.where(refuted, anytime, np.minimum(anytime, promised)),
        evidence=evidence[numbers - 1],
        updates=tuple(one.episode for one in history.promises[1:]),
        alarm=alarm, beta=opened.beta, false_alarm=opened.false_alarm,
    )  # fmt: skip
