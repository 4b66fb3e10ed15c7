"""The projection of one diagonal Gaussian after another: solve, round inwards, check.

Per row, in base units (d = (mean_task - mean_base) / std_base, t = std_task / std_base,
v = (std / std_base)^2, B = 1 - v, w = B / v), the minimiser of KL(projected || task) subject to

    sum_i [ -log(1 - B_i) / 2 + delta_i^2 / (2 B_i) ] <= log_alpha

has one multiplier lam >= 0 and, per dimension (arXiv 2504.06386, section 4),

    delta = d B / (B + lam t^2),   (1 + lam) w + K h(z) = F0,   F0 = 1/t^2 + K - (1 + lam),
    K = d^2 / (lam t^4),   z = B / (lam t^2),   h(z) = z (2 + z) / (1 + z)^2,

and B = 0 where F0 <= 0. F0 vanishes at lam = lam_i, so it is computed as
(lam_i - lam) (1 + d^2 / (t^4 lam lam_i)) without cancellation. With lam_top = max_i lam_i the
outer unknown is y = lam_top / lam - 1 in (0, inf): the constraint is proportional to y near 0 and
g / (1 - g / g(lam = 0)) is a power of y at both ends, so Newton in logarithms takes a few steps.

Rounding. The solution is only approximate and the output numbers are coarse, so neither carries
the promise; the last step does. The standard deviations are rounded first, then the mean offsets
are scaled so that the *rounded* pair meets the constraint (an error of size e in the solution
costs e^2 in the objective), and the pair is returned only if

    evaluated ratio <= log_alpha - err,

where ``err`` exceeds the rounding error of every usual float64 evaluation of the ratio of these
very numbers, with u = 2^-53: log(s/std) or log(s) - log(std) is off by less than
u (1 + 4 |log s| + 4 |log std|), the mean term T with the naive s^2 - std^2 by less than
T u (8 + 4/B), the sum of D terms by less than u (D + 2) times itself. Hence the exact ratio, and
any such evaluation of it, is <= log_alpha. What fails is pulled towards the base in growing
steps, and the base itself has ratio exactly 0.

All numba code that decides what is returned is in this one file because numba's cache notices
changes of a function's own file only.
"""

# numba infers the types (floats, and one-dimensional float64 views of one row)
# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np

from sport_ray.compiled import njit

_U = 2.0**-53
_ROOM = 64.0 * _U  # smallest 1 - std / std_base that a dimension with a shift gets
ARGUMENTS = ("mean_base", "std_base", "mean_task", "std_task", "log_alpha")
NOT_FLOAT32 = 8  # added to the argument's number when the base is not representable in float32
LAM_BASE = -1.0  # value of ``lam`` for rows where the base itself is returned


@njit(nogil=True, error_model="numpy")
def log_ratio_term(mean, std, mean_base, std_base):
    """One dimension of max_a log(N(mean, std) / N(mean_base, std_base)), within 8 ulp."""
    if std >= std_base:
        return 0.0 if (std == std_base and mean == mean_base) else math.inf
    gap = std_base - std
    log_part = math.log1p(gap / std) if gap < std else math.log(std_base / std)
    offset = mean - mean_base
    return log_part + 0.5 * (offset / gap) * (offset / std_base) / (1.0 + std / std_base)


