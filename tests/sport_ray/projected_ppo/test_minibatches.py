"""Minibatches by a given generator are RLlib's, were its permutations the same."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.minibatch_utils import MiniBatchCyclicIterator

from sport_ray.projected_ppo.minibatches import cut, minibatches

SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32 - 1)


def rllibs(count: int, size: int, epochs: int, **kwargs) -> MiniBatchCyclicIterator:
    """RLlib's iterator over a batch whose column holds the numbers of its rows."""
    rows = SampleBatch({"row": torch.arange(count), "twice": 2.0 * torch.arange(count)})
    return MiniBatchCyclicIterator(
        MultiAgentBatch({"policy": rows}, env_steps=count),
        num_epochs=epochs,
        minibatch_size=size,
        **kwargs,
    )


def rows_of(batches) -> list[list[int]]:
    return [batch.policy_batches["policy"]["row"].tolist() for batch in batches]


@given(count=SIZES, size=SIZES, epochs=st.integers(1, 5), seed=SEEDS)
def test_they_are_rllibs_for_the_same_permutations(count, size, epochs, seed):
    with patch("numpy.random.permutation", np.random.default_rng(seed).permutation):
        expected = rows_of(rllibs(count, size, epochs))
    found = minibatches(count, size, epochs, np.random.default_rng(seed))
    assert [rows.tolist() for rows in found] == expected


@given(
    count=SIZES,
    size=SIZES,
    epochs=st.integers(1, 5),
    total=st.integers(0, 12),
    shuffled=st.booleans(),
    seed=SEEDS,
)
def test_a_batch_is_cut_as_rllib_cuts_it(count, size, epochs, total, shuffled, seed):
    """Every column by the same rows, as often as several learners need, and in order where told."""
    options = {"num_total_minibatches": total, "shuffle_batch_per_epoch": shuffled}
    with patch("numpy.random.permutation", np.random.default_rng(seed).permutation):
        expected = list(rllibs(count, size, epochs, **options))
    generator = np.random.default_rng(seed)
    found = list(cut(rllibs(count, size, epochs, **options), generator))
    assert rows_of(found) == rows_of(expected)
    for mine, its in zip(found, expected, strict=True):
        assert mine.env_steps() == its.env_steps()
        ours, theirs = mine.policy_batches["policy"], its.policy_batches["policy"]
        assert len(ours) == len(theirs) == size
        assert torch.equal(ours["twice"], theirs["twice"])


@given(count=SIZES, size=SIZES, epochs=st.integers(1, 5), seed=SEEDS)
def test_every_row_is_seen_once_in_each_epoch(count, size, epochs, seed):
    order = np.concatenate(minibatches(count, size, epochs, np.random.default_rng(seed)))
    assert len(order) >= count * epochs
    assert order[:count].tolist() == list(range(count))
    for epoch in range(epochs):
        seen = order[epoch * count : (epoch + 1) * count]
        assert sorted(seen.tolist()) == list(range(count))


@pytest.mark.parametrize("numbers", [(0, 2, 1), (5, 0, 1), (5, 2, 0)])
def test_what_makes_no_minibatch_is_refused(numbers):
    with pytest.raises(ValueError, match=r"epochs must be|cannot make minibatches"):
        minibatches(*numbers, np.random.default_rng(0))
