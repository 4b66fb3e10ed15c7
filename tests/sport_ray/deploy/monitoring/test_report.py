"""Bounds of one log and of several robots; coverage with risks and promises that change."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from scipy import stats

from sport_ray.bounds import anytime_bound
from sport_ray.deploy.monitoring import course, fleet, report
from sport_ray.errors import UserError


@cache
def known(n: int, k: int, beta: float) -> float:
    return anytime_bound(n, k, beta)


def test_the_course_ends_at_the_report(history_of, promise):
    rng = np.random.default_rng(1)
    verdicts = (rng.random(300) < np.repeat([0.05, 0.6], [250, 50])).tolist()
    verdicts[7] = None
    updates = {100: promise.model_copy(update={"bound": 0.2})}
    history = history_of(verdicts, promises=updates)
    found, whole = report(history), course(history, points=300)
    assert whole.episodes.tolist() == list(range(1, 301))
    assert whole.updates == (100,)
    assert whole.alarm == found.alarm is not None
    for name in ("anytime", "promised", "bound", "evidence"):
        assert getattr(whole, name)[-1] == pytest.approx(getattr(found, name), rel=1e-12)
    assert whole.rate[-1] == pytest.approx((found.num_violations + 1) / 300)
    assert np.all(whole.bound <= whole.anytime)
    assert np.all(whole.bound[whole.episodes >= whole.alarm] == whole.anytime[whole.alarm - 1 :])
    few = course(history, points=7)
    assert few.episodes[-1] == 300
    assert few.anytime[-1] == whole.anytime[-1]
    json.dumps(found.to_json())


def test_nothing_yet(history_of):
    found, whole = report(history_of([])), course(history_of([]))
    assert (found.anytime, found.bound, found.promised) == (1.0, 0.1, 0.1)
    assert not whole.episodes.size
    assert whole.alarm is None
    with pytest.raises(ValueError, match="points must be at least 2"):
        course(history_of([]), points=1)


def test_several_robots(history_of, promise):
    quiet = history_of([False] * 400, name="a")
    short = history_of([False, True, None], name="b")
    other = promise.model_copy(update={"rests_on": "certificate b", "beta": 1e-3})
    third = history_of([True] * 20, promises={1: other}, name="c")
    reports = [report(one) for one in (quiet, short, third)]
    found = fleet([quiet, short, third])
    assert found.alarms == (2,)
    assert (found.num_episodes, found.num_violations, found.num_unknown) == (423, 21, 1)
    mean = (400 * reports[0].bound + 3 * reports[1].bound + 20 * 1.0) / 423
    assert found.bound == pytest.approx(mean)
    # The third's promise is refuted and not used; the certificate of the others counts once.
    assert found.bound_beta == pytest.approx(3 * 0.01 + 1e-7)
    assert fleet([quiet, short]).bound_beta == pytest.approx(2 * 0.01 + 1e-7)
    assert found.false_alarm == pytest.approx(3e-3)
    assert fleet([history_of([])]).bound == pytest.approx(0.1)
    with pytest.raises(UserError, match="given twice"):
        fleet([quiet, quiet])
    with pytest.raises(UserError, match="no monitor's log"):
        fleet([])
    moved = promise.model_copy(update={"env_id": "another"})
    with pytest.raises(UserError, match="logs of several env_ids"):
        opened = quiet.opened.model_copy(update={"env_id": "another", "name": "z"})
        fleet([quiet, type(quiet).begin(opened, quiet.promises[0].model_copy(
            update={"promise": moved}))])  # fmt: skip


def test_robots_that_fail_together_are_covered(promise):
    """Two robots with one verdict: the union bound holds, a pooled count fails too often.

    Both see the same weather. In a pooled log each episode would count as two.
    """
    rng, beta, risk, count, runs = np.random.default_rng(4), 0.2, 0.2, 60, 1_500
    weather = rng.random((runs, count)) < risk
    failed = {"fleet": 0, "pooled": 0}
    sums = weather.cumsum(axis=1)
    for row in sums:
        looks = range(1, count + 1)
        # What `fleet` computes of two logs at β/2 each with the same verdicts.
        failed["fleet"] += any(known(n, int(row[n - 1]), beta / 2) < risk for n in looks)
        failed["pooled"] += any(known(2 * n, 2 * int(row[n - 1]), beta) < risk for n in looks)
    assert stats.binomtest(failed["fleet"], runs, beta, alternative="greater").pvalue > 1e-3
    assert failed["pooled"] > 1.2 * beta * runs


def test_coverage_with_risks_that_follow_the_verdicts():
    """4,000 logs of 250 episodes; risks and promises move with what happened; looked at always.

    The bound on the average fails in at most β of them, and so does it where the promise is taken
    in. The smallest over past looks fails far more often.
    """
    rng, beta, runs, count = np.random.default_rng(9), 0.1, 4_000, 250
    violations, since, bold = (np.zeros(runs, dtype=int) for _ in range(3))
    total, promised = np.zeros(runs), np.zeros(runs)
    best = np.ones(runs)
    failed = {name: np.zeros(runs, dtype=bool) for name in ("average", "together", "best")}
    for n in range(1, count + 1):
        # Malice: after a long calm much is dared, for good.
        bold |= since >= 60
        risk = np.where(bold, 0.4, 0.02)
        limit = np.where(bold, 0.4, 0.05)  # the promise of what acts: true
        x = rng.random(runs) < risk
        since = np.where(x, 0, since + 1)
        violations += x
        total += risk
        promised += limit
        bound = np.array([known(n, int(k), beta) for k in violations])
        best = np.minimum(best, bound)
        average = total / n
        failed["average"] |= bound < average
        failed["together"] |= np.minimum(bound, promised / n) < average
        failed["best"] |= best < average
    for name in ("average", "together"):
        found = int(failed[name].sum())
        assert stats.binomtest(found, runs, beta, alternative="greater").pvalue > 1e-3
    assert failed["best"].sum() > 4 * beta * runs
