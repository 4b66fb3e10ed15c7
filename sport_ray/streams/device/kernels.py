"""numpy's seeding, PCG64 and normal numbers as Triton kernels: ``sport_ray.streams.kernels``.

Integer arithmetic gives the same bits everywhere. Of the normal numbers one in 4,000 comes from
the tail, by the device's log1p: those may differ in the last bit.
"""

# Triton's language has no types for mypy
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl

_MULT_A = tl.constexpr(0x931E8875)
_INIT_B = tl.constexpr(0x8B51F9DD)
_MULT_B = tl.constexpr(0x58F38DED)
_MIX_L = tl.constexpr(0xCA01F9DD)
_MIX_R = tl.constexpr(0x4973F715)
_LOW32 = tl.constexpr(0xFFFFFFFF)
_HIGH = tl.constexpr(0x2360ED051FC65DA4)
_LOW = tl.constexpr(0x4385DF649FCCF645)
_UNIT = tl.constexpr(2.0**-53)


@triton.jit
def _word(value, like):
    """A constant of 64 bits, for each of the lanes."""
    return tl.zeros_like(like) + value


@triton.jit
def _scrambled(value, constant, factor):
    """(hash of words of 32 bits, next constant), all in uint64."""
    value = value ^ constant
    constant = (constant * factor) & _LOW32
    value = (value * constant) & _LOW32
    return value ^ (value >> 16), constant


@triton.jit
def _mixed(x, y):
    found = (x * _MIX_L - y * _MIX_R) & _LOW32
    return found ^ (found >> 16)


@triton.jit
def _add_word(a, b, c, d, word, constant):
    value, constant = _scrambled(word, constant, _MULT_A)
    a = _mixed(a, value)
    value, constant = _scrambled(word, constant, _MULT_A)
    b = _mixed(b, value)
    value, constant = _scrambled(word, constant, _MULT_A)
    c = _mixed(c, value)
    value, constant = _scrambled(word, constant, _MULT_A)
    d = _mixed(d, value)
    return a, b, c, d, constant


@triton.jit
def _advance(high, low, inc_high, inc_low):
    """One step of the 128-bit generator: state · multiplier + increment."""
    factor = _word(_LOW, low)
    carried = tl.umulhi(low, factor)
    product = low * factor
    total = product + inc_low
    over = (total < product).to(tl.uint64)
    return carried + high * factor + low * _word(_HIGH, low) + inc_high + over, total


@triton.jit
def _next_word(high, low, inc_high, inc_low):
    """(the next 64 random bits, state)."""
    high, low = _advance(high, low, inc_high, inc_low)
    turn = high >> 58
    value = high ^ low
    return (value >> turn) | (value << ((64 - turn) & 63)), high, low


@triton.jit
def _unit(word):
    """A multiple of 2^-53 in [0, 1)."""
    return (word >> 11).to(tl.float64) * _UNIT


@triton.jit
def _log1p_minus(x):
    """log(1 − x) for x in [0, 1)."""
    u = 1.0 - x
    return tl.where(u == 1.0, -x, tl.log(u) * (x / (1.0 - u)))


@triton.jit(do_not_specialize=["rows", "child"])
def seed_kernel(indices, states, rows, pool, child, threads: tl.constexpr):
    """States (n, 4) of child ``child`` of scenarios ``indices`` (n,) int64, below 2³².

    pool: (5,) int64, SeedSequence's pool of root seed and purpose, and the next constant.
    """
    row = tl.program_id(0).to(tl.int64) * threads + tl.arange(0, threads)
    there = row < rows
    index = tl.load(indices + row, mask=there, other=0).to(tl.uint64)
    zero = tl.zeros_like(index)
    a = zero + tl.load(pool).to(tl.uint64)
    b = zero + tl.load(pool + 1).to(tl.uint64)
    c = zero + tl.load(pool + 2).to(tl.uint64)
    d = zero + tl.load(pool + 3).to(tl.uint64)
    constant = zero + tl.load(pool + 4).to(tl.uint64)
    a, b, c, d, constant = _add_word(a, b, c, d, index, constant)
    a, b, c, d, constant = _add_word(a, b, c, d, zero + child, constant)
    # generate_state(4, uint64): eight words of 32 bits, from the pool in turn.
    constant = zero + _INIT_B
    w0, constant = _scrambled(a, constant, _MULT_B)
    w1, constant = _scrambled(b, constant, _MULT_B)
    w2, constant = _scrambled(c, constant, _MULT_B)
    w3, constant = _scrambled(d, constant, _MULT_B)
    w4, constant = _scrambled(a, constant, _MULT_B)
    w5, constant = _scrambled(b, constant, _MULT_B)
    w6, constant = _scrambled(c, constant, _MULT_B)
    w7, constant = _scrambled(d, constant, _MULT_B)
    seed_high, seed_low = w0 | (w1 << 32), w2 | (w3 << 32)
    stream_high, stream_low = w4 | (w5 << 32), w6 | (w7 << 32)
    inc_high = (stream_high << 1) | (stream_low >> 63)
    inc_low = (stream_low << 1) | 1
    # From state 0 one step leads to the increment; then the seed is added, and one more is done.
    low = inc_low + seed_low
    high = inc_high + seed_high + (low < seed_low).to(tl.uint64)
    high, low = _advance(high, low, inc_high, inc_low)
    tl.store(states + 4 * row, high.to(tl.int64, bitcast=True), mask=there)
    tl.store(states + 4 * row + 1, low.to(tl.int64, bitcast=True), mask=there)
    tl.store(states + 4 * row + 2, inc_high.to(tl.int64, bitcast=True), mask=there)
    tl.store(states + 4 * row + 3, inc_low.to(tl.int64, bitcast=True), mask=there)


