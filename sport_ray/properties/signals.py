"""Checks of the signals that a property is evaluated on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def checked_signals(
    names: tuple[str, ...], signals: Mapping[str, ArrayLike], lengths: ArrayLike | None
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """The named signals as float64 (n, L), 0 beyond each trajectory's end, and lengths (n,).

    True is +1 and False −1: as 0 a proposition that is False would hold.

    Raises:
        ValueError: a missing signal, one that mixes Booleans with numbers, shapes that differ,
            lengths out of range, or a NaN inside a trajectory (a NaN has no verdict).
    """
    arrays: dict[str, NDArray[np.float64]] = {}
    for name in names:
        if name not in signals:
            raise ValueError(f"signal {name!r} is missing; got {sorted(signals)}")
        arrays[name] = np.atleast_2d(_robustness(name, signals[name]))
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


def _robustness(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Numbers as they are, True as +1 and False as −1."""
    listed = isinstance(values, list | tuple)
    given = np.asarray(values, dtype=object) if listed else np.asarray(values)
    if given.dtype == object:  # a list of Booleans and numbers would all become numbers
        booleans = [isinstance(value, bool | np.bool_) for value in given.ravel()]
        if any(booleans) and not all(booleans):
            raise ValueError(f"signal {name!r} mixes Booleans with numbers: give the one or other")
        given = given.astype(np.bool_ if booleans and booleans[0] else np.float64)
    if given.dtype == np.bool_:
        return np.where(given, 1.0, -1.0)
    return given.astype(np.float64)
