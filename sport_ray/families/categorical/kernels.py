"""The projection of one categorical distribution after another, on integers.

Every probability is an integer multiple of 2^-52, so a member is n integers k_j with sum 2^52, in
float64 without rounding. Against a base with integers m_j the member closest in KL to weights w is

    k_j = clip(K w_j, floor_j, cap_j),  sum_j k_j = 2^52,

    cap_j   = max(m_j, floor(e^limit m_j (1 - err)))   so that k_j <= e^limit m_j,
    floor_j = min(m_j, ceil(kappa m_j (1 + err)))      so that k_j >= kappa m_j,

where err exceeds the rounding error of e^limit and of any usual float64 evaluation of
log(k_j / m_j). Hence both hold exactly and as computed. The base lies within, so that there always
is a solution, and limit 0 leaves nothing but the base.

Search. log K lies between two neighbouring breakpoints log cap_j - log w_j, log floor_j - log w_j.
As in quickselect, each round takes one that is still open, sees whether the sum is too large there,
and drops what this decides: expected linear in n, whatever the numbers. Weights stay logarithms
and are exponentiated near K only: e^-1000 times another is still an order.

Rounding. Free entries share what is left in proportion to w, and each hands its fraction on to the
next: no entry is further than a unit from its share.
"""

# numba infers the types (floats, and one-dimensional float64 views of one row)
# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np

from sport_ray.compiled import njit

UNITS = 2.0**52
"""Of the grid, in a probability of one."""
FREE, CAPPED, FLOORED = 0, 1, 2
TASK_BAD, BASE_BAD, LIMIT_BAD, FLOOR_BAD = 1, 2, 3, 4
# Times 1 + |log|: more than all roundings of log(k / m), of log k - log m, too (|log k| < 37).
_ERR = 256.0 * 2.0**-53
_FAR = -60.0  # e^-60 of a whole is no unit of it
_FAR_CAP = _FAR - 37.0  # the same of a cap, in units
_SCANS = 64


@njit(nogil=True, error_model="numpy")
def _units(row, out):
    """The integers of one row of probabilities; whether they are a member's."""
    total = 0.0
    fine = True
    for j in range(row.shape[0]):
        k = row[j] * UNITS
        fine &= k >= 0.0 and k <= UNITS and k == np.floor(k)
        out[j] = k
        total += k
    return fine and total == UNITS


@njit(nogil=True, error_model="numpy")
def _bounds(m, limit, floor, low, cap, log_low, log_cap):
    """Floors and caps in units, and their logarithms; equal neighbours are computed once."""
    most = math.exp(limit) * (1.0 - _ERR * (1.0 + limit)) if limit < 700.0 else math.inf
    least = floor * (1.0 + _ERR * (1.0 - math.log(floor))) if floor > 0.0 else 0.0
    for j in range(m.shape[0]):
        if j > 0 and m[j] == m[j - 1]:
            low[j], cap[j] = low[j - 1], cap[j - 1]
            log_low[j], log_cap[j] = log_low[j - 1], log_cap[j - 1]
            continue
        cap[j] = max(m[j], min(UNITS, np.floor(most * m[j]))) if m[j] > 0.0 else 0.0
        low[j] = min(m[j], np.ceil(least * m[j]))
        log_cap[j] = math.log(cap[j])
        log_low[j] = math.log(low[j]) if low[j] > 0.0 else -math.inf


@njit(nogil=True, error_model="numpy")
def _next(seed):
    """The next of some random numbers below 2^31, so that no order of the entries is slow."""
    return (seed * 1103515245 + 12345) & 0x7FFFFFFF


@njit(nogil=True, error_model="numpy")
def _pivot(at, first, last, share, seed):
    """One of at[first:last]: of three, the one nearer to where the root is expected."""
    if last - first < 4:
        return first + ((last - first) >> 1)
    a = first + ((_next(seed) * (last - first)) >> 31)
    b = first + ((_next(seed + 1) * (last - first)) >> 31)
    c = first + ((_next(seed + 2) * (last - first)) >> 31)
    if at[a] > at[b]:
        a, b = b, a
    if at[b] > at[c]:
        b, c = c, b
    if at[a] > at[b]:
        a, b = b, a
    return a if share < 0.3 else (c if share > 0.7 else b)


