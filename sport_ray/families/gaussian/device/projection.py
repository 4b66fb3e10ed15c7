"""The projection of tensors on a device: one kernel call, no number passes through the host."""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import NamedTuple

import torch
from torch import Tensor

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether Triton runs its kernels in numpy, on CPU tensors: how they are tested without a GPU."""
_TILE = 64
"""Numbers a program works on; two in each thread of one warp."""
_INTERPRETED_ROWS = 1024
"""The interpreter's cost is per program."""


class Solved(NamedTuple):
    """Projected rows (N, D) in the inputs' dtype, and what the derivative needs, float64.

    ratio (N,): the max log ratio of what is returned, nats; inf where an argument was bad, mean
    and std are NaN there. lam (N,), w (N, D): as ``kernels.project_rows`` gives them, or None.
    """

    mean: Tensor
    std: Tensor
    ratio: Tensor
    lam: Tensor | None
    w: Tensor | None


@functools.cache
def has_triton() -> bool:
    """Whether Triton is installed; without it the CPU's kernel is used for CUDA tensors, too."""
    return importlib.util.find_spec("triton") is not None


def project_rows(
    mean_base: Tensor,
    std_base: Tensor,
    mean_task: Tensor,
    std_task: Tensor,
    limits: Tensor,
    *,
    keep: bool = False,
) -> Solved:
    """As :func:`~sport_ray.families.gaussian.projection.project_kl`, without waiting for a result.

    Args:
        mean_base, std_base, mean_task, std_task: (N, D), contiguous, one dtype (float32 or
            float64) and one device.
        limits: nats, float64, (N,) or (1,).
        keep: also what the derivative needs.

    A row with a bad argument raises nothing: it is NaN (see :class:`Solved`). So nothing waits for
    the device, and the call can be captured in a CUDA graph.
    """
    from sport_ray.families.gaussian.device import projection_kernel

    rows, dims = mean_base.shape
    mean, std = torch.empty_like(mean_base), torch.empty_like(std_base)
    ratio = torch.empty(rows, dtype=torch.float64, device=mean.device)
    lam = torch.empty_like(ratio) if keep else ratio
    w = torch.empty((rows, dims), dtype=torch.float64, device=mean.device) if keep else ratio
    if rows:
        wide = 1 << (dims - 1).bit_length()
        tall = _INTERPRETED_ROWS if INTERPRETED else max(1, _TILE // wide)
        warps = min(8, max(1, wide // 128))
        where = torch.cuda.device(mean.device) if mean.is_cuda else torch.no_grad()
        with where:
            projection_kernel.project_rows[(-(-rows // tall),)](
                mean_base, std_base, mean_task, std_task, limits, mean, std, ratio, lam, w,
                rows, dims, 0 if limits.shape[0] == 1 else 1, mean.dtype == torch.float32, keep,
                tall=tall, wide=wide, num_warps=warps, enable_fp_fusion=False,
            )  # fmt: skip
    return Solved(mean, std, ratio, lam if keep else None, w if keep else None)
