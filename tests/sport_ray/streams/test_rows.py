"""Streams in the place of generators: the same numbers, whoever draws how."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.families import Categorical, Gaussian
from sport_ray.streams import StreamTable, normal_rows, seeded, uniform_rows

SLOTS = 5


def table_and_reference() -> tuple[StreamTable, list[np.random.Generator]]:
    """Five streams, and numpy's generators of the same seeds."""
    table = StreamTable(SLOTS)
    table.start(np.arange(SLOTS), seeded(3, 1, np.arange(SLOTS))[1])
    reference = [
        np.random.default_rng(np.random.SeedSequence(3, spawn_key=(1, index)).spawn(2)[1])
        for index in range(SLOTS)
    ]
    return table, reference


SLOT = st.integers(0, SLOTS - 1)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["normal", "uniform", "integers"]),
        st.lists(SLOT, min_size=1, max_size=SLOTS, unique=True),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(ACTIONS)
def test_numbers_of_many_and_of_one_follow_each_other(actions):
    """``integers`` is drawn from a generator: the stream then lives in there."""
    table, reference = table_and_reference()
    for what, slots, size in actions:
        rows = table.rows(np.array(slots))
        own = [reference[slot] for slot in slots]
        if what == "integers":
            got = [row.integers(10**9, size=size) for row in rows]
            want = [one.integers(10**9, size=size) for one in own]
        elif what == "normal":
            got, want = normal_rows(rows, size), [one.standard_normal(size) for one in own]
        else:
            got, want = uniform_rows(rows, size), [one.random(size) for one in own]
        assert np.array_equal(got, want)


def test_nobody_pays_for_a_generator_that_nobody_asks_for():
    table, _ = table_and_reference()
    normal_rows(table.rows(np.arange(SLOTS)), 3)
    assert not table.generators
    first = table.rows(np.array([2, 4]))[1]
    assert set(table.generators) == {4}
    assert table.rows(np.array([4]))[0] is first
    assert len(table.rows(np.arange(SLOTS))[1:3]) == 2


def test_a_slot_that_starts_anew_forgets_its_generator():
    table, reference = table_and_reference()
    table.generator(0).random(7)
    table.start(np.array([0, 1]), seeded(3, 1, np.array([1, 0]))[1])
    got = uniform_rows(table.rows(np.arange(SLOTS)), 4)
    order = [reference[1], reference[0], *reference[2:]]
    assert np.array_equal(got, [one.random(4) for one in order])


def test_lists_of_generators_give_the_same():
    table, reference = table_and_reference()
    rows = table.rows(np.arange(SLOTS))
    assert np.array_equal(normal_rows(rows, 6), normal_rows(reference, 6))
    assert np.array_equal(uniform_rows(rows, 6), uniform_rows(reference, 6))
    one = np.random.default_rng(1)
    again = np.random.default_rng(1).standard_normal(6).reshape(2, 3)
    assert np.array_equal(normal_rows([one, one], 3), again)


def test_families_draw_from_them_what_they_draw_from_generators():
    for family in (Gaussian, Categorical):
        table, reference = table_and_reference()
        rows = table.rows(np.arange(SLOTS))
        each = np.stack([family.draw_noise(one, 4, 3) for one in reference])
        assert np.array_equal(family.draw_each(rows, 4, 3), each)
        step = np.concatenate([family.draw_noise(one, 1, 3) for one in reference])
        assert np.array_equal(family.draw_rows(rows, 3), step)
        assert not table.generators
