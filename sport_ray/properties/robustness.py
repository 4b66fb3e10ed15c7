"""Robustness of a formula on many finite traces at once."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from sport_ray.properties.normal_form import FALSE, TRUE, NormalForm

if TYPE_CHECKING:  # torch takes seconds, and none of it is called here
    from torch import Tensor

Array = NDArray[np.float64]
Values = TypeVar("Values", Array, "Tensor")
"""What ρ is computed in: float64 arrays, or tensors of a device."""


def robustness(
    form: NormalForm, root: int, signals: Mapping[str, Array], lengths: NDArray[np.int64]
) -> Array:
    """ρ of n trajectories, shape (n,), in the signals' unit.

    min for "and", max for "or", −s for a negated proposition; −inf for a strong next at the last
    state and +inf for a weak one; until is

        ρ(l U[a,b] r, t) = max over k in t+a … t+b, k in the trace, of
                           min( ρ(r, k), min over t ≤ j < k of ρ(l, j) ),  −inf without such k,

    and release its dual, −ρ(¬l U[a,b] ¬r, t).

    Args:
        signals: for each proposition (n, L), free of NaN, anything beyond a trajectory's end.
        lengths: states of each trajectory, shape (n,), 1 … L.

    Source: Donzé and Maler, FORMATS 2010; on finite traces as De Giacomo and Vardi, IJCAI 2013.
    """
    width = next(iter(signals.values())).shape[1]
    # Column j is the state with j more to come, so all traces end in column 0, no operator looks
    # at a larger column than its own, and what lies beyond an end never enters.
    reverse = np.maximum(lengths[:, None] - 1 - np.arange(width), 0)
    reversed_signals = {
        name: np.ascontiguousarray(np.take_along_axis(values, reverse, axis=1).T)
        for name, values in signals.items()
    }
    return node_values(form, root, reversed_signals)[lengths - 1, np.arange(len(lengths))]


def node_values(
    form: NormalForm, root: int, signals: Mapping[str, Values], library: ModuleType = np
) -> Values:
    """ρ of one node at every state; axis 0 of the signals counts the states still to come.

    library: numpy or torch, whichever the signals are of. Minima and maxima round nothing, so the
    numbers are the same.
    """
    some = next(iter(signals.values()))
    values: dict[int, Values] = {}
    for index in form.below(root):
        node = form.nodes[index]
        if index in (FALSE, TRUE):
            value = library.full_like(some, np.inf if index == TRUE else -np.inf)
        elif node.op == "literal":
            value = signals[node.name] if node.positive else -signals[node.name]
        elif node.op in ("and", "or"):
            reduce = library.minimum if node.op == "and" else library.maximum
            value = values[node.args[0]]
            for arg in node.args[1:]:
                value = reduce(value, values[arg])
        elif node.op in ("next", "weak next"):
            beyond = -np.inf if node.op == "next" else np.inf
            value = _later(library, values[node.args[0]], 1, beyond)
        elif node.op == "until":
            left, right = values[node.args[0]], values[node.args[1]]
            value = _until(library, left, right, node.low, node.high)
        else:
            left, right = values[node.args[0]], values[node.args[1]]
            value = -_until(library, -left, -right, node.low, node.high)
        values[index] = value
    return values[root]


def _later(library: ModuleType, values: Values, steps: int, beyond: float) -> Values:
    """The values ``steps`` steps later, and ``beyond`` where the trace has ended by then."""
    out: Values = library.full_like(values, beyond)
    if steps < len(values):
        out[steps:] = values[: len(values) - steps]
    return out


def _held(library: ModuleType, values: Values, steps: int) -> Values:
    """The minimum over the next ``steps`` states, at least 1, the present one included."""
    size = 1
    while size < steps:  # two windows that overlap have the minimum of their union
        step = min(size, steps - size)
        values = library.minimum(values, _later(library, values, step, np.inf))
        size += step
    return values


def _until(library: ModuleType, left: Values, right: Values, low: int, high: int | None) -> Values:
    """ρ of left U[low, high] right, by windows of doubling width: O(log high) array operations."""
    last = len(right) - 1
    if low > last:
        return _later(library, right, low, -np.inf)
    width = (last if high is None else min(high, last)) - low + 1
    held, best, size = left, right, 1  # ``held`` over, and ``best`` among, ``size`` states
    while size < width:
        step = min(size, width - size)
        # Of the later window only what lies beyond the first one is new: ``left`` is to hold
        # over all of the first one for that, even where the windows overlap.
        best = library.maximum(best, library.minimum(held, _later(library, best, step, -np.inf)))
        held = library.minimum(held, _later(library, held, step, np.inf))
        size += step
    if low == 0:
        return best
    found: Values = library.minimum(_held(library, left, low), _later(library, best, low, -np.inf))
    return found