@njit(nogil=True, error_model="numpy")
def _solve_w(lam, f0, k, lt2, r0, w):
    """Root w > 0 of (1+lam) w + k h(z(w)) = f0; ``w`` is a guess, or <= 0 for none."""
    p = 1.0 + lam
    lo = f0 / (p + 2.0 * k / lt2)
    hi = f0 / p
    if not w > 0.0:
        # with z between 0 and 1/lt2 the equation bounds w from both sides; start in between
        z1 = 1.0 / lt2
        lo = max(lo, (k / ((1.0 + z1) * (1.0 + z1)) - r0) / p)
        z = lo / ((1.0 + lo) * lt2)
        above = (k / ((1.0 + z) * (1.0 + z)) - r0) / p
        if lo < above < hi:
            hi = above
        if r0 > 0.0:
            b = (math.sqrt(k / r0) - 1.0) * lt2
            if 0.0 < b < 1.0 and lo < b / (1.0 - b) < hi:
                hi = b / (1.0 - b)
        w = math.sqrt(lo) * math.sqrt(hi)
    lo *= 1.0 - 1e-6  # the bounds are rounded too
    hi *= 1.0 + 1e-6
    for _ in range(100):
        v = 1.0 / (1.0 + w)
        z = w * v / lt2
        r = 1.0 / (1.0 + z)
        # two forms of one expression, each free of cancellation where it is used
        lack = (f0 - k * z * (2.0 + z) * r * r if z < 1.0 else k * r * r - r0) - p * w
        slope = p + 2.0 * k * r * r * r * v * v / lt2
        new = w + lack / slope
        if abs(lack) > 0.1 * f0:  # far away: Newton on log-log scales
            far = w * math.exp(math.log(f0 / (f0 - lack)) * (f0 - lack) / (w * slope))
            if lo < far < hi:
                new = far
        if abs(new - w) <= 1e-8 * w:
            return new
        if lack < 0.0:
            hi = min(hi, w)
        else:
            lo = max(lo, w)
        if not lo <= new <= hi:
            new = math.sqrt(lo) * math.sqrt(hi)
        w = new
    return w


@njit(nogil=True, error_model="numpy")
def _solve(d, t, am1, c, c0, w_out, lam_i, dw):
    """Multiplier and w of one row whose constraint binds; am1 = 1/t^2 - 1; -1 if it fails."""
    dims = d.shape[0]
    top = 0.0
    gain = 0.0  # ratio / y as y -> 0
    for i in range(dims):
        a = am1[i] + 1.0
        b = d[i] * a
        root = math.hypot(am1[i], 2.0 * b)
        one = 0.5 * (am1[i] + root) if am1[i] >= 0.0 else 2.0 * b * b / (root - am1[i])
        lam_i[i] = one
        w_out[i] = 0.0
        if one > top:
            top = one
            e2 = (b / one) * (b / one)
            gain = 0.5 * (1.0 + e2) * (1.0 + e2) * one / (1.0 + one + 2.0 * e2 * a)
    target = c / (1.0 - c / c0)
    y = target / gain
    if not (top > 0.0 and 0.0 < y < math.inf):
        return LAM_BASE
    y_lo, y_hi = 0.0, math.inf
    for _ in range(100):
        lam = top / (1.0 + y)
        below = top * (y / (1.0 + y))
        g = 0.0
        slope = 0.0  # d g / d lam
        step_off = 0.0  # the next lam_i below lam
        for i in range(dims):
            f0 = (lam_i[i] - top) + below if lam_i[i] > 0.5 * top else lam_i[i] - lam
            if f0 <= 0.0:
                w_out[i] = 0.0
                step_off = max(step_off, lam_i[i])
                continue
            b = d[i] * (am1[i] + 1.0)
            f0 *= 1.0 + (b / lam) * (b / lam_i[i])
            t2 = t[i] * t[i]
            w = _solve_w(lam, f0, b * b / lam, lam * t2, lam - am1[i], w_out[i])
            w_out[i] = w
            v = 1.0 / (1.0 + w)
            big = w * v
            q = big + lam * t2
            e2 = (d[i] / q) * (d[i] / q)
            by_lam = (1.0 + w) - e2 * ((big - lam * t2) / q)
            by_b = (1.0 + lam) / (v * v) + 2.0 * lam * (e2 / q)
            g += 0.5 * (math.log1p(w) + e2 * big)
            slope -= e2 * (big / q) * t2 + 0.5 * by_lam * (by_lam / by_b)
            dw[i] = -(by_lam / by_b) / (v * v) * (lam / w)
        if not (g > 0.0 and slope < 0.0 and g < math.inf):
            return LAM_BASE
        if abs(g - c) <= 8.0 * _U * c or y_hi - y_lo <= 1e-13 * y:
            return lam
        rest = 1.0 - g / c0
        power = -slope * (lam * (y / (1.0 + y))) / (g * rest) if rest > 0.0 else 0.0
        new = y * math.exp(-math.log(g / (rest * target)) / power) if power > 0.0 else -1.0
        done = abs(new - y) <= 1e-9 * y
        if g > c:
            y_hi = min(y_hi, y)
        else:
            y_lo = max(y_lo, y)
        if not (done or y_lo < new < y_hi):
            if y_hi == math.inf:
                new = 2.0 * top / step_off if step_off > 0.0 else 100.0 * y
            elif y_lo == 0.0:
                new = 0.01 * y
            else:
                new = math.sqrt(y_lo) * math.sqrt(y_hi)
        if g < c and top / (1.0 + new) < 1e-3 * step_off:
            new = 2.0 * top / step_off  # another dimension leaves the base before that
            done = False
        ratio = (1.0 + y) / (1.0 + new)
        for i in range(dims):
            if w_out[i] > 0.0:
                guess = w_out[i] * ratio ** dw[i]
                if 0.0 < guess < 1e300:
                    w_out[i] = guess
        y = new
        if done:
            break
    return top / (1.0 + y)


