"""The Gaussian's mathematics on a device: what ``families.gaussian`` calls for CUDA tensors.

``projection`` is the entry to a Triton kernel (``projection_kernel``: ``solution``, ``rounding``
and the small pieces in ``tiles``), which keeps every promise of ``kernels``; ``formulas`` are torch
operations. Triton is imported on first use: it comes with torch where torch has CUDA on Linux.

No number passes through the host. Arguments are judged on the device as well: one flag comes back,
and the compiled code on the host then names what is wrong. While a CUDA graph is captured nothing
comes back; bad rows are NaN, which every later check refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sport_ray.families.gaussian.device import formulas
from sport_ray.families.gaussian.device.projection import has_triton, project_rows

Shape = tuple[int, ...]


class Refused(Exception):
    """Arguments that describe no Gaussian: the host's own code says which."""


def holds(given: Sequence[Any]) -> bool:
    """Whether these are tensors of a CUDA device that Triton can be used on."""
    return any(isinstance(x, Tensor) and x.is_cuda for x in given) and has_triton()


def project(
    inputs: Sequence[Any], log_alpha: Any, single: bool, keep: bool
) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    """As ``projection._project``: (mean, std, (rows, lam, w))."""
    shape, rows, limits = _rows(inputs, log_alpha, single)
    found = project_rows(rows[0], rows[1], rows[2], rows[3], limits, keep=keep)
    if _any((~torch.isfinite(found.ratio)).any()):
        raise Refused
    if keep:  # torch may change its tensors in place before the backward pass
        rows = [x.clone() for x in rows]
    return found.mean.reshape(shape), found.std.reshape(shape), (rows, found.lam, found.w)


def pull_back(
    rows: Sequence[Tensor], lam: Tensor, w: Tensor, grad_mean: Tensor, grad_std: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient with respect to (mean_task, std_task), like ``grad_mean``."""
    shape = grad_mean.shape
    grads = [x.reshape(rows[0].shape) for x in (grad_mean, grad_std)]
    found = formulas.pull_back(tuple(rows), lam, w, grads[0], grads[1])
    to_mean, to_std = (x.reshape(shape).to(grad_mean) for x in found)
    return to_mean, to_std


def max_log_ratio(given: Sequence[Any]) -> Tensor:
    """As ``projection.max_log_ratio``."""
    place = _place(given)
    mean, std, mean_base, std_base = (torch.as_tensor(x, device=place) for x in given)
    found = formulas.max_log_ratio(mean, std, mean_base, std_base)
    if _any(torch.isnan(found).any()):
        raise Refused
    return found


def project_mean_shift(inputs: Sequence[Any], radius: Any, single: bool) -> tuple[Tensor, Tensor]:
    """As ``mean_shift.project_mean_shift``."""
    shape, rows, limits = _rows(inputs, radius, single)
    found = formulas.project_mean_shift(rows[0], rows[1], rows[2], limits)
    if _any(torch.isnan(found).any()):
        raise Refused
    return found.reshape(shape), rows[1].clone().reshape(shape)


def _rows(inputs: Sequence[Any], limit: Any, single: bool) -> tuple[Shape, list[Tensor], Tensor]:
    """The common shape (..., D), the inputs as contiguous (N, D), the limits as (N,) or (1,)."""
    place, dtype = _place(inputs), torch.float32 if single else torch.float64
    tensors = [torch.as_tensor(x, device=place).detach().to(dtype) for x in inputs]
    shape = torch.broadcast_shapes(*(x.shape for x in tensors))
    if not shape or shape[-1] == 0:
        raise ValueError(f"means and stds must have shape (..., D) with D >= 1, got {tuple(shape)}")
    rows = [x.expand(shape).reshape(-1, shape[-1]).contiguous() for x in tensors]
    if isinstance(limit, int | float):  # filled there: nothing to copy, which a graph could not
        limits = torch.full((1,), float(limit), dtype=torch.float64, device=place)
    else:
        limits = torch.as_tensor(limit, dtype=torch.float64, device=place).detach()
    if limits.numel() == 1:
        return tuple(shape), rows, limits.reshape(1)
    lead = shape[:-1]
    if torch.broadcast_shapes(limits.shape, lead) != lead:
        raise ValueError(f"a limit of shape {tuple(limits.shape)} does not broadcast to {lead}")
    return tuple(shape), rows, limits.expand(lead).reshape(-1).contiguous()


def _place(given: Sequence[Any]) -> torch.device:
    places = {x.device for x in given if isinstance(x, Tensor)}
    if len(places) > 1:
        raise ValueError(f"means and stds are on several devices: {', '.join(map(str, places))}")
    return places.pop()


def _any(flag: Tensor) -> bool:
    """The flag, which the host waits for; False while a graph is captured, where it cannot."""
    if flag.is_cuda and torch.cuda.is_current_stream_capturing():
        return False
    return bool(flag)
