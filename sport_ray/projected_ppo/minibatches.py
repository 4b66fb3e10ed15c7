"""Which rows of a batch make each minibatch: RLlib's rule, by permutations of a given generator."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:  # a device needs no RLlib
    from ray.rllib.policy.sample_batch import MultiAgentBatch
    from ray.rllib.utils.minibatch_utils import MiniBatchCyclicIterator

Rows = NDArray[np.intp]


def minibatches(
    count: int, size: int, epochs: int, generator: np.random.Generator | None
) -> list[Rows]:
    """Row indices of each minibatch, (size,), until all rows were seen ``epochs`` times.

    The first epoch takes the rows in order. After each a permutation of the generator is applied
    to their current order; minibatches go on across epochs, so all have one size.

    Args:
        count: rows of the batch, ≥ 1.
        size: rows of a minibatch, ≥ 1; may be above ``count``.
        epochs: ≥ 1; that many permutations are drawn, or more where a minibatch ends beyond.
        generator: None leaves the rows in their order.

    Raises:
        ValueError: a number below 1.

    Source: RLlib's ``MiniBatchCyclicIterator``.

    >>> [rows.tolist() for rows in minibatches(5, 2, 1, None)]
    [[0, 1], [2, 3], [4, 0]]
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    found = []
    for rows, covered in _endless(count, size, generator):
        found.append(rows)
        if covered >= epochs:
            break
    return found


def _endless(
    count: int, size: int, generator: np.random.Generator | None
) -> Iterator[tuple[Rows, int]]:
    """Minibatches without end, each with the number of epochs that are over after it."""
    if min(count, size) < 1:
        raise ValueError(f"{count} rows cannot make minibatches of {size}")
    order, start, covered = np.arange(count), 0, 0
    while True:
        parts, wanted = [], size
        while start + wanted >= count:
            parts.append(order[start:])
            wanted -= count - start
            start, covered = 0, covered + 1
            if generator is not None:
                order = order[generator.permutation(count)]
        parts.append(order[start : start + wanted])
        start += wanted
        yield np.concatenate(parts), covered


def cut(
    cyclic: MiniBatchCyclicIterator, generator: np.random.Generator
) -> Iterator[MultiAgentBatch]:
    """What RLlib's iterator over one module's batch would give, but for whose permutations.

    RLlib's own permutes all columns of the batch by numpy's global generator; here rows are taken
    by their indices.
    """
    from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

    ((module_id, batch),) = cyclic._batch.policy_batches.items()
    count, size, total = len(batch), cyclic._minibatch_size, cyclic._num_total_minibatches
    shuffled = generator if cyclic._shuffle_batch_per_epoch else None
    chosen: list[Rows]
    if total:  # several learners: as many as the one with most rows needs
        chosen = [rows for rows, _ in itertools.islice(_endless(count, size, shuffled), total)]
    else:
        chosen = minibatches(count, size, cyclic._num_epochs, shuffled)
    columns = dict(batch)
    for rows in chosen:
        index = torch.from_numpy(rows).to(next(iter(columns.values())).device)
        part = SampleBatch({name: column[index] for name, column in columns.items()})
        yield MultiAgentBatch({module_id: part}, env_steps=len(cyclic._batch))
