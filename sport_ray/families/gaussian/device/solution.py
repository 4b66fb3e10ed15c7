"""The minimiser of the projection, row by row in a tile: kernels._solve for a device.

The equations, their unknowns and why they are solved in this form stand in ``kernels``. Rows and
dimensions that are done keep their numbers while others of the tile go on. Nothing here carries a
promise: ``rounding`` checks what comes of it.
"""

# Triton's language has no types for mypy
# mypy: ignore-errors

from __future__ import annotations

import triton.language as tl

from sport_ray.families.gaussian.device.tiles import (
    INF,
    ROOM,
    U,
    anywhere,
    hypot,
    jit,
    log1p,
    most,
    total,
)

LARGEST_GUESS = tl.constexpr(2.0**126)


@jit
def solve_w(lam, f0, k, lt2, r0, w, live):
    """Root w > 0 of (1+lam) w + k h(z(w)) = f0 where ``live``; ``w`` is a guess, ≤ 0 for none."""
    p = 1.0 + lam
    lo = f0 / (p + 2.0 * k / lt2)
    hi = f0 / p
    # With z between 0 and 1/lt2 the equation bounds w from both sides; start in between.
    z1 = 1.0 / lt2
    low = tl.maximum(lo, (k / ((1.0 + z1) * (1.0 + z1)) - r0) / p)
    z = low / ((1.0 + low) * lt2)
    above = (k / ((1.0 + z) * (1.0 + z)) - r0) / p
    high = tl.where((low < above) & (above < hi), above, hi)
    b = (tl.sqrt(k / r0) - 1.0) * lt2
    root = b / (1.0 - b)
    fits = (r0 > 0.0) & (b > 0.0) & (b < 1.0) & (low < root) & (root < high)
    high = tl.where(fits, root, high)
    fresh = live & ((w > 0.0) == 0)
    lo = tl.where(fresh, low, lo)
    hi = tl.where(fresh, high, hi)
    w = tl.where(fresh, tl.sqrt(lo) * tl.sqrt(hi), w)
    lo = lo * (1.0 - 1e-6)  # the bounds are rounded too
    hi = hi * (1.0 + 1e-6)
    going = live
    count = 0
    left = anywhere(going)
    while (count < 100) & (left > 0):
        v = 1.0 / (1.0 + w)
        z = w * v / lt2
        r = 1.0 / (1.0 + z)
        # two forms of one expression, each free of cancellation where it is used
        lack = tl.where(z < 1.0, f0 - k * z * (2.0 + z) * r * r, k * r * r - r0) - p * w
        slope = p + 2.0 * k * r * r * r * v * v / lt2
        new = w + lack / slope
        # far away: Newton on log-log scales
        far = w * tl.exp(tl.log(f0 / (f0 - lack)) * (f0 - lack) / (w * slope))
        new = tl.where((tl.abs(lack) > 0.1 * f0) & (lo < far) & (far < hi), far, new)
        there = tl.abs(new - w) <= 1e-8 * w
        hi = tl.where(lack < 0.0, tl.minimum(hi, w), hi)
        lo = tl.where(lack < 0.0, lo, tl.maximum(lo, w))
        inside = (lo <= new) & (new <= hi)
        new = tl.where(there | inside, new, tl.sqrt(lo) * tl.sqrt(hi))
        w = tl.where(going, new, w)
        going = going & (there == 0)
        left = anywhere(going)
        count += 1
    return w


