"""From a solution to numbers of the result's dtype that keep the bound: kernels._round_inwards.

A pair is returned only if its evaluated ratio is ≤ log_alpha − err, with the error bound of
``kernels``, so that the exact ratio and every usual evaluation of it are ≤ log_alpha.
"""

# Triton's language has no types for mypy
# mypy: ignore-errors

from __future__ import annotations

import triton.language as tl

from sport_ray.families.gaussian.device.tiles import (
    ROOM,
    U,
    anywhere,
    evaluate,
    jit,
    log1p,
    narrow,
    ratio_term,
    total,
    towards,
)


@jit
def round_std(w, shift, m, s, c, inwards, keep, dims, single: tl.constexpr):
    """Round s (1 + w)^(−keep / 2), to nearest or ``inwards`` (R, 1).

    Returns:
        (std, log part, mean part, err): the ratio's parts with these stds, and its error bound.
    """
    exact = tl.where(keep < 1.0, s * tl.exp(-0.5 * keep * log1p(w)), s / tl.sqrt(1.0 + w))
    x = narrow(exact, single)
    x = tl.where((inwards & (x < exact)) | (x <= 0.0), towards(x, s, single), x)
    x = tl.minimum(s, x)
    # below the resolution of a naive s² − std² a shift is not safe
    near = s - x < ROOM * s
    start = tl.minimum(narrow(s * (1.0 - ROOM), single), s)
    apart = towards(start, tl.zeros_like(s), single)
    x = tl.where((inwards == 0) & (shift != 0.0) & near, apart, x)
    x = tl.where(inwards & (s - x < ROOM * s), s, x)
    moves = (x < s) & (x > 0.0)
    std = tl.where(moves, x, s)
    one = tl.where(moves, ratio_term(m, std, m, s), 0.0)
    gap = (s - std) / s
    bend = (shift / gap) * (shift / (1.0 + std / s)) * 0.5
    means = total(tl.where(moves, bend, 0.0))
    bend = tl.minimum(bend, c)
    err = 1.0 + 8.0 * tl.abs(tl.log(s)) + 4.0 * one + (one + bend) * (8.0 + 4.0 / gap)
    err = U * (total(tl.where(moves, err, 0.0)) + (dims + 2.0) * c)
    return std, total(one), means, err


@jit
def solve_means(lam, d, t, s, std, room, rows):
    """(lam', scale) where ``rows``: delta = scale d B / (B + lam' t²) is best for these stds.

    Solves Σ d² B / (B + lam' t²)² / 2 = room from the old multiplier by Newton on the inverse
    square root, which is almost linear in lam'; lam' = 0 if the whole shift fits.
    """
    b = ((s - std) / s) * (1.0 + std / s)
    moves = std < s
    t2 = t * t
    h = lam * 0.0
    going = rows
    count = 0
    left = anywhere(going)
    while (count < 60) & (left > 0):
        q = b + lam * t2
        one = tl.where(moves, 0.5 * (d / q) * (d / q) * b, 0.0)
        h = tl.where(going, total(one), h)
        slope = -total(tl.where(moves, 2.0 * one * (t2 / q), 0.0))
        ends = (tl.abs(h - room) <= 8.0 * U * room) | ((lam == 0.0) & (h <= room))
        going = going & (ends == 0) & (slope < 0.0)
        new = lam + 2.0 * (h / slope) * (1.0 - tl.sqrt(h / room))
        new = tl.where(new > 0.0, new, 0.0)
        going = going & (tl.abs(new - lam) > U * lam)
        lam = tl.where(going, new, lam)
        left = anywhere(going)
        count += 1
    return lam, tl.where(h > room, tl.sqrt(room / h), 1.0)


@jit
def use_up(slack, lam, t, m, s, mean, std):
    """Stds that use up the slack left by rounded means, at least cost to first order."""
    moves = std < s
    v = (std / s) * (std / s)
    b = ((s - std) / s) * (1.0 + std / s)
    x = ((mean - m) / s / b) * ((mean - m) / s / b)
    by_b = 0.5 * (1.0 / v - x)
    step = by_b / ((1.0 + lam) / (v * v) + 2.0 * lam * (x / b))
    step = tl.where(moves, step, 0.0)
    all_of_it = total(tl.where(moves, by_b * step, 0.0))
    step = -0.5 * s * (slack / all_of_it) * step * (s / std)
    return tl.where(step != 0.0, std + step, std)


