"""One stream for each of n scenarios, in a tensor of a device."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.streams import kernels as host

_THREADS = 128
_INTERPRETED = 4096
_FIRST_LONG = 2**32
"""From this index on a spawn key takes two words; such streams are seeded on the host."""


class DeviceStreams:
    """The streams that actions are drawn from: ``seeding.scenario_generators(…)[1]`` of each.

    On a CUDA device seeds, states and numbers are made there; on a CPU by the compiled code of
    :mod:`sport_ray.streams.kernels`, on the tensors' own memory.

    states: (n, 4) int64, the bits of ``kernels.States``.
    """

    def __init__(
        self, root_seed: int, purpose: int, first: int, count: int, device: torch.device
    ) -> None:
        self.device = device
        self._states = _seeded(root_seed, purpose, first, count, device)

    def normal(self, rows: Tensor, size: int) -> Tensor:
        """Standard normal numbers (m, size) from streams ``rows`` (m,), each at most once.

        In the order of ``standard_normal(size)``; of numbers from beyond 3.65 the last bit may be
        another on a GPU.
        """
        out = torch.empty((len(rows), size), dtype=torch.float64, device=self.device)
        if self.device.type == "cpu":
            states = self._states.numpy().view(np.uint64)
            host.fill_normal(states, rows.numpy(), out.numpy())
            return out
        return draw_normal(self._states, rows, out)


def _seeded(root_seed: int, purpose: int, first: int, count: int, device: torch.device) -> Tensor:
    if device.type == "cpu" or first + count > _FIRST_LONG:
        found = host.seeded(root_seed, purpose, np.arange(first, first + count))[1]
        return torch.from_numpy(np.ascontiguousarray(found).view(np.int64)).to(device)
    indices = torch.arange(first, first + count, dtype=torch.int64, device=device)
    return seed_states(root_seed, purpose, indices, 1)


def seed_states(root_seed: int, purpose: int, indices: Tensor, child: int) -> Tensor:
    """States (n, 4) of a child (0: environment, 1: actions) of scenarios (n,), below 2³²."""
    from sport_ray.streams.device.kernels import seed_kernel

    pool = torch.from_numpy(host.shared_pool(root_seed, purpose)).to(indices.device)
    states = torch.empty((len(indices), 4), dtype=torch.int64, device=indices.device)
    threads = _threads(indices)
    grid = (-(-len(indices) // threads),)
    seed_kernel[grid](indices, states, len(indices), pool, child, threads=threads)
    return states


def draw_normal(states: Tensor, rows: Tensor, out: Tensor) -> Tensor:
    """Fill ``out`` (m, D) from the streams ``rows`` (m,) of states (n, 4) on their device."""
    from sport_ray.streams.device.kernels import normal_kernel

    if len(rows):
        tables, tail = _tables(out.device)
        threads = _threads(out)
        normal_kernel[(-(-len(rows) // threads),)](
            states, rows, out, len(rows), out.shape[1], tables, tail,
            threads=threads, enable_fp_fusion=False,
        )  # fmt: skip
    return out


def _threads(like: Tensor) -> int:
    return _THREADS if like.is_cuda else _INTERPRETED


@functools.cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    limits, widths, heights, tail = host.ziggurat_tables()
    rows: list[NDArray[np.float64]] = [limits.view(np.float64), widths, heights]
    return torch.from_numpy(np.stack(rows)).to(device), torch.from_numpy(tail).to(device)