@njit(nogil=True, error_model="numpy")
def _leave_margin(lam, d, t, s, c, w, dw):
    """Move the solution along its path, to first order, so that ``err`` has room under c."""
    err = 0.0
    fall = 0.0  # -d g / d log lam
    for i in range(d.shape[0]):
        if w[i] > 0.0:
            b = w[i] / (1.0 + w[i])
            t2 = t[i] * t[i]
            q = b + lam * t2
            e2 = (d[i] / q) * (d[i] / q)
            log_part = 0.5 * math.log1p(w[i])
            part = log_part + 0.5 * e2 * b
            gap = max(_ROOM, 0.5 * b)
            err += 1.0 + 8.0 * abs(math.log(s[i])) + 4.0 * log_part + part * (8.0 + 4.0 / gap)
            by_lam = (1.0 + w[i]) - e2 * ((b - lam * t2) / q)
            fall += lam * e2 * (b / q) * t2 - 0.5 * by_lam * dw[i] * (b / (1.0 + w[i]))
    err = _U * (err + (d.shape[0] + 2.0) * c)
    if not 0.0 < err < 1e-3 * fall:
        return lam
    move = err / fall
    for i in range(d.shape[0]):
        w[i] *= max(0.5, 1.0 + dw[i] * move)
    return lam * (1.0 + move)


@njit(nogil=True, error_model="numpy")
def _narrow(x, single):
    return np.float64(np.float32(x)) if single else x


@njit(nogil=True, error_model="numpy")
def _towards(x, goal, single):
    """The next representable number from x towards goal."""
    if single:
        return np.float64(np.nextafter(np.float32(x), np.float32(goal)))
    return np.nextafter(x, goal)


@njit(nogil=True, error_model="numpy")
def _evaluate(mean, std, m, s):
    """(ratio, err): the float64 ratio of these numbers, a bound on any evaluation's error."""
    total = 0.0
    err = 0.0
    for i in range(m.shape[0]):
        if std[i] == s[i] and mean[i] == m[i]:
            continue
        term = log_ratio_term(mean[i], std[i], m[i], s[i])
        total += term
        err += 1.0 + 4.0 * abs(math.log(s[i])) + 4.0 * abs(math.log(std[i]))
        err += term * (8.0 + 4.0 / ((s[i] - std[i]) / s[i]))
    return total, _U * (err + (m.shape[0] + 2.0) * total)