@njit(nogil=True, error_model="numpy")
def _search_caps(fixed, count, cap, at, todo, state):
    """Decide which of the entries ``todo`` are capped: those with breakpoints ``at`` below log K.

    All have floor 0. Partitions in place: capped ones end up in front, free ones behind.
    """
    first, last = 0, count  # of those still open
    below = -math.inf
    free, free_at = 0.0, 0.0  # units of free entries at log K = free_at
    room = 0.0  # of open entries
    for i in range(count):
        room += cap[todo[i]]
    seed = 88172645
    while first < last:
        seed = _next(seed)
        j = _pivot(at, first, last, (UNITS - fixed - free) / room, seed)
        x = at[j]
        if x == below:  # known to be capped: many entries of one breakpoint
            for i in range(first, last):
                if at[i] == x:
                    room -= cap[todo[i]]
                    fixed += cap[todo[i]]
                    at[i], at[first] = at[first], at[i]
                    todo[i], todo[first] = todo[first], todo[i]
                    first += 1
            continue
        at[j], at[last - 1] = at[last - 1], x
        todo[j], todo[last - 1] = todo[last - 1], todo[j]
        middle = first
        for i in range(first, last):  # without a branch, which would be guessed half of the time
            value, entry = at[i], todo[i]
            at[i], todo[i] = at[middle], todo[middle]
            at[middle], todo[middle] = value, entry
            middle += value < x
        under = 0.0  # the pivot, last of all, now is in the middle
        for i in range(first, middle):
            under += cap[todo[i]]
        over = 0.0
        for i in range(middle, last):
            if x - at[i] > _FAR_CAP:
                over += cap[todo[i]] * math.exp(x - at[i])
        rest = free * math.exp(x - free_at) if free > 0.0 else 0.0
        if fixed + under + over + rest >= UNITS:
            room = under
            # From here on log K stays below x: what vanishes here does not matter.
            free, free_at = rest + over, x
            last = middle
        else:
            below = x
            pivot = cap[todo[middle]]
            fixed += under + pivot
            room -= under + pivot
            first = middle + 1
    for i in range(count):
        state[todo[i]] = CAPPED if i < first else FREE


@njit(nogil=True, error_model="numpy")
def _search(logw, low, cap, log_low, log_cap, state, todo, at):
    """Decide which entries are capped, floored or free, into ``state``.

    Entries with w = 0 are floored: the caller sees to it that the others can hold the rest.
    """
    fixed = 0.0  # units of what is decided and not free
    count = 0
    floors = False
    for j in range(logw.shape[0]):
        if cap[j] == low[j] or logw[j] == -math.inf:
            state[j] = FLOORED
            fixed += low[j]
        else:
            todo[count] = j
            at[count] = log_cap[j] - logw[j]
            floors |= low[j] > 0.0
            count += 1
    if not floors:
        _search_caps(fixed, count, cap, at, todo, state)
        return
    below, above = -math.inf, math.inf  # log K lies between
    free, free_at = 0.0, 0.0  # units of free entries at log K = free_at
    seed = 88172645
    while count > 0:
        seed = _next(seed)
        j = todo[(seed * count) >> 31]
        x = log_cap[j] - logw[j]
        if not below < x < above:
            x = log_low[j] - logw[j]
        total = fixed
        if free > 0.0:
            total += free * math.exp(x - free_at)
        for i in range(count):
            j = todo[i]
            y = logw[j] + x
            # The breakpoints as they are compared below, so that an entry is dropped once.
            if log_cap[j] - logw[j] <= x:
                total += cap[j]
            elif log_low[j] - logw[j] >= x:
                total += low[j]
            elif y > _FAR:
                total += math.exp(y)
        enough = total >= UNITS
        if enough:
            above = x
        else:
            below = x
        kept = 0
        for i in range(count):
            j = todo[i]
            to_cap, to_low = log_cap[j] - logw[j], log_low[j] - logw[j]
            if to_cap <= below:
                state[j] = CAPPED
                fixed += cap[j]
            elif to_low >= above:
                state[j] = FLOORED
                fixed += low[j]
            elif to_low <= below and to_cap >= above:
                state[j] = FREE
                # Nothing vanishes by that: a free entry holds its floor at least.
                if free_at != x:
                    free = free * math.exp(x - free_at) if free > 0.0 else 0.0
                    free_at = x
                y = logw[j] + x
                if y > _FAR:
                    free += math.exp(y)
            else:
                todo[kept] = j
                kept += 1
        count = kept


