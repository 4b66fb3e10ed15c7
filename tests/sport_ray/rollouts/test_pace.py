"""How portions are sized: a few seconds each, few at first, whatever the simulator's speed."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sport_ray.rollouts.pace import GROWTH, LEAST_SECONDS, SECONDS, Pace


def portions(pace: Pace, count: int, seconds_each: float) -> list[int]:
    """The sizes that one worker is given after another, each scenario taking so long."""
    found, left = [], count
    while left:
        size = pace.size(left)
        found.append(size)
        pace.add(size, size * seconds_each)
        left -= size
    return found


@given(
    count=st.integers(1, 400),
    seconds=st.floats(1e-5, 1e3),
    workers=st.integers(1, 64),
    most=st.integers(1, 4_096),
    first=st.integers(1, 1_024),
)
def test_all_are_handed_out_in_portions_within_the_limits(count, seconds, workers, most, first):
    pace = Pace(workers, most, first)
    found = portions(pace, count, seconds)
    assert sum(found) == count
    assert found[0] == min(first, most, count)
    largest = found[0]
    for size in found[2:]:
        assert 1 <= size <= min(most, GROWTH * largest)
        assert size == 1 or size * seconds <= SECONDS * (1 + 1e-9)
        largest = max(largest, size)


@given(seconds=st.floats(1e-3, 10.0), workers=st.integers(1, 8))
def test_a_portion_takes_a_few_seconds_once_the_speed_is_known(seconds, workers):
    pace = Pace(workers, most=10**9)
    middle = 0
    for _ in range(7):
        middle = pace.size(10**6)
        pace.add(middle, middle * seconds)
    assert middle == max(1, math.floor(SECONDS / seconds * (1 + 1e-12))) or middle == max(
        1, math.floor(SECONDS / seconds * (1 - 1e-12))
    )


def test_the_user_s_simulator_is_shared_from_the_start_and_to_the_end() -> None:
    """0.85 s a scenario, two workers: one scenario first, then three, and single ones at last."""
    found = portions(Pace(2, 1_024), 150, 0.85)
    assert found[:2] == [1, 1]
    assert set(found[2:-10]) == {3}
    assert found[-3:] == [1, 1, 1]


def test_small_portions_at_the_end_are_no_smaller_than_is_worth_it() -> None:
    pace = Pace(2, 10**6)
    found = portions(pace, 10_000, 1e-3)
    assert found[:4] == [1, 1, 8, 64]  # limited by growth
    assert all(size * 1e-3 >= LEAST_SECONDS * 0.99 for size in found[5:-1])


def test_what_was_compiled_and_imported_at_first_does_not_count() -> None:
    pace = Pace(1, 1_024)
    pace.add(1, 60.0)
    assert pace.size(1_000) == 1
    assert not pace.is_known
    pace.add(1, 0.1)
    assert pace.rate == 10.0
    assert pace.size(1_000) == 8


def test_where_fewer_cost_no_less_portions_stay_whole() -> None:
    found = portions(Pace(1, 4_096, first=1_024, least=1_024), 5_000, 1e-2)
    assert found == [1_024, 1_024, 1_024, 1_024, 904]


def test_a_simulator_that_becomes_slower_has_smaller_portions() -> None:
    pace = Pace(1, 1_024)
    for _ in range(20):
        pace.add(30, 3.0)
    before = pace.size(10_000)
    for _ in range(20):
        pace.add(30, 30.0)
    assert before == 30
    assert pace.size(10_000) == 3
