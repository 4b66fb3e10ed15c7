"""Entry points on tensors and arrays: the projection, the rounding onto the grid, the ratios."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families.categorical.gradient import Projected, Rounded
from sport_ray.families.categorical.kernels import (
    BASE_BAD,
    FLOOR_BAD,
    FREE,
    LIMIT_BAD,
    project_rows,
    ratio_rows,
    round_rows,
)
from sport_ray.families.family import Array, Numbers, as_array


def project(
    log_weights: Numbers,
    task: Numbers,
    base: Numbers,
    limit: float | Tensor,
    floor: float | Tensor = 0.0,
) -> Any:
    """Project weights onto κ q_j ≤ p_j ≤ e^c q_j: the closest in KL(p ‖ w) of all categoricals.

        p_j = clip(K w_j, κ q_j, e^c q_j),  Σ_j p_j = 1

    on the grid: multiples of 2^-52, rounded inwards, so that the bounds hold in exact arithmetic
    and for log(p_j / q_j) as float64 computes it. A task inside is returned bit for bit; c = 0 or
    κ = 1 return the base bit for bit. Where w_j > 0 can hold no more, the rest is shared among
    w_j = 0 in proportion to q_j. Expected linear in n.

    Args:
        log_weights: log w (..., n), any normalisation, −inf where w_j = 0.
        task: the same weights on the grid (..., n); base: q on the grid; leading dimensions
            broadcast. Results are arrays for arrays, tensors for tensors.
        limit: c, nats, ≥ 0 or inf; floor: κ in [0, 1]; numbers or tensors (...).

    Gradients reach ``log_weights``: bounded entries have none, the others are a softmax over what
    is left for them.

    Raises:
        ValueError: a limit or floor outside its range, or numbers that are not on the grid.

    Source: docs/bounds.md, section on selection; proof of the form in kernels.py.
    """
    if isinstance(log_weights, Tensor) and log_weights.requires_grad and torch.is_grad_enabled():
        found: Tensor = Projected.apply(  # type: ignore[no-untyped-call]
            log_weights, task, base, limit, floor, _project
        )
        return found
    return as_given(_project(log_weights, task, base, limit, floor)[0], task)


def on_grid(log_weights: Numbers) -> Any:
    """The member closest to weights (..., n): softmax in multiples of 2^-52 that sum to one.

    Within a unit of the softmax in every entry. Differentiable, as the softmax is.

    Raises:
        ValueError: no entry, NaN, +inf, or no weight above 0.
    """
    if isinstance(log_weights, Tensor) and log_weights.requires_grad and torch.is_grad_enabled():
        found: Tensor = Rounded.apply(log_weights, _round)  # type: ignore[no-untyped-call]
        return found
    return as_given(_round(log_weights), log_weights)


def log_ratio_range(member: Numbers, base: Numbers) -> tuple[Tensor, Tensor]:
    """Log of the largest and of the smallest p_j / q_j, nats, float64 (...); outcomes with either.

    Raises:
        ValueError: numbers that are not on the grid.
    """
    (p, q), lead = _rows(member, base)
    most, least = np.empty((2, len(p)))
    code = ratio_rows(p, q, most, least)
    if code[0]:
        _raise_bad(code, lead, np.zeros(1), np.zeros(1))
    return torch.from_numpy(most.reshape(lead)), torch.from_numpy(least.reshape(lead))


def as_given(found: NDArray[Any], like: Numbers) -> Any:
    """The array, or a tensor where the given one is."""
    return torch.from_numpy(found).to(like.device) if isinstance(like, Tensor) else found


def _project(
    log_weights: Numbers, task: Numbers, base: Numbers, limit: Any, floor: Any
) -> tuple[Array, NDArray[np.bool_]]:
    """The projection and which entries are free, (..., n)."""
    (logw, p, q), lead = _rows(log_weights, task, base)
    c, kappa = (_each(x, lead, len(p)) for x in (limit, floor))
    found, state = np.empty(p.shape), np.empty(p.shape, np.uint8)
    code = project_rows(logw, p, q, c, kappa, found, state)
    if code[0]:
        _raise_bad(code, lead, c, kappa)
    shape = (*lead, p.shape[-1])
    return found.reshape(shape), (state == FREE).reshape(shape)


def _round(log_weights: Numbers) -> Array:
    (logw,), lead = _rows(log_weights)
    found = np.empty(logw.shape)
    code = round_rows(logw, found)
    if code[0]:
        raise ValueError(
            f"log weights must be finite or -inf, one at least finite, {_where(code[1], lead)}"
        )
    return found.reshape(*lead, logw.shape[-1])


def _are_rows(given: tuple[Numbers, ...]) -> bool:
    """Whether all are contiguous float64 arrays of one shape (N, n), n > 0."""
    shape = given[0].shape
    return (
        len(shape) == 2
        and shape[1] > 0
        and all(
            isinstance(x, np.ndarray)
            and x.dtype == np.float64
            and x.shape == shape
            and x.flags.c_contiguous
            for x in given
        )
    )


def _rows(*given: Numbers) -> tuple[list[Array], tuple[int, ...]]:
    """As contiguous arrays (N, n), the last (1, n) where it is one row; and the leading shape."""
    if _are_rows(given):  # an episode's step: the rest takes longer than the kernels
        return list(given), given[0].shape[:1]  # type: ignore[arg-type]
    arrays = [as_array(x, np.float64) for x in given]
    size = arrays[0].shape[-1] if arrays[0].ndim else 0
    if size == 0 or any(x.ndim == 0 or x.shape[-1] != size for x in arrays):
        raise ValueError(f"categoricals need one shape (..., n), got {[x.shape for x in arrays]}")
    lead = np.broadcast_shapes(*(x.shape[:-1] for x in arrays))
    for i, x in enumerate(arrays):
        alone = i > 0 and i == len(arrays) - 1 and x.size == size
        if not alone and x.shape[:-1] != lead:
            x = np.broadcast_to(x, (*lead, size))
        arrays[i] = np.ascontiguousarray(x.reshape(-1, size))
    return arrays, lead


def _each(value: float | Tensor, lead: tuple[int, ...], count: int) -> Array:
    """A limit as (N,) or (1,)."""
    each = as_array(value, np.float64) if isinstance(value, Tensor) else np.float64(value)
    if each.size == 1:
        return np.reshape(each, 1)
    if np.broadcast_shapes(each.shape, lead) != lead:
        raise ValueError(f"a limit of shape {each.shape} does not broadcast to {lead}")
    return np.ascontiguousarray(np.broadcast_to(each, lead)).reshape(count)


def _where(row: int, lead: tuple[int, ...]) -> str:
    index = tuple(int(i) for i in np.unravel_index(row, lead)) if lead else ()
    return f"not so at index {index}"


def _raise_bad(code: tuple[int, int], lead: tuple[int, ...], c: Array, kappa: Array) -> NoReturn:
    kind, row = code
    if kind in (LIMIT_BAD, FLOOR_BAD):
        value = (c, kappa)[kind - LIMIT_BAD][row if (c, kappa)[kind - LIMIT_BAD].size > 1 else 0]
        name, need = ("limit", "be >= 0") if kind == LIMIT_BAD else ("floor", "lie in [0, 1]")
        raise ValueError(f"{name} must {need}, got {float(value)!r} at row {row}")
    name = "base probabilities" if kind == BASE_BAD else "probabilities"
    raise ValueError(f"{name} must be multiples of 2^-52 that sum to one, {_where(row, lead)}")