@njit(nogil=True, error_model="numpy")
def _round_std(w, shift, m, s, c, inwards, keep, single, std):
    """Round s (1 + w)^(-keep / 2), to nearest or inwards; (log part, mean part, err) of it."""
    logs = 0.0
    means = 0.0
    err = 0.0
    for i in range(s.shape[0]):
        exact = s[i] / math.sqrt(1.0 + w[i])
        if keep < 1.0:
            exact = s[i] * math.exp(-0.5 * keep * math.log1p(w[i]))
        x = _narrow(exact, single)
        if (inwards and x < exact) or x <= 0.0:
            x = _towards(x, s[i], single)
        x = min(s[i], x)
        if not inwards and shift[i] != 0.0 and s[i] - x < _ROOM * s[i]:
            # below the resolution of a naive s^2 - std^2 a shift is not safe
            x = _towards(min(_narrow(s[i] * (1.0 - _ROOM), single), s[i]), 0.0, single)
        if inwards and s[i] - x < _ROOM * s[i]:
            x = s[i]
        if x >= s[i] or x <= 0.0:
            std[i] = s[i]
            continue
        std[i] = x
        one = log_ratio_term(m[i], x, m[i], s[i])
        logs += one
        gap = (s[i] - x) / s[i]
        bend = (shift[i] / gap) * (shift[i] / (1.0 + x / s[i])) * 0.5
        means += bend
        bend = min(bend, c)
        err += 1.0 + 8.0 * abs(math.log(s[i])) + 4.0 * one + (one + bend) * (8.0 + 4.0 / gap)
    return logs, means, _U * (err + (s.shape[0] + 2.0) * c)


@njit(nogil=True, error_model="numpy")
def _solve_means(lam, d, t, m, s, std, room):
    """(lam', scale): delta = scale d B / (B + lam' t^2) is best for these stds, if it fits.

    Solves sum d^2 B / (B + lam' t^2)^2 / 2 = room from the old multiplier ``lam`` by Newton on
    the inverse square root, which is almost linear in lam'; lam' = 0 if the whole shift fits.
    """
    h = 0.0
    for _ in range(60):
        h = 0.0
        slope = 0.0
        for i in range(d.shape[0]):
            if std[i] < s[i]:
                b = ((s[i] - std[i]) / s[i]) * (1.0 + std[i] / s[i])
                q = b + lam * t[i] * t[i]
                one = 0.5 * (d[i] / q) * (d[i] / q) * b
                h += one
                slope -= 2.0 * one * (t[i] * t[i] / q)
        if abs(h - room) <= 8.0 * _U * room or (lam == 0.0 and h <= room) or not slope < 0.0:
            break
        new = max(0.0, lam + 2.0 * (h / slope) * (1.0 - math.sqrt(h / room)))
        if abs(new - lam) <= _U * lam:
            break
        lam = new
    return lam, math.sqrt(room / h) if h > room else 1.0


@njit(nogil=True, error_model="numpy")
def _use_up(slack, lam, t, m, s, mean, std, new):
    """Stds in ``new`` that use up the slack left by rounded means, at least cost to first order.

    Moves B by slack (g_B / C) / sum (g_B^2 / C), C the curvature of the Lagrangian at this mean.
    """
    total = 0.0
    for i in range(m.shape[0]):
        new[i] = 0.0
        if std[i] < s[i]:
            v = (std[i] / s[i]) * (std[i] / s[i])
            b = ((s[i] - std[i]) / s[i]) * (1.0 + std[i] / s[i])
            x = ((mean[i] - m[i]) / s[i] / b) * ((mean[i] - m[i]) / s[i] / b)
            by_b = 0.5 * (1.0 / v - x)
            new[i] = by_b / ((1.0 + lam) / (v * v) + 2.0 * lam * (x / b))
            total += by_b * new[i]
    for i in range(m.shape[0]):
        step = -0.5 * s[i] * (slack / total) * new[i] * (s[i] / std[i])
        new[i] = std[i] + step if step != 0.0 else std[i]