@njit(nogil=True, error_model="numpy")
def _share(logw, low, cap, log_cap, state, out):
    """Units of every entry, given its state; they sum to 2^52."""
    size = logw.shape[0]
    left = UNITS
    top = -math.inf
    for j in range(size):
        if state[j] == FREE:
            top = max(top, logw[j])
        else:
            out[j] = cap[j] if state[j] == CAPPED else low[j]
            left -= out[j]
    total = 0.0
    for j in range(size):
        if state[j] == FREE:
            gap = logw[j] - top
            out[j] = math.exp(gap) if gap > _FAR else 0.0
            total += out[j]
    lack = UNITS
    carry = 0.0
    for j in range(size):
        if state[j] == FREE:
            want = max(left, 0.0) * (out[j] / total)
            if want < 1e-9:
                out[j] = low[j]
            else:
                want += carry
                out[j] = min(max(np.floor(want), low[j]), cap[j])
                carry = want - out[j]
        lack -= out[j]
    if lack != 0.0:
        _settle(lack, logw, low, cap, log_cap, state, out)


@njit(nogil=True, error_model="numpy")
def _settle(lack, logw, low, cap, log_cap, state, out):
    """Place the few units that rounding left over, or take them back.

    First with the free entry that holds most, to which they are least; then next in order.
    """
    for _ in range(_SCANS):
        best, score = -1, -math.inf
        best_holds = False
        for j in range(logw.shape[0]):
            room = cap[j] - out[j] if lack > 0.0 else out[j] - low[j]
            if not room > 0.0 or logw[j] == -math.inf:
                continue
            holds = state[j] == FREE and out[j] > 0.0
            order = logw[j] - log_cap[j]
            value = out[j] if holds else (order if lack > 0.0 else -order)
            if (holds and not best_holds) or (holds == best_holds and value > score):
                best, score, best_holds = j, value, holds
        if best < 0:
            break
        lack -= _move(lack, best, low, cap, out)
        if lack == 0.0:
            return
    for empty in (False, True):  # many entries of a few units: any order
        for j in range(logw.shape[0]):
            if (logw[j] == -math.inf) == empty:
                lack -= _move(lack, j, low, cap, out)


@njit(nogil=True, error_model="numpy")
def _move(lack, j, low, cap, out):
    """Give entry j what is lacking, or take what is too much, within its bounds."""
    step = min(lack, cap[j] - out[j]) if lack > 0.0 else max(lack, low[j] - out[j])
    out[j] += step
    return step


@njit(nogil=True, error_model="numpy")
def _fill_zeros(logw, m, low, cap, log_cap, log_low, state, todo, at, other):
    """Where w > 0 holds less than all: its caps are full, and w = 0 shares the rest as q does.

    Returns whether it is so; ``other`` and ``state`` are then what :func:`_share` needs.
    """
    zeros = 0
    held = 0.0
    for j in range(logw.shape[0]):
        if logw[j] == -math.inf:
            zeros += 1
            held += low[j]
        else:
            held += cap[j]
    if zeros == 0 or held >= UNITS:
        return False
    for j in range(logw.shape[0]):
        empty = logw[j] == -math.inf and m[j] > 0.0
        other[j] = math.log(m[j]) if empty else -math.inf
        if logw[j] > -math.inf:  # already full: pinned by its floor
            low[j] = cap[j]
    _search(other, low, cap, log_low, log_cap, state, todo, at)
    return True