@jit
def solve(d, t, am1, c, c0, binding):
    """(lam, w, dw) of the rows (R, 1) whose constraint binds; lam = −1 where it fails."""
    b = d * (am1 + 1.0)
    size = tl.abs(b)
    root = hypot(tl.abs(am1), 2.0 * size)
    lam_i = tl.where(am1 >= 0.0, 0.5 * (am1 + root), 2.0 * size * size / (root - am1))
    lam_i = tl.where(lam_i > 0.0, lam_i, 0.0)
    top = most(lam_i)
    e2 = (b / lam_i) * (b / lam_i)
    gain = 0.5 * (1.0 + e2) * (1.0 + e2) * lam_i / (1.0 + lam_i + 2.0 * e2 * (am1 + 1.0))
    gain = most(tl.where((lam_i == top) & (top > 0.0), gain, 0.0))  # ratio / y as y → 0
    target = c / (1.0 - c / c0)
    y = target / gain
    works = binding & (top > 0.0) & (y > 0.0) & (y < INF)
    found = tl.full(y.shape, -1.0, tl.float64)
    y_lo = tl.full(y.shape, 0.0, tl.float64)
    y_hi = tl.full(y.shape, INF, tl.float64)
    w = d * 0.0
    dw = d * 0.0
    t2 = t * t
    going = works
    count = 0
    left = anywhere(going)
    while (count < 100) & (left > 0):
        lam = top / (1.0 + y)
        below = top * (y / (1.0 + y))
        f0 = tl.where(lam_i > 0.5 * top, (lam_i - top) + below, lam_i - lam)
        moves = f0 > 0.0
        off = most(tl.where(moves, 0.0, lam_i))  # the next lam_i below lam
        f0 = f0 * (1.0 + (b / lam) * (b / lam_i))
        w = tl.where(going, tl.where(moves, w, 0.0), w)
        w = solve_w(lam, f0, b * b / lam, lam * t2, lam - am1, w, going & moves)
        v = 1.0 / (1.0 + w)
        big = w * v
        q = big + lam * t2
        e2 = (d / q) * (d / q)
        by_lam = (1.0 + w) - e2 * ((big - lam * t2) / q)
        by_b = (1.0 + lam) / (v * v) + 2.0 * lam * (e2 / q)
        g = total(tl.where(moves, 0.5 * (log1p(w) + e2 * big), 0.0))
        slope = e2 * (big / q) * t2 + 0.5 * by_lam * (by_lam / by_b)
        slope = -total(tl.where(moves, slope, 0.0))  # d g / d lam
        fresh = -(by_lam / by_b) / (v * v) * (lam / w)
        dw = tl.where(going & moves, fresh, dw)
        sound = (g > 0.0) & (slope < 0.0) & (g < INF)
        ends = (tl.abs(g - c) <= 8.0 * U * c) | (y_hi - y_lo <= 1e-13 * y)
        found = tl.where(going & sound & ends, lam, found)
        going = going & sound & (ends == 0)
        rest = 1.0 - g / c0
        power = tl.where(rest > 0.0, -slope * (lam * (y / (1.0 + y))) / (g * rest), 0.0)
        new = tl.where(power > 0.0, y * tl.exp(-tl.log(g / (rest * target)) / power), -1.0)
        close = tl.abs(new - y) <= 1e-9 * y
        y_hi = tl.where(g > c, tl.minimum(y_hi, y), y_hi)
        y_lo = tl.where(g > c, y_lo, tl.maximum(y_lo, y))
        leap = tl.where(off > 0.0, 2.0 * top / off, 100.0 * y)
        half = tl.where(y_lo == 0.0, 0.01 * y, tl.sqrt(y_lo) * tl.sqrt(y_hi))
        inside = close | ((y_lo < new) & (new < y_hi))
        new = tl.where(inside, new, tl.where(y_hi == INF, leap, half))
        # another dimension leaves the base before that
        early = (g < c) & (top / (1.0 + new) < 1e-3 * off)
        new = tl.where(early, 2.0 * top / off, new)
        close = close & (early == 0)
        guess = w * tl.exp(dw * tl.log((1.0 + y) / (1.0 + new)))
        use = going & (w > 0.0) & (guess > 0.0) & (guess < LARGEST_GUESS)
        w = tl.where(use, guess, w)
        y = tl.where(going, new, y)
        found = tl.where(going & close, top / (1.0 + y), found)
        going = going & (close == 0)
        left = anywhere(going)
        count += 1
    # What did not converge is as near as it came: ``rounding`` checks it all the same.
    found = tl.where(going, top / (1.0 + y), found)
    return found, w, dw


@jit
def leave_margin(lam, d, t, s, c, w, dw, dims):
    """(lam, w), moved along the path, to first order, so that ``err`` has room under c."""
    t2 = t * t
    b = w / (1.0 + w)
    q = b + lam * t2
    e2 = (d / q) * (d / q)
    log_part = 0.5 * log1p(w)
    part = log_part + 0.5 * e2 * b
    gap = tl.maximum(0.5 * b, ROOM)
    err = 1.0 + 8.0 * tl.abs(tl.log(s)) + 4.0 * log_part + part * (8.0 + 4.0 / gap)
    by_lam = (1.0 + w) - e2 * ((b - lam * t2) / q)
    fall = lam * e2 * (b / q) * t2 - 0.5 * by_lam * dw * (b / (1.0 + w))
    moves = w > 0.0
    err = U * (total(tl.where(moves, err, 0.0)) + (dims + 2.0) * c)
    fall = total(tl.where(moves, fall, 0.0))  # −d g / d log lam
    use = (err > 0.0) & (err < 1e-3 * fall)
    move = err / fall
    nearer = w * tl.maximum(1.0 + dw * move, 0.5)
    return tl.where(use, lam * (1.0 + move), lam), tl.where(use, nearer, w)