@njit(nogil=True, error_model="numpy")
def _round_inwards(lam, w, shift, d, t, m, s, mt, c, single, mean, std, spare):
    """Representable (mean, std) near the solution with ratio <= c - err; the ratio, -1 if none.

    ``shift`` is delta, the offset of the mean in base standard deviations, ``spare`` scratch.
    """
    dims = m.shape[0]
    logs, means, err = _round_std(w, shift, m, s, c, False, 1.0, single, std)
    room = c - err - logs
    if room < 0.25 * means or room < 0.0:
        logs, means, err = _round_std(w, shift, m, s, c, True, 1.0, single, std)
        room = c - err - logs
    less = 16.0 * _U
    while room < 0.0:  # scale log(s / std) until it fits
        if less > 1.0 or not err < c:
            return -1.0
        total = 0.0
        for i in range(dims):
            total += 0.5 * math.log1p(w[i])
        keep = min(1.0, (c - err) / total) * (1.0 - less)
        logs, means, err = _round_std(w, shift, m, s, c, True, keep, single, std)
        room = c - err - logs
        less *= 16.0
    best, scale = lam, 0.0
    step = 4.0 * _U
    for k in range(30):
        if k < 3 and means > 0.0 and room > 0.0:  # err depends a little on the means
            best, scale = _solve_means(best, d, t, m, s, std, room)
        for i in range(dims):
            mean[i] = m[i]
            if std[i] < s[i] and d[i] != 0.0:
                b = ((s[i] - std[i]) / s[i]) * (1.0 + std[i] / s[i])
                offset = scale * (mt[i] - m[i]) * (b / (b + best * t[i] * t[i]))
                mean[i] = _narrow(m[i] + offset, single)
                if abs(mean[i] - m[i]) > abs(offset):
                    mean[i] = _towards(mean[i], m[i], single)
        total, err = _evaluate(mean, std, m, s)
        if total <= c - err:
            for _ in range(0 if single else 5):
                slack = c - err - total
                if not 1e-12 * c < slack < 1e-2 * c:
                    break
                _use_up(0.999 * slack, lam, t, m, s, mean, std, spare)
                better, err = _evaluate(mean, spare, m, s)
                if not total < better <= c - err:
                    break
                std[:] = spare
                total = better
            return total
        room = min(room, c - err * (1.0 + 1e-6) - logs) * (1.0 - 4.0 * _U)
        if k >= 2:
            scale = 0.0 if step > 0.5 else scale * (1.0 - step)
            step *= 4.0
    return -1.0


@njit(nogil=True, error_model="numpy")
def _free_share(mean, std, m, s, slack):
    """Derivative of delta by d where nothing binds; for the gradient only.

    1, except where a wider task (a = 1/t^2 < 1) has the base's mean: a shift d then gets
    delta = d a / (a + (1 - a) / (2 slack)), the best of (delta - d)^2 a / 2 + B (1 - a) / 2 with
    delta^2 / (2 B) = slack.
    """
    if std <= s or mean != m:
        return 1.0
    a = (s / std) * (s / std)
    return a / (a + (1.0 - a) / (2.0 * slack)) if slack > 0.0 else 0.0


@njit(nogil=True, error_model="numpy")
def _bad(m, s, mt, st, single):
    """0 if these four numbers are usable, else 1 + the number of the argument at fault."""
    if not math.isfinite(m):
        return 1
    if not (math.isfinite(s) and s > 0.0):
        return 2
    if not math.isfinite(mt):
        return 3
    if not (math.isfinite(st) and st > 0.0):
        return 4
    if single:
        if np.float64(np.float32(m)) != m:
            return 1 + NOT_FLOAT32
        if np.float64(np.float32(s)) != s:
            return 2 + NOT_FLOAT32
    return 0


