"""Which rows of a batch make each minibatch: RLlib's rule, by permutations of a given generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a device needs no RLlib
    from ray.rllib.policy.sample_batch import MultiAgentBatch
    from ray.rllib.utils.minibatch_utils import MiniBatchCyclicIterator

Rows = NDArray[np.intp]
CLIP_WINDOW = 64
"""The last minibatches of an update that ``clip_fraction`` is the mean of."""


def minibatches(count: int, size: int, epochs: int, generator: np.random.Generator | None) -> Rows:
    """Row indices of each minibatch, (m, size), until all rows were seen ``epochs`` times.

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

    >>> minibatches(5, 2, 1, None).tolist()
    [[0, 1], [2, 3], [4, 0]]
    """
    return _first(num_minibatches(count, size, epochs), count, size, generator)


def num_minibatches(count: int, size: int, epochs: int) -> int:
    """How many that are: ⌈epochs · count / size⌉; refuses what makes none."""
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if min(count, size) < 1:
        raise ValueError(f"{count} rows cannot make minibatches of {size}")
    return -(-epochs * count // size)


def _first(total: int, count: int, size: int, generator: np.random.Generator | None) -> Rows:
    """That many minibatches; an epoch that ends with the last of them is permuted, too."""
    orders = [np.arange(count)]
    for _ in range(total * size // count):
        order = orders[-1]
        orders.append(order if generator is None else order[generator.permutation(count)])
    return np.concatenate(orders)[: total * size].reshape(total, size)


def cut(
    cyclic: MiniBatchCyclicIterator, generator: np.random.Generator
) -> Iterator[MultiAgentBatch]:
    """What RLlib's iterator over one module's batch would give, but for whose permutations.

    RLlib's own permutes all columns of the batch by numpy's global generator; here rows are taken
    by their indices.
    """
    import torch
    from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

    ((module_id, batch),) = cyclic._batch.policy_batches.items()
    count, size, total = len(batch), cyclic._minibatch_size, cyclic._num_total_minibatches
    shuffled = generator if cyclic._shuffle_batch_per_epoch else None
    needed = num_minibatches(count, size, cyclic._num_epochs)
    columns = dict(batch)
    # Several learners: as many as the one with most rows needs.
    for rows in _first(total or needed, count, size, shuffled):
        index = torch.from_numpy(rows).to(next(iter(columns.values())).device)
        part = SampleBatch({name: column[index] for name, column in columns.items()})
        yield MultiAgentBatch({module_id: part}, env_steps=len(cyclic._batch))
