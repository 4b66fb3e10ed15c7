"""Torch entry points: the KL projection, the max log ratio and the KL between Gaussians."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families.family import Numbers, as_array
from sport_ray.families.gaussian import device
from sport_ray.families.gaussian.arrays import as_limits, as_rows, max_log_ratio_arrays, raise_bad
from sport_ray.families.gaussian.gradient import pull_back
from sport_ray.families.gaussian.kernels import project_rows

DTYPES: dict[Any, type[np.floating[Any]]] = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    np.dtype(np.float32): np.float32,
    np.dtype(np.float64): np.float64,
}


def project_kl(
    mean_base: Numbers,
    std_base: Numbers,
    mean_task: Numbers,
    std_task: Numbers,
    log_alpha: float | Tensor,
) -> tuple[Any, Any]:
    """Project a diagonal Gaussian onto those with density ratio <= alpha to the base.

    ``argmin KL(N(mean, std) || N(mean_task, std_task))`` subject to

        max_log_ratio(mean, std, mean_base, std_base) <= log_alpha.

    A feasible task is returned bit for bit, and ``log_alpha = 0`` returns the base bit for bit.
    The bound holds for the returned numbers in their own dtype, exactly and in any float64
    evaluation (argument in kernels.py), and std <= std_base. The objective is within 1e-9
    (relative) of the minimum in float64, unless the numbers around it are too coarse to say so
    (docs/architecture.md). Tensors on a CUDA device stay there (families.gaussian.device): another
    kernel with the same promises, whose numbers may differ in last bits.

    Args:
        mean_base, std_base, mean_task, std_task: (..., D), float32 or float64 (mixed: float64);
            leading dimensions broadcast. Results have the promoted dtype; they are arrays for
            arrays, tensors for tensors.
        log_alpha: nats per step, finite and >= 0; a number or a tensor that broadcasts to (...).

    Gradients (first order) reach ``mean_task`` and ``std_task`` only.

    Raises:
        ValueError: a non-finite mean, a std that is not finite and > 0, a log_alpha that is not
            finite and >= 0 (naming the argument and its first bad index), another dtype, or a
            base or log_alpha that requires a gradient.

    Source: arXiv 2504.06386, section 4; the solution is derived in kernels.py.
    """
    inputs = (mean_base, std_base, mean_task, std_task)
    if isinstance(mean_task, Tensor) and isinstance(std_task, Tensor) and torch.is_grad_enabled():
        fixed = {"mean_base": mean_base, "std_base": std_base, "log_alpha": log_alpha}
        for name, value in fixed.items():
            if isinstance(value, Tensor) and value.requires_grad:
                raise ValueError(
                    f"{name} requires a gradient, but the projection is differentiable in "
                    f"mean_task and std_task only: detach {name}"
                )
        if mean_task.requires_grad or std_task.requires_grad:
            dtype = torch.float32 if promoted(inputs) is np.float32 else torch.float64
            shape = torch.broadcast_shapes(*(x.shape for x in inputs))
            mean_task, std_task = (x.to(dtype).expand(shape) for x in (mean_task, std_task))
            found: tuple[Tensor, Tensor] = _ProjectKL.apply(  # type: ignore[no-untyped-call]
                mean_base, std_base, mean_task, std_task, log_alpha
            )
            return found
    mean, std, _ = _project(inputs, log_alpha, keep=False)
    return mean, std


def max_log_ratio(mean: Numbers, std: Numbers, mean_base: Numbers, std_base: Numbers) -> Tensor:
    """Log max_a N(a; mean, std) / N(a; mean_base, std_base), in nats, float64, shape (...).

        sum_i [ log(std_base_i / std_i) + (mean_i - mean_base_i)^2 / (2 (std_base_i^2 - std_i^2)) ]

    evaluated in float64 on the numbers as they are, to a few units in the last place; infinite
    where some std_i > std_base_i, or std_i = std_base_i with another mean. Arguments (..., D).
    Raises ValueError on non-finite means and on stds that are not finite and > 0.
    """
    given = (mean, std, mean_base, std_base)
    if device.holds(given):
        with suppress(device.Refused):
            return device.max_log_ratio(given)
    found = torch.as_tensor(max_log_ratio_arrays(*(as_array(x, np.float64) for x in given)))
    return found.to(mean.device) if isinstance(mean, Tensor) else found


def kl_divergence(mean: Tensor, std: Tensor, mean_task: Tensor, std_task: Tensor) -> Tensor:
    """KL(N(mean, std) || N(mean_task, std_task)) in nats, float64, shape (...).

        sum_i [ (x_i - 1 - log x_i) / 2 + (mean_i - mean_task_i)^2 / (2 std_task_i^2) ],

    x = (std / std_task)^2. Differentiable; close to std_task the first part is evaluated by its
    series, so that small divergences keep their digits.
    """
    mean, std, mean_task, std_task = (x.double() for x in (mean, std, mean_task, std_task))
    e = (std - std_task) / std_task
    x = e * (2.0 + e)  # (std / std_task)^2 - 1
    series = x * x * (0.5 - x * (1 / 3 - x * (0.25 - x * (0.2 - x / 6))))
    near = x.abs() < 1e-3
    direct = x - 2.0 * (std / std_task).log()
    offset = (mean - mean_task) / std_task
    return (0.5 * (torch.where(near, series, direct) + offset * offset)).sum(-1)


class _ProjectKL(torch.autograd.Function):
    """The projection with its implicit first derivative (gradient.py)."""

    @staticmethod
    def forward(ctx: Any, mb: Tensor, sb: Tensor, mt: Tensor, st: Tensor, log_alpha: Any) -> Any:
        mean, std, saved = _project((mb, sb, mt, st), log_alpha, keep=True)
        ctx.saved = saved
        return mean, std

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_mean: Tensor, grad_std: Tensor) -> Any:
        rows, lam, w = ctx.saved
        if isinstance(w, Tensor):
            return None, None, *device.pull_back(rows, lam, w, grad_mean, grad_std), None
        grads = [as_array(g, np.float64).reshape(rows[0].shape) for g in (grad_mean, grad_std)]
        grads = [np.ascontiguousarray(g) for g in grads]
        out = np.empty_like(w), np.empty_like(w)
        pull_back(*rows, lam, w, *grads, *out)
        back = [torch.from_numpy(x).reshape(grad_mean.shape).to(grad_mean) for x in out]
        return None, None, back[0], back[1], None


def _project(
    inputs: tuple[Numbers, ...], log_alpha: Any, keep: bool
) -> tuple[Any, Any, tuple[Any, ...]]:
    dtype = promoted(inputs)
    if device.holds(inputs):
        with suppress(device.Refused):
            return device.project(inputs, log_alpha, dtype is np.float32, keep)
    shape, rows = as_rows([as_array(x, dtype) for x in inputs])
    if isinstance(log_alpha, Tensor):
        log_alpha = as_array(log_alpha, np.float64)
    limit, limit_shape = as_limits(log_alpha, shape[:-1])
    mean, std = np.empty_like(rows[0]), np.empty_like(rows[0])
    count, dims = mean.shape
    ratio, lam = np.empty(count), np.empty(count)
    w = np.empty((count if keep else 1, dims))
    code = project_rows(*rows, limit, dtype is np.float32, mean, std, ratio, lam, w)
    if code[0]:
        raise_bad(code, shape, limit_shape, (*rows, limit))
    if keep:  # torch may change its tensors in place before the backward pass
        rows = [np.array(x) for x in rows]
    mean, std = (as_given(x.reshape(shape), inputs[0]) for x in (mean, std))
    return mean, std, (rows, lam, w)


def promoted(inputs: tuple[Numbers, ...]) -> type[np.floating[Any]]:
    """The dtype of results; ValueError for means and stds of another than float32 and float64."""
    dtypes = {DTYPES.get(x.dtype) for x in inputs}
    if None in dtypes:
        bad = next(x.dtype for x in inputs if x.dtype not in DTYPES)
        raise ValueError(f"means and stds must be float32 or float64 tensors, got {bad}")
    return np.float32 if dtypes == {np.float32} else np.float64


def as_given(found: NDArray[Any], like: Numbers) -> Any:
    """The array, or a tensor where the given one is."""
    return torch.from_numpy(found).to(like.device) if isinstance(like, Tensor) else found
