"""Torch on one thread: sums that are not split repeat to the bit, and a forked process can run it.

The pool of threads that torch starts is not there after a fork, and whoever waits for it waits for
ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on the calling thread alone inside, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
