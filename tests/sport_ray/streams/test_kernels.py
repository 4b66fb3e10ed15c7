"""The streams of many scenarios at once are numpy's own, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.streams import kernels
from sport_ray.streams.kernels import (
    as_numpy,
    fill_normal,
    fill_uniform,
    generator_of,
    seeded,
    state_of,
)

SEEDS = st.one_of(
    st.integers(0, 2**20), st.integers(0, 2**300), st.sampled_from([2**32 - 1, 2**32, 2**128])
)
INDICES = st.one_of(
    st.integers(0, 2**20), st.integers(0, 2**63 - 1), st.sampled_from([2**32 - 1, 2**32])
)


def numpy_pair(root: int, purpose: int, index: int) -> list[np.random.Generator]:
    """The two generators of a scenario, as numpy makes them."""
    sequence = np.random.SeedSequence(root, spawn_key=(purpose, index))
    return [np.random.default_rng(child) for child in sequence.spawn(2)]


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.integers(0, 2**40), st.lists(INDICES, min_size=1, max_size=5))
def test_every_scenario_is_seeded_as_numpy_seeds_it(root, purpose, indices):
    found = seeded(root, purpose, np.array(indices, dtype=np.int64))
    assert found.shape == (2, len(indices), 4)
    for row, index in enumerate(indices):
        for child, generator in enumerate(numpy_pair(root, purpose, index)):
            assert np.array_equal(found[child, row], state_of(generator))


@settings(max_examples=60, deadline=None)
@given(
    SEEDS,
    INDICES,
    st.lists(st.tuples(st.booleans(), st.integers(1, 300)), min_size=1, max_size=6),
)
def test_what_is_drawn_is_what_numpy_draws_in_any_order(root, index, calls):
    states = seeded(root, 1, np.array([index], dtype=np.int64))[1]
    reference = numpy_pair(root, 1, index)[1]
    row = np.zeros(1, dtype=np.int64)
    for normal, count in calls:
        out = np.empty((1, count))
        (fill_normal if normal else fill_uniform)(states, row, out)
        expected = reference.standard_normal(count) if normal else reference.random(count)
        assert np.array_equal(out[0], expected)
        assert np.array_equal(states[0], state_of(reference))


def test_millions_of_normal_numbers_with_their_tails():
    """Beyond 3.654 numpy takes a branch of its own, one number in 3,700."""
    states = seeded(7, 0, np.arange(8))[1].copy()
    out = np.empty((8, 500_000))
    fill_normal(states, np.arange(8), out)
    for index in range(8):
        assert np.array_equal(out[index], numpy_pair(7, 0, index)[1].standard_normal(500_000))
    assert (np.abs(out) > 3.654).sum() > 500
    assert out.min() < -4.5
    assert out.max() > 4.5


def test_some_rows_move_and_the_others_stay():
    states = seeded(1, 2, np.arange(6))[0].copy()
    before, out = states.copy(), np.empty((2, 3))
    fill_normal(states, np.array([4, 1]), out)
    for row, index in enumerate((4, 1)):
        assert np.array_equal(out[row], numpy_pair(1, 2, index)[0].standard_normal(3))
    assert np.array_equal(states[[0, 2, 3, 5]], before[[0, 2, 3, 5]])


def test_a_generator_goes_on_where_the_row_is():
    states = seeded(9, 0, np.array([3]))[1].copy()
    reference = numpy_pair(9, 0, 3)[1]
    fill_normal(states, np.zeros(1, dtype=np.int64), np.empty((1, 17)))
    reference.standard_normal(17)
    made = generator_of(states[0])
    assert made.bit_generator.state == reference.bit_generator.state
    assert made.integers(10**6, size=9).tolist() == reference.integers(10**6, size=9).tolist()
    assert made.permutation(20).tolist() == reference.permutation(20).tolist()


@pytest.mark.parametrize("rows", [[-1], [2], [0, 1]])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(ValueError, match="rows"):
        fill_normal(seeded(0, 0, np.arange(2))[0], np.array(rows), np.empty((1, 2)))


@pytest.mark.parametrize(
    "changed",
    [
        lambda seed: np.random.Generator(np.random.PCG64DXSM(seed)),
        lambda seed: np.random.Generator(np.random.PCG64(seed).jumped()),
    ],
    ids=["another bit generator", "another seeding"],
)
def test_a_numpy_that_draws_otherwise_is_noticed(monkeypatch, changed):
    assert as_numpy()
    as_numpy.cache_clear()
    try:
        monkeypatch.setattr(kernels.np.random, "default_rng", changed)
        assert not as_numpy()
    finally:
        monkeypatch.undo()
        as_numpy.cache_clear()
    assert as_numpy()