@njit(nogil=True, error_model="numpy")
def project_rows(logw, task, base, limit, floor, found, state):
    """Project every row; ``(code, row)``, code 0 or which argument is bad.

    logw: log weights (N, n), any normalisation; task: the member that they are, on the grid (N, n);
    base: (N, n) or (1, n); limit: nats (N,) or (1,); floor: (N,) or (1,). Out: found (N, n), and
    state (N, n): which entries are FREE.
    """
    rows, size = task.shape
    m, k, out, low, cap, log_low, log_cap, at, other = np.empty((9, size))
    todo = np.empty(size, np.int64)
    bounded = False
    for r in range(rows):
        one_base = base.shape[0] == 1
        one_bound = limit.shape[0] == 1 and floor.shape[0] == 1
        c = limit[r] if limit.shape[0] > 1 else limit[0]
        kappa = floor[r] if floor.shape[0] > 1 else floor[0]
        if not c >= 0.0:
            return LIMIT_BAD, r
        if not 0.0 <= kappa <= 1.0:
            return FLOOR_BAD, r
        if not _units(task[r], k):
            return TASK_BAD, r
        if not (one_base and r > 0) and not _units(base[0 if one_base else r], m):
            return BASE_BAD, r
        if c == math.inf and kappa == 0.0:
            for j in range(size):
                found[r, j] = task[r, j]
                state[r, j] = FREE
            continue
        if not (bounded and one_base and one_bound):
            _bounds(m, c, kappa, low, cap, log_low, log_cap)
            bounded = True
        inside = True
        for j in range(size):
            inside &= low[j] <= k[j] <= cap[j]
        if inside:
            for j in range(size):
                found[r, j] = task[r, j]
                state[r, j] = FREE
            continue
        if _fill_zeros(logw[r], m, low, cap, log_cap, log_low, state[r], todo, at, other):
            _share(other, low, cap, log_cap, state[r], out)
            for j in range(size):
                state[r, j] = CAPPED
            bounded = False  # the floors are no longer those of the row
        else:
            _search(logw[r], low, cap, log_low, log_cap, state[r], todo, at)
            _share(logw[r], low, cap, log_cap, state[r], out)
        for j in range(size):
            found[r, j] = out[j] / UNITS
    return 0, 0


@njit(nogil=True, error_model="numpy")
def round_rows(logw, found):
    """The member closest to log weights (N, n), any normalisation; ``(code, row)``.

    A weight is finite or -inf, and one at least finite.
    """
    rows, size = logw.shape
    low, log_cap = np.zeros((2, size))
    cap = np.full(size, UNITS)
    out = np.empty(size)
    state = np.full(size, FREE, np.uint8)
    for r in range(rows):
        some = False
        for j in range(size):
            if not logw[r, j] < math.inf:
                return TASK_BAD, r
            some |= logw[r, j] > -math.inf
        if not some:
            return TASK_BAD, r
        _share(logw[r], low, cap, log_cap, state, out)
        for j in range(size):
            found[r, j] = out[j] / UNITS
    return 0, 0


@njit(nogil=True, error_model="numpy")
def ratio_rows(member, base, most, least):
    """Log of the largest and of the smallest ratio of every row into (N,); ``(code, row)``."""
    rows, size = member.shape
    k, m = np.empty((2, size))
    for r in range(rows):
        if not _units(member[r], k):
            return TASK_BAD, r
        if not (base.shape[0] == 1 and r > 0) and not _units(base[min(r, base.shape[0] - 1)], m):
            return BASE_BAD, r
        high, small = 0.0, math.inf
        for j in range(size):
            if k[j] > 0.0 or m[j] > 0.0:
                ratio = k[j] / m[j]
                high = max(high, ratio)
                small = min(small, ratio)
        most[r], least[r] = math.log(high), math.log(small)
    return 0, 0
