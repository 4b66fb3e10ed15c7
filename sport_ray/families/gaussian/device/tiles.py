"""Small pieces of the device kernels: tiles (R, D) of float64, one row of the batch a row.

Written for Triton. Its ``where``, ``minimum`` and loop variables take Python floats as float32, so
only numbers that float32 represents stand there.
"""

# Triton's language has no types for mypy
# mypy: ignore-errors

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

jit: Any = triton.jit

U = tl.constexpr(2.0**-53)
ROOM = tl.constexpr(2.0**-47)
"""Smallest 1 − std/std_base of a dimension with a shift."""
INF = tl.constexpr(float("inf"))
LARGE = tl.constexpr(2.0**60)


@jit
def total(x):
    """Sum over a row's dimensions, (R, 1)."""
    return tl.sum(x, axis=1, keep_dims=True)


@jit
def most(x):
    """Largest of a row's dimensions, (R, 1)."""
    return tl.max(x, axis=1, keep_dims=True)


@jit
def anywhere(flags):
    """Whether any flag of the tile is set: a number above 0."""
    return tl.max(tl.max(flags.to(tl.int32), axis=1), axis=0)


@jit
def log1p(x):
    """log(1 + x) for x ≥ 0, to a few units in the last place wherever log is.

    The rounding error of 1 + x is taken out again (Kahan; Goldberg 1991, Theorem 4).
    """
    u = 1.0 + x
    kept = tl.log(u) * (x / (u - 1.0))
    return tl.where(u == 1.0, x, tl.where(x < LARGE, kept, tl.log(u)))


@jit
def hypot(x, y):
    """sqrt(x² + y²) of numbers ≥ 0 without overflow."""
    high, low = tl.maximum(x, y), tl.minimum(x, y)
    part = low / high
    return tl.where(high > 0.0, high * tl.sqrt(1.0 + part * part), 0.0)


@jit
def narrow(x, single: tl.constexpr):
    """To the numbers that the result's dtype has."""
    return x.to(tl.float32).to(tl.float64) if single else x


@jit
def towards(x, goal, single: tl.constexpr):
    """The next number of the result's dtype from x towards goal, x itself one of them."""
    if single:
        short = x.to(tl.float32)
        bits = short.to(tl.int32, bitcast=True)
        away = ((goal > x) == (x > 0.0)).to(tl.int32) * 2 - 1
        moved = (bits + away).to(tl.float32, bitcast=True).to(tl.float64)
        least = tl.full(x.shape, 1, tl.int32).to(tl.float32, bitcast=True).to(tl.float64)
    else:
        bits = x.to(tl.int64, bitcast=True)
        away = ((goal > x) == (x > 0.0)).to(tl.int64) * 2 - 1
        moved = (bits + away).to(tl.float64, bitcast=True)
        least = tl.full(x.shape, 1, tl.int64).to(tl.float64, bitcast=True)
    start = tl.where(goal > x, least, -least)
    return tl.where(goal == x, x, tl.where(x == 0.0, start, moved))


@jit
def ratio_term(mean, std, m, s):
    """One dimension of the max log ratio, within 12 ulp: kernels.log_ratio_term."""
    gap = s - std
    log_part = tl.where(gap < std, log1p(gap / std), tl.log(s / std))
    offset = mean - m
    inside = log_part + 0.5 * (offset / gap) * (offset / s) / (1.0 + std / s)
    same = (std == s) & (mean == m)
    return tl.where(std >= s, tl.where(same, 0.0, INF), inside)


@jit
def evaluate(mean, std, m, s, dims):
    """(ratio, err), (R, 1): the ratio of these numbers, and more than any evaluation errs by."""
    same = (std == s) & (mean == m)
    term = ratio_term(mean, std, m, s)
    err = 1.0 + 4.0 * tl.abs(tl.log(s)) + 4.0 * tl.abs(tl.log(std))
    err += term * (8.0 + 4.0 / ((s - std) / s))
    ratio = total(term)
    return ratio, U * (total(tl.where(same, 0.0, err)) + (dims + 2.0) * ratio)
