"""Verdicts on many scenarios at once are those on each alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.properties import Property, parse_property
from sport_ray.rollouts import ScenarioAborted, Tally
from sport_ray.rollouts.judging import Finished, Judge

HORIZON = 9
FORMULAS = ("(!hazard) U goal", "F[0,4] goal & G (hazard -> F[1,2] !hazard)", "G !hazard | X goal")


def judge_of(formula: str, most: int) -> tuple[Judge, Tally]:
    tally = Tally()
    environment = SimpleNamespace(boolean_signals=frozenset())
    return Judge(formula, HORIZON, "any/Task-v0", environment, most, tally), tally


def ended(rng: np.random.Generator, index: np.ndarray, numbers: list[float]) -> Finished:
    count = len(index)
    length = rng.integers(1, HORIZON + 1, count)
    trace = rng.choice(numbers, (count, HORIZON + 1, 2))
    trace[np.arange(HORIZON + 1) > length[:, None]] = np.nan
    return Finished(
        index, length, trace, np.zeros(count, dtype=bool), rng.normal(size=count),
        rng.normal(size=(count, 5)), rng.normal(size=count), rng.normal(size=count),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FORMULAS),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 7), min_size=1, max_size=8),
    st.integers(1, 20),
    st.sampled_from([[-2.0, -1.0, 0.5, 3.0], [-1.0, -0.0, 0.0, 1.0], [-np.inf, 0.25, np.inf]]),
)
def test_the_table_is_that_of_each_alone(formula, seed, portions, most, numbers):
    rng = np.random.default_rng(seed)
    order = rng.permutation(sum(portions))
    parts = np.split(order, np.cumsum(portions)[:-1])
    parts = [ended(rng, part, numbers) for part in parts]
    judge, tally = judge_of(formula, most)
    for part in parts:
        judge.add(part)
    table = judge.outcomes()
    assert table.index.tolist() == list(range(sum(portions)))
    assert tally.finished == sum(portions)
    prop = parse_property(formula)
    for part in parts:
        for row, index in enumerate(part.index):
            signals = {n: part.trace[row : row + 1, :, k] for k, n in enumerate(prop.signal_names)}
            alone = prop.evaluate(signals, part.length[row : row + 1] + 1)
            assert table.length[index] == part.length[row]
            assert table.robustness[index] == alone.robustness[0]
            assert table.satisfied_at[index] == alone.satisfied_at[0]
            assert table.violated_at[index] == alone.violated_at[0]
            for steps in range(1, HORIZON + 1):
                assert table.satisfied_by(steps)[index] == alone.by_step[0, steps]
            assert table.total_reward[index] == part.rewards[row]
            assert table.max_prefix_log_ratio[index] == part.furthest[row]
            assert table.sum_task_distance[index] == part.sums[row, 4]


def test_traces_without_a_zero_are_judged_to_their_own_ends(monkeypatch):
    widths = []

    def evaluate(self, signals, lengths):
        widths.append(signals["goal"].shape[1])
        return kept(self, signals, lengths)

    kept = Property.evaluate
    monkeypatch.setattr(Property, "evaluate", evaluate)
    rng = np.random.default_rng(0)
    for number in (-1.0, -0.0):
        part = ended(rng, np.arange(4), [number])
        part.length[:] = 3
        part.trace[:, :4] = number
        judge, _ = judge_of("(!hazard) U goal", 10)
        judge.add(part)
        judge.outcomes()
    assert widths == [4, HORIZON + 1]


def test_what_was_cut_off_with_an_open_verdict_is_told_at_once():
    rng = np.random.default_rng(1)
    judge, tally = judge_of("(!hazard) U goal", 100)
    judge.add(ended(rng, np.arange(3), [-1.0]))  # neither hazard nor goal, up to the horizon
    part = ended(rng, np.arange(3, 6), [-1.0])
    part.cut[1] = True
    with pytest.raises(ScenarioAborted, match="scenario 4 was cut off by any/Task-v0"):
        judge.add(part)
    assert tally.aborted == 1