@jit
def round_inwards(lam, w, shift, d, t, m, s, mt, c, rows, dims, single: tl.constexpr):
    """Numbers near the solution with ratio ≤ c − err, where ``rows`` (R, 1).

    Returns:
        (mean, std, done): done (R, 1) where there are such numbers.
    """
    whole = tl.full(lam.shape, 1.0, tl.float64)
    inwards = tl.full(lam.shape, False, tl.int1)
    std, logs, means, err = round_std(w, shift, m, s, c, inwards, whole, dims, single)
    room = c - err - logs
    inwards = (room < 0.25 * means) | (room < 0.0)
    std_in, logs_in, means_in, err_in = round_std(w, shift, m, s, c, inwards, whole, dims, single)
    std = tl.where(inwards, std_in, std)
    logs = tl.where(inwards, logs_in, logs)
    means = tl.where(inwards, means_in, means)
    err = tl.where(inwards, err_in, err)
    room = c - err - logs

    spans = 0.5 * total(log1p(w))
    less = tl.full(lam.shape, 16.0 * 2.0**-53, tl.float64)
    going = rows & (room < 0.0)
    left = anywhere(going)
    while left > 0:  # scale log(s / std) until it fits
        going = going & (less <= 1.0) & (err < c)
        keep = tl.minimum((c - err) / spans, 1.0) * (1.0 - less)
        std_in, logs_in, means_in, err_in = round_std(w, shift, m, s, c, rows, keep, dims, single)
        std = tl.where(going, std_in, std)
        logs = tl.where(going, logs_in, logs)
        means = tl.where(going, means_in, means)
        err = tl.where(going, err_in, err)
        room = c - err - logs
        less = less * 16.0
        going = going & (room < 0.0)
        left = anywhere(going)

    b = ((s - std) / s) * (1.0 + std / s)
    shifts = (std < s) & (d != 0.0)
    best = lam
    scale = lam * 0.0
    step = tl.full(lam.shape, 4.0 * 2.0**-53, tl.float64)
    mean = m
    ratio = lam * 0.0
    going = rows & (room >= 0.0)
    done = tl.full(lam.shape, False, tl.int1)
    count = 0
    left = anywhere(going)
    while (count < 30) & (left > 0):
        # err depends a little on the means
        solving = going & (means > 0.0) & (room > 0.0) & (count < 3)
        lam_new, scale_new = solve_means(best, d, t, s, std, room, solving)
        best = tl.where(solving, lam_new, best)
        scale = tl.where(solving, scale_new, scale)
        offset = scale * (mt - m) * (b / (b + best * t * t))
        new = narrow(m + offset, single)
        new = tl.where(tl.abs(new - m) > tl.abs(offset), towards(new, m, single), new)
        mean = tl.where(going, tl.where(shifts, new, m), mean)
        now, err = evaluate(mean, std, m, s, dims)
        fits = now <= c - err
        ratio = tl.where(going, now, ratio)
        done = done | (going & fits)
        going = going & (fits == 0)
        room = tl.minimum(room, c - err * (1.0 + 1e-6) - logs) * (1.0 - 4.0 * U)
        late = going & (count >= 2)
        scale = tl.where(late, tl.where(step > 0.5, 0.0, scale * (1.0 - step)), scale)
        step = tl.where(late, step * 4.0, step)
        left = anywhere(going)
        count += 1

    if not single:
        going = done
        count = 0
        left = anywhere(going)
        while (count < 5) & (left > 0):
            now, err = evaluate(mean, std, m, s, dims)
            slack = c - err - now
            going = going & (slack > 1e-12 * c) & (slack < 1e-2 * c)
            wider = use_up(0.999 * slack, lam, t, m, s, mean, std)
            better, err = evaluate(mean, wider, m, s, dims)
            going = going & (now < better) & (better <= c - err)
            std = tl.where(going, wider, std)
            left = anywhere(going)
            count += 1
    return mean, std, done