@njit(nogil=True, error_model="numpy")
def project_rows(mean_base, std_base, mean_task, std_task, log_alpha, single,
                 mean, std, ratio, lam, w_all):  # fmt: skip
    """Project every row of the (N, D) arrays; (code, row, dim), code 0 if all arguments are good.

    Writes ``mean``, ``std`` (N, D), ``ratio`` (N,) and, for the gradient, ``lam`` (N,) and
    ``w_all`` (N, D) (or (1, D): scratch). ``log_alpha`` is (N,) or (1,). ``single``: the output
    must be representable in float32. Rows are independent of each other.
    """
    rows, dims = mean_base.shape
    work = np.empty((12, dims))
    m, s, mt, st, d, t, am1, shift, lam_i, dw, out_m, out_s = work
    for k in range(rows):
        c = log_alpha[k] if log_alpha.shape[0] > 1 else log_alpha[0]
        if not (c >= 0.0 and c < math.inf):
            return 5, k, 0
        w = w_all[k] if w_all.shape[0] > 1 else w_all[0]
        c0 = 0.0
        as_given = 0.0
        exact = True
        for i in range(dims):
            m[i], s[i] = mean_base[k, i], std_base[k, i]
            mt[i], st[i] = mean_task[k, i], std_task[k, i]
            code = _bad(m[i], s[i], mt[i], st[i], single)
            if code != 0:
                return code, k, i
            one = log_ratio_term(mt[i], st[i], m[i], s[i])
            as_given += one
            # a wider task with the base's mean asks for std = base std: no cost, no multiplier
            pinned = st[i] >= s[i] and mt[i] == m[i]
            c0 += 0.0 if pinned else one
            out_m[i] = m[i] if pinned else mt[i]
            out_s[i] = s[i] if pinned else st[i]
            w[i] = 0.0
            if single:
                exact &= _narrow(out_m[i], single) == out_m[i]
                exact &= _narrow(out_s[i], single) == out_s[i]
        multiplier = 0.0 if c > 0.0 else LAM_BASE
        value = as_given if as_given <= c else c0
        if c0 <= c and exact:
            for i in range(dims):
                w[i] = _free_share(mt[i], st[i], m[i], s[i], c - c0)
        else:
            for i in range(dims):
                d[i] = (mt[i] - m[i]) / s[i]
                t[i] = st[i] / s[i]
                am1[i] = ((s[i] - st[i]) / s[i]) * (1.0 + t[i]) / (t[i] * t[i])
            if c0 > c > 0.0:
                multiplier = _solve(d, t, am1, c, c0, w, lam_i, dw)
                multiplier = _leave_margin(multiplier, d, t, s, c, w, dw)
            for i in range(dims):
                if multiplier == 0.0:
                    w[i] = max(am1[i], 0.0)
                big = w[i] / (1.0 + w[i])
                shift[i] = d[i] * (big / (big + multiplier * t[i] * t[i])) if big > 0.0 else 0.0
            value = -1.0
            if multiplier >= 0.0:
                value = _round_inwards(multiplier, w, shift, d, t, m, s, mt, c, single,
                                       out_m, out_s, dw)  # fmt: skip
            if not value >= 0.0:
                multiplier = LAM_BASE
                value = 0.0
                out_m[:] = m
                out_s[:] = s
        for i in range(dims):
            mean[k, i] = out_m[i]
            std[k, i] = out_s[i]
        ratio[k] = value
        lam[k] = multiplier
    return 0, 0, 0


@njit(nogil=True, error_model="numpy")
def log_ratio_rows(mean, std, mean_base, std_base, ratio):
    """Max log ratio of every row into ``ratio`` (N,); (code, row, dim) as in project_rows."""
    rows, dims = mean.shape
    for k in range(rows):
        total = 0.0
        for i in range(dims):
            m, s = np.float64(mean_base[k, i]), np.float64(std_base[k, i])
            x, y = np.float64(mean[k, i]), np.float64(std[k, i])
            code = _bad(m, s, x, y, False)
            if code != 0:
                return code, k, i
            total += log_ratio_term(x, y, m, s)
        ratio[k] = total
    return 0, 0, 0
