"""Bets against a promise: false alarms, exactly and for every adversary; power; arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import alarm_at, refutation, scenario_lower_bound
from sport_ray.bounds.refutation import Wealth, first_alarm, log_alarm_level

Alarm = Callable[[np.ndarray], bool]
DEPTH = 13


def worst_chance(alarm: Alarm, b: float) -> float:
    """P(an alarm within DEPTH episodes) under the worst adversary, exactly.

    The adversary sees all verdicts and picks each next risk in [0, b]; what follows is linear in
    it, so 0 and b suffice. All 2^DEPTH sequences are gone through.
    """

    def value(seen: tuple[bool, ...]) -> float:
        if seen and alarm(np.array(seen)):
            return 1.0
        if len(seen) == DEPTH:
            return 0.0
        safe, violated = value((*seen, False)), value((*seen, True))
        return max(safe, (1.0 - b) * safe + b * violated)

    return value(())


def by_wealth(b: float, level: float) -> Alarm:
    """The alarm, remembering what was computed."""
    wealths: dict[tuple[bool, ...], Wealth] = {(): Wealth.start()}

    def alarm(seen: np.ndarray) -> bool:
        path = tuple(seen.tolist())
        wealths[path], found = wealths[path[:-1]].after(path[-1:], b)
        return first_alarm(found, level, len(path) - 1) is not None

    return alarm


@pytest.mark.parametrize("b", [0.05, 0.3])
@pytest.mark.parametrize("level", [0.05, 0.3])
def test_no_adversary_raises_a_false_alarm_more_often_than_stated(b, level):
    chance = worst_chance(by_wealth(b, level), b)
    assert 0.0 < chance <= level


def test_alarms_made_wrong_on_purpose_are_caught():
    """Looking again at a fixed level, or the best of all starts in place of their mean.

    So the exact computation has teeth.
    """
    b, level = 0.3, 0.05
    looks = worst_chance(lambda x: scenario_lower_bound(len(x), int(x.sum()), level) > b, b)

    def best_start(seen: np.ndarray) -> bool:
        factors = np.where(seen, 2.0, 1.0) / (1.0 + b)  # one bet, of odds ratio 2
        return bool((np.cumprod(factors[::-1]) >= 1.0 / level).any())

    ever = worst_chance(best_start, b)
    assert looks > 1.5 * level
    long = np.random.default_rng(0).random((500, 3_000)) < b
    false = sum(
        any(best_start(row[max(0, n - 60) : n]) for n in range(1, 3_001, 5)) for row in long
    )
    assert ever <= level  # within so few episodes it looks right …
    assert false > 5 * level * len(long)  # … and is not


def test_it_is_a_martingale_from_one():
    """The mean over all verdicts, for promises that change: 1 where risks are what is promised.

    It is at most 1 where they are lower, as the past has it.
    """
    rng = np.random.default_rng(3)
    count = 11
    promised = rng.uniform(0.02, 0.6, count)
    verdicts = np.array(list(itertools.product([False, True], repeat=count)))
    _, values = Wealth.start((len(verdicts),)).after(verdicts, promised)
    shrink = 1.0 / (1.0 + np.cumsum(verdicts, axis=1))  # risks that fall with what happened
    for risks, exact in ((np.broadcast_to(promised, verdicts.shape), True),
                         (promised * np.roll(shrink, 1, axis=1), False)):  # fmt: skip
        chances = np.where(verdicts, risks, 1.0 - risks).cumprod(axis=1)
        for n in range(1, count + 1):
            tail = 2 ** (count - n)
            mean = (np.exp(values[::tail, n - 1]) * chances[::tail, n - 1]).sum()
            if exact:
                assert mean == pytest.approx(1.0, abs=1e-12)
            else:
                assert mean <= 1.0 + 1e-12


def test_against_exact_arithmetic():
    rng = np.random.default_rng(5)
    x, b = rng.random(400) < 0.2, rng.choice([1e-6, 0.01, 0.3], 400)
    _, found = Wealth.start().after(x, b)
    with mpmath.workdps(60):
        odds = [mpmath.exp(mpmath.mpf(float(one))) for one in refutation._LOG_ODDS]

        def share(s: int) -> mpmath.mpf:
            return 1 / mpmath.log(s + 1, 2) - 1 / mpmath.log(s + 2, 2)

        started = [mpmath.mpf(0)] * len(odds)
        for n, (hit, promised) in enumerate(zip(x, b, strict=True), 1):
            p = mpmath.mpf(float(promised))
            started = [
                (one + share(n)) * (u if hit else 1) / (1 - p + p * u)
                for one, u in zip(started, odds, strict=True)
            ]
            exact = mpmath.log(sum(started) / len(odds) + 1 / mpmath.log(n + 2, 2))
            margin = log_alarm_level(n, 0.5) - log_alarm_level(0, 0.5) + 1e-9
            assert abs(found[n - 1] - exact) < margin


@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 60), max_size=5))
@settings(max_examples=40, deadline=None)
def test_in_pieces_it_is_the_same(seed, cuts):
    rng = np.random.default_rng(seed)
    x, b = rng.random(80) < rng.random(), rng.uniform(1e-3, 0.5, 80)
    _, whole = Wealth.start().after(x, b)
    state, parts = Wealth.start(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refutation, "_CHUNK", 7)
        for part in np.split(np.arange(80), np.unique(cuts)):
            state, values = state.after(x[part], b[part])
            parts.append(values)
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-10)
    assert state.log_total == pytest.approx(whole[-1], abs=1e-10)
    assert state.num_episodes == 80


@given(seed=st.integers(0, 10**6), place=st.integers(0, 49))
def test_a_violation_more_is_never_less_evidence(seed, place):
    rng = np.random.default_rng(seed)
    x, b = rng.random(50) < 0.3, rng.uniform(1e-3, 0.5, 50)
    other = x.copy()
    other[place] = True
    _, low = Wealth.start().after(x & (np.arange(50) != place), b)
    _, high = Wealth.start().after(other, b)
    assert np.all(low <= high + 1e-12)
    _, lower_promise = Wealth.start().after(x, b / 2)
    _, same = Wealth.start().after(x, b)
    assert np.all(same <= lower_promise + 1e-12)


@pytest.mark.slow
def test_false_alarms_in_long_runs():
    """3,000 robots, 4,000 episodes each, at exactly the promised risks, which change."""
    rng, level = np.random.default_rng(11), 0.05
    promised = np.repeat([0.1, 0.02, 0.05, 0.3], 1_000)
    state = Wealth.start((3_000,))
    raised = np.zeros(3_000, dtype=bool)
    for part in np.split(np.arange(4_000), 40):
        x = rng.random((3_000, len(part))) < promised[part]
        state, values = state.after(x, promised[part])
        raised |= (values >= log_alarm_level(4_000, level)).any(axis=1)
    found = int(raised.sum())
    assert found > 0
    assert stats.binomtest(found, 3_000, level, alternative="greater").pvalue > 1e-3


def test_a_change_is_noticed_soon_also_after_a_long_calm():
    """Promised 0.1, 0.01 at first; then the risk is 0.3. No restart is needed, no memory."""
    rng = np.random.default_rng(2)
    delays = []
    for calm in (0, 1_000, 30_000):
        found = []
        for _ in range(20):
            x = np.concatenate([rng.random(calm) < 0.01, rng.random(1_000) < 0.3])
            alarm = alarm_at(x, 0.1, 1e-6)
            assert alarm is not None
            assert alarm > calm
            found.append(alarm - calm)
        delays.append(np.median(found))
    assert delays[0] < 160
    assert delays[-1] < 300  # log(1/w_s) more nats: 8 at 30,000 episodes
    # The count as a whole would not have noticed for tens of thousands of episodes.
    assert scenario_lower_bound(31_000, 300 + 300, 1e-6) < 0.1


def test_bad_arguments_are_named():
    for b in (0.0, 1.0, float("nan"), -0.1):
        with pytest.raises(ValueError, match=r"^promised must lie strictly between 0 and 1"):
            alarm_at([True], b, 0.1)
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"^false_alarm must"):
            alarm_at([True], 0.1, level)
    assert alarm_at([], 0.1, 0.1) is None


def test_extremes_fail_closed():
    assert alarm_at([True] * 5, 1e-12, 1e-9) == 4  # at once: bets end at odds of e^7
    assert alarm_at([True] * 200, 0.999999, 1e-6) is None  # nothing was promised
    assert alarm_at([False] * 10_000, 1e-300, 0.9) is None
    assert first_alarm(np.array([0.0, np.nan]), 1e-6) == 2  # what is no number is an alarm
