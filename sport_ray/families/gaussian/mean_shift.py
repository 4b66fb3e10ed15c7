"""Mean shifts only: projection onto a ball in the base's own units, in closed form."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor

from sport_ray.compiled import njit
from sport_ray.families.family import Numbers, as_array
from sport_ray.families.gaussian import device
from sport_ray.families.gaussian.arrays import as_limits, as_rows, raise_bad
from sport_ray.families.gaussian.projection import as_given, promoted

_U = 2.0**-53
_NAMES = ("mean_base", "std_base", "mean_task", "", "radius")


def project_mean_shift(
    mean_base: Numbers, std_base: Numbers, mean_task: Numbers, radius: float | Tensor
) -> tuple[Any, Any]:
    """Scale the mean shift onto sum_i (shift_i / std_base_i)^2 <= radius^2; std is the base's.

        mean = mean_base + shift min(1, radius / ‖shift / std_base‖), shift = mean_task - mean_base

    the closest Gaussian of that set in KL to N(mean_task, std_base). Arguments (..., D), float32
    or float64, all arrays or all tensors, as the results are; ``radius`` a finite number >= 0 or a
    tensor broadcasting to (...). A feasible task is returned bit for bit, radius 0 returns the
    base; otherwise every mean is rounded towards the base and the squared sum of the returned
    numbers, with the rounding error of its float64 evaluation added, is <= radius^2. No gradient.
    ValueError names the argument and index.

    Source: the ball of the Gaussian trade-off (arXiv 1905.02383; docs/bounds.md, section 6).
    """
    inputs = (mean_base, std_base, mean_task)
    dtype = promoted(inputs)
    if device.holds(inputs):
        with suppress(device.Refused):
            return device.project_mean_shift(inputs, radius, dtype is np.float32)
    shape, rows = as_rows([as_array(x, dtype) for x in inputs])
    bound = as_array(radius, np.float64) if isinstance(radius, Tensor) else radius
    limit, limit_shape = as_limits(bound, shape[:-1])
    mean, std = np.empty_like(rows[0]), rows[1].copy()
    code = _shift_rows(*rows, limit, dtype is np.float32, mean)
    if code[0]:
        raise_bad(code, shape, limit_shape, (*rows, rows[0], limit), _NAMES)
    return as_given(mean.reshape(shape), mean_base), as_given(std.reshape(shape), mean_base)


@njit(nogil=True, error_model="numpy")
def _length(mean, m, s):
    """Euclidean norm of (mean - m) / s, scaled against overflow; within (D + 8) u of exact."""
    top = 0.0
    for i in range(m.shape[0]):
        top = max(top, abs(np.float64(mean[i]) - np.float64(m[i])) / np.float64(s[i]))
    if top in (0.0, math.inf):
        return top
    total = 0.0
    for i in range(m.shape[0]):
        x = (np.float64(mean[i]) - np.float64(m[i])) / np.float64(s[i]) / top
        total += x * x
    return top * math.sqrt(total)


@njit(nogil=True, error_model="numpy")
def _shift_rows(m, s, mt, radius, single, mean):
    rows, dims = m.shape
    for k in range(rows):
        r = radius[k] if radius.shape[0] > 1 else radius[0]
        if not (r >= 0.0 and r < math.inf):
            return 5, k, 0
        for i in range(dims):
            if not math.isfinite(m[k, i]):
                return 1, k, i
            if not (math.isfinite(s[k, i]) and s[k, i] > 0.0):
                return 2, k, i
            if not math.isfinite(mt[k, i]):
                return 3, k, i
            mean[k, i] = mt[k, i]
        length = _length(mt[k], m[k], s[k])
        if length <= r:
            continue
        if length == math.inf:  # offsets beyond float64: the base is inside
            for i in range(dims):
                mean[k, i] = m[k, i]
            continue
        inside = r * (1.0 - (4.0 * dims + 32.0) * _U)
        scale = inside / length
        for i in range(dims):
            base = np.float64(m[k, i])
            offset = scale * (np.float64(mt[k, i]) - base)
            mean[k, i] = base + offset
            # towards the base, never past it
            if abs(np.float64(mean[k, i]) - base) > abs(offset):
                mean[k, i] = np.nextafter(mean[k, i], m[k, i])
        if not _length(mean[k], m[k], s[k]) <= inside * (1.0 + 16.0 * _U):
            for i in range(dims):
                mean[k, i] = m[k, i]
    return 0, 0, 0
