"""The projection of a tile of rows: read, solve, round inwards, check, write."""

# Triton's language has no types for mypy
# mypy: ignore-errors

from __future__ import annotations

import triton.language as tl

from sport_ray.families.gaussian.device.rounding import round_inwards
from sport_ray.families.gaussian.device.solution import leave_margin, solve
from sport_ray.families.gaussian.device.tiles import INF, evaluate, jit, ratio_term, total


@jit
def free_share(mt, st, m, s, slack):
    """Derivative of delta by d where nothing binds: kernels._free_share."""
    a = (s / st) * (s / st)
    bent = tl.where(slack > 0.0, a / (a + (1.0 - a) / (2.0 * slack)), 0.0)
    return tl.where((st <= s) | (mt != m), 1.0, bent)


# Compiling takes seconds: once for all numbers of rows.
@jit(do_not_specialize=["rows", "dims", "limit_stride"])
def project_rows(mean_base, std_base, mean_task, std_task, limits, out_mean, out_std, out_ratio,
                 out_lam, out_w, rows, dims, limit_stride, single: tl.constexpr,
                 keep: tl.constexpr, tall: tl.constexpr, wide: tl.constexpr):  # fmt: skip
    """Project rows of contiguous (N, D) onto max log ratio ≤ limits; NaN for bad arguments.

    out_ratio (N,): the ratio of what is returned, nats. With ``keep`` also out_lam (N,) and out_w
    (N, D) for the derivative, as kernels.project_rows gives them.
    """
    row = tl.program_id(0).to(tl.int64) * tall + tl.arange(0, tall)[:, None]
    dim = tl.arange(0, wide)[None, :]
    there = row < rows
    inside = there & (dim < dims)
    place = row * dims + dim
    # What pads the tile is a base that is asked to stay: it costs nothing.
    m = tl.load(mean_base + place, mask=inside, other=0.0).to(tl.float64)
    s = tl.load(std_base + place, mask=inside, other=1.0).to(tl.float64)
    mt = tl.load(mean_task + place, mask=inside, other=0.0).to(tl.float64)
    st = tl.load(std_task + place, mask=inside, other=1.0).to(tl.float64)
    c = tl.load(limits + row * limit_stride, mask=there, other=1.0).to(tl.float64)
    good = (tl.abs(m) < INF) & (tl.abs(mt) < INF)
    good = good & (s > 0.0) & (s < INF) & (st > 0.0) & (st < INF)
    good = (total((good == 0).to(tl.int32)) == 0) & (c >= 0.0) & (c < INF)
    m = tl.where(good, m, 0.0)
    s = tl.where(good, s, 1.0)
    mt = tl.where(good, mt, 0.0)
    st = tl.where(good, st, 1.0)
    c = tl.where(good, c, 1.0)

    one = ratio_term(mt, st, m, s)
    # a wider task with the base's mean asks for std = base std: no cost, no multiplier
    pinned = (st >= s) & (mt == m)
    c0 = total(tl.where(pinned, 0.0, one))
    free = c0 <= c
    binding = (free == 0) & (c > 0.0)
    d = (mt - m) / s
    t = st / s
    am1 = ((s - st) / s) * (1.0 + t) / (t * t)
    lam, w, dw = solve(d, t, am1, c, c0, binding)
    binding = binding & (lam >= 0.0)
    lam, w = leave_margin(lam, d, t, s, c, w, dw, dims)
    big = w / (1.0 + w)
    shift = tl.where(big > 0.0, d * (big / (big + lam * t * t)), 0.0)
    mean, std, done = round_inwards(lam, w, shift, d, t, m, s, mt, c, binding, dims, single)

    mean = tl.where(free, tl.where(pinned, m, mt), tl.where(done, mean, m))
    std = tl.where(free, tl.where(pinned, s, st), tl.where(done, std, s))
    # The promise, on the numbers that are written: whatever fails is the base.
    ratio, err = evaluate(mean, std, m, s, dims)
    kept = tl.where(free, ratio <= c, ratio <= c - err)
    mean = tl.where(kept, mean, m)
    std = tl.where(kept, std, s)
    nan = tl.full(mean.shape, float("nan"), tl.float64)
    tl.store(out_mean + place, tl.where(good, mean, nan), mask=inside)
    tl.store(out_std + place, tl.where(good, std, nan), mask=inside)
    tl.store(out_ratio + row, tl.where(good, tl.where(kept, ratio, 0.0), INF), mask=there)
    if keep:
        base = ((free == 0) & (done == 0)) | (kept == 0) | (c == 0.0)
        share = free_share(mt, st, m, s, c - c0)
        tl.store(out_lam + row, tl.where(base, -1.0, tl.where(free, 0.0, lam)), mask=there)
        tl.store(out_w + place, tl.where(free, share, w), mask=inside)
