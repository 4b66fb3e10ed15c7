"""Checks of the signals that a property is evaluated on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def checked_signals(
    names: tuple[str, ...], signals: Mapping[str, ArrayLike], lengths: ArrayLike | None
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """The named signals as float64 (n, L), 0 beyond each trajectory's end, and lengths (n,).

    Raises:
        ValueError: a missing signal, shapes that differ, lengths out of range, or a NaN inside a
            trajectory (a NaN has no verdict).
    """
    arrays: dict[str, NDArray[np.float64]] = {}
    for name in names:
        if name not in signals:
            raise ValueError(f"signal {name!r} is missing; got {sorted(signals)}")
        arrays[name] = np.atleast_2d(np.asarray(signals[name], dtype=np.float64))
    shapes = {array.shape for array in arrays.values()}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) != 2 or shape[1] < 1:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"signals must share a shape (n, L) with L ≥ 1, got {found}")
    count, width = shape
    ends = np.full(count, width) if lengths is None else np.asarray(lengths)
    if ends.dtype.kind not in "iu" or ends.shape != (count,):
        raise ValueError(
            f"lengths must be integers of shape ({count},), got {ends.dtype} {ends.shape}"
        )
    if np.any(ends < 1) or np.any(ends > width):
        raise ValueError(f"lengths must lie in 1 … {width}, got {ends.min()} … {ends.max()}")
    beyond = np.arange(width) >= ends[:, None]
    for name in names:
        arrays[name] = np.where(beyond, 0.0, arrays[name])
        if np.isnan(arrays[name]).any():
            raise ValueError(f"signal {name!r} holds NaN inside a trajectory")
    return arrays, ends.astype(np.int64)
