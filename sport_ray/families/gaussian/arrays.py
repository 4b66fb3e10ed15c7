"""The projection on numpy arrays: broadcasting, argument checks, and the two entry points.

Errors name the argument and the first bad index in the broadcast shape; nothing is returned then.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from sport_ray.families.gaussian.kernels import (
    ARGUMENTS,
    NOT_FLOAT32,
    log_ratio_rows,
    project_rows,
)

_MEANING = ("be finite", "be finite and > 0", "be finite", "be finite and > 0",
            "be finite and >= 0")  # fmt: skip


def project_kl_arrays(
    mean_base: Any,
    std_base: Any,
    mean_task: Any,
    std_task: Any,
    log_alpha: Any,
    out_float32: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project task Gaussians onto max log ratio <= log_alpha; ``(mean, std, max_log_ratio)``.

    As :func:`project_kl`, on arrays (..., D) with float64 results. With
    ``out_float32`` the returned values are float64 numbers that float32 represents exactly, so
    that casting them changes nothing; the base must then be representable too (it is what is
    returned when nothing else is feasible), or a ValueError names the first index that is not.
    """
    inputs = [np.asarray(x, dtype=np.float64) for x in (mean_base, std_base, mean_task, std_task)]
    shape, rows = as_rows(inputs)
    limit, limit_shape = as_limits(log_alpha, shape[:-1])
    mean, std = np.empty_like(rows[0]), np.empty_like(rows[0])
    count = len(mean)
    ratio, lam = np.empty(count), np.empty(count)
    code = project_rows(*rows, limit, bool(out_float32), mean, std, ratio, lam,
                        np.empty((1, shape[-1])))  # fmt: skip
    if code[0]:
        raise_bad(code, shape, limit_shape, (*rows, limit))
    return mean.reshape(shape), std.reshape(shape), ratio.reshape(shape[:-1])


def max_log_ratio_arrays(mean: Any, std: Any, mean_base: Any, std_base: Any) -> np.ndarray:
    """As :func:`max_log_ratio`, on arrays (..., D); float64 (...)."""
    inputs = [np.asarray(x, dtype=np.float64) for x in (mean, std, mean_base, std_base)]
    shape, rows = as_rows(inputs)
    ratio = np.empty(len(rows[0]))
    code = log_ratio_rows(*rows, ratio)
    if code[0]:
        raise_bad(code, shape, (), (rows[2], rows[3], rows[0], rows[1]),
                  ("mean_base", "std_base", "mean", "std"))  # fmt: skip
    return ratio.reshape(shape[:-1])


def as_rows(inputs: list[np.ndarray]) -> tuple[tuple[int, ...], list[np.ndarray]]:
    """Common shape (..., D) of the inputs, and the inputs as contiguous (N, D) arrays."""
    shape = inputs[0].shape
    if any(x.shape != shape for x in inputs):
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        inputs = [np.array(np.broadcast_to(x, shape)) for x in inputs]
    if not shape or shape[-1] == 0:
        raise ValueError(f"means and stds must have shape (..., D) with D >= 1, got {shape}")
    return shape, [np.ascontiguousarray(x).reshape(-1, shape[-1]) for x in inputs]


def as_limits(log_alpha: Any, lead: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """log_alpha as a contiguous (N,) or (1,) array, and the shape its errors are indexed in."""
    limit = np.asarray(log_alpha, dtype=np.float64)
    if limit.ndim == 0 or limit.size == 1:
        return limit.reshape(1), limit.shape
    if np.broadcast_shapes(limit.shape, lead) != lead:
        raise ValueError(f"log_alpha of shape {limit.shape} does not broadcast to {lead}")
    return np.array(np.broadcast_to(limit, lead)).reshape(-1), lead


def raise_bad(
    code: tuple[int, int, int],
    shape: tuple[int, ...],
    limit_shape: tuple[int, ...],
    values: tuple[np.ndarray, ...],
    names: tuple[str, ...] = ARGUMENTS,
) -> NoReturn:
    """ValueError naming the argument, its first bad index and the value there."""
    number, row, dim = (int(x) for x in code)
    which = (number - 1) % NOT_FLOAT32
    if which == 4:
        limit = values[4]
        row = row if limit.size > 1 else 0
        index = tuple(int(i) for i in np.unravel_index(row, limit_shape)) if limit_shape else ()
        value = limit[row]
    else:
        index = (*(int(i) for i in np.unravel_index(row, shape[:-1])), dim) if shape[1:] else (dim,)
        value = values[which][row, dim]
    need = _MEANING[which] if number <= NOT_FLOAT32 else "be representable in float32"
    raise ValueError(f"{names[which]} must {need}, got {float(value)!r} at index {index}")