@triton.jit(do_not_specialize=["rows", "size"])
def normal_kernel(states, chosen, out, rows, size, tables, tail, threads: tl.constexpr):
    """Normal numbers (m, size) from the streams ``chosen`` (m,) of states (n, 4), which move on.

    tables: (3, 256) float64, numpy's ki (as bits), wi and fi. tail: (2,), its r and 1/r.
    """
    row = tl.program_id(0).to(tl.int64) * threads + tl.arange(0, threads)
    there = row < rows
    place = states + 4 * tl.load(chosen + row, mask=there, other=0)
    high = tl.load(place, mask=there, other=0).to(tl.uint64, bitcast=True)
    low = tl.load(place + 1, mask=there, other=0).to(tl.uint64, bitcast=True)
    inc_high = tl.load(place + 2, mask=there, other=0).to(tl.uint64, bitcast=True)
    inc_low = tl.load(place + 3, mask=there, other=0).to(tl.uint64, bitcast=True)
    r, inverse = tl.load(tail), tl.load(tail + 1)
    number = 0
    while number < size:
        # 0: draws a strip; 1: draws in the tail; 2: done. A lane that is done draws nothing more.
        phase = tl.where(there, 0, 2)
        value = tl.zeros([threads], tl.float64)
        above = tl.zeros([threads], tl.int1)
        left = tl.max((phase < 2).to(tl.int32), axis=0)
        while left > 0:
            new_high, new_low = high, low
            word, new_high, new_low = _next_word(new_high, new_low, inc_high, inc_low)
            one_high, one_low = new_high, new_low
            # A second word: of the strip's edge, or of the tail's pair.
            other, new_high, new_low = _next_word(new_high, new_low, inc_high, inc_low)
            in_tail = phase == 1
            strip = (word & 0xFF).to(tl.int64)
            bits = word >> 8
            size_bits = (bits >> 1) & 0x000FFFFFFFFFFFFF
            x = size_bits.to(tl.float64) * tl.load(tables + 256 + strip)
            x = tl.where((bits & 1) != 0, -x, x)
            limit = tl.load(tables + strip).to(tl.int64, bitcast=True).to(tl.uint64, bitcast=True)
            inside = size_bits < limit
            edge = tl.load(tables + 512 + tl.maximum(strip - 1, 0))
            here = tl.load(tables + 512 + strip)
            height = (edge - here) * _unit(other) + here
            under = height < tl.exp(-0.5 * x * x)
            goes = phase == 0
            to_tail = goes & (inside == 0) & (strip == 0)
            took_edge = goes & (inside == 0) & (strip != 0)
            found = goes & (inside | ((strip != 0) & under))
            value = tl.where(found, x, value)
            above = tl.where(to_tail, ((size_bits >> 8) & 1) != 0, above)
            # The tail, two uniform numbers at a time.
            xx = -inverse * _log1p_minus(_unit(word))
            yy = -_log1p_minus(_unit(other))
            lands = in_tail & (yy + yy > xx * xx)
            value = tl.where(lands, tl.where(above, -(r + xx), r + xx), value)
            two = took_edge | in_tail
            one = goes & (took_edge == 0)
            high = tl.where(two, new_high, tl.where(one, one_high, high))
            low = tl.where(two, new_low, tl.where(one, one_low, low))
            phase = tl.where(found | lands, 2, tl.where(to_tail, 1, phase))
            left = tl.max((phase < 2).to(tl.int32), axis=0)
        tl.store(out + row * size + number, value, mask=there)
        number += 1
    tl.store(place, high.to(tl.int64, bitcast=True), mask=there)
    tl.store(place + 1, low.to(tl.int64, bitcast=True), mask=there)
