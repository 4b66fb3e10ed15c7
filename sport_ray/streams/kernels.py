"""Seeding, PCG64 and standard normal numbers for many streams at once, as numpy computes them.

Seeding is ``SeedSequence`` (O'Neill's seed_seq), the generator XSL-RR 128/64 (O'Neill, 'PCG',
2014), normal numbers are drawn by the ziggurat (Marsaglia and Tsang, 2000) with numpy's tables:
all of it to the bit. :func:`as_numpy` compares with the installed numpy.

A state is four uint64: the high and the low word of PCG64's state, then of its increment. All that
is compiled is in this file: numba's cache notices changes of a function's own file only.
"""

# numba infers the types
# mypy: allow-untyped-defs

from __future__ import annotations

import functools
import math
from typing import Any

import numba
import numpy as np
from numba.np.random import _constants as ziggurat
from numpy.typing import NDArray

from sport_ray.compiled import njit

States = NDArray[np.uint64]
Array = NDArray[np.float64]

_POOL = 4
_LOW32 = np.uint64(0xFFFFFFFF)
_INIT_A, _MULT_A = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
_INIT_B, _MULT_B = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
_MIX_L, _MIX_R = np.uint64(0xCA01F9DD), np.uint64(0x4973F715)
_HIGH, _LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)  # PCG64's multiplier
_0, _1, _8, _11, _16 = (np.uint64(n) for n in (0, 1, 8, 11, 16))
_32, _58, _63, _64 = (np.uint64(n) for n in (32, 58, 63, 64))
_BYTE, _52 = np.uint64(0xFF), np.uint64(0x000FFFFFFFFFFFFF)
_KI, _WI, _FI = ziggurat.ki_double, ziggurat.wi_double, ziggurat.fi_double
_R, _INV_R = float(ziggurat.ziggurat_nor_r), float(ziggurat.ziggurat_nor_inv_r)


# SeedSequence: 32-bit words in uint64, since mixed widths would become floats in numba.


@numba.njit(inline="always")
def _scrambled(value, constant, factor):
    """(hash of a word, next constant)."""
    value ^= constant
    constant = (constant * factor) & _LOW32
    value = (value * constant) & _LOW32
    return value ^ (value >> _16), constant


@numba.njit(inline="always")
def _mixed(x, y):
    found = (_MIX_L * x - _MIX_R * y) & _LOW32
    return found ^ (found >> _16)


@njit(nogil=True)
def _pool_of(words, pool):
    """SeedSequence's pool (4,) of four words or more; the next constant."""
    constant = _INIT_A
    for i in range(_POOL):
        pool[i], constant = _scrambled(words[i], constant, _MULT_A)
    for source in range(_POOL):
        for i in range(_POOL):
            if i != source:
                value, constant = _scrambled(pool[source], constant, _MULT_A)
                pool[i] = _mixed(pool[i], value)
    for source in range(_POOL, words.shape[0]):
        constant = _add_word(pool, words[source], constant)
    return constant


@njit(nogil=True)
def _add_word(pool, word, constant):
    for i in range(_POOL):
        value, constant = _scrambled(word, constant, _MULT_A)
        pool[i] = _mixed(pool[i], value)
    return constant


@njit(nogil=True)
def _generated(pool, state):
    """PCG64's state as ``generate_state(4, uint64)`` and ``pcg64_set_seed`` make it."""
    constant = _INIT_B
    words = np.empty(4, dtype=np.uint64)
    for i in range(8):
        value, constant = _scrambled(pool[i % _POOL], constant, _MULT_B)
        if i % 2 == 0:
            words[i // 2] = value
        else:
            words[i // 2] |= value << _32
    state[2] = (words[2] << _1) | (words[3] >> _63)
    state[3] = (words[3] << _1) | _1
    # From state 0 one step leads to the increment; then the seed is added, and one more is done.
    low = state[3] + words[1]
    state[0] = state[2] + words[0] + (_1 if low < words[1] else _0)
    state[1] = low
    _advance(state)


@njit(nogil=True)
def _seed_rows(prefix, indices, states):
    """States (2, n, 4) of scenarios ``indices`` under the words of root seed and purpose."""
    shared = np.empty(_POOL, dtype=np.uint64)
    pool, child = np.empty_like(shared), np.empty_like(shared)
    after_prefix = _pool_of(prefix, shared)
    for row in range(indices.shape[0]):
        constant = after_prefix
        index = np.uint64(indices[row])
        pool[:] = shared
        constant = _add_word(pool, index & _LOW32, constant)
        if index >> _32:
            constant = _add_word(pool, index >> _32, constant)
        for number in range(2):
            child[:] = pool
            _add_word(child, np.uint64(number), constant)
            _generated(child, states[number, row])


def _words(value: int) -> list[int]:
    """An integer in words of 32 bits, the lowest first; at least one."""
    found = [value & 0xFFFFFFFF]
    while value := value >> 32:
        found.append(value & 0xFFFFFFFF)
    return found


def _prefix(root_seed: int, purpose: int) -> NDArray[np.uint64]:
    """The words that come before a scenario's own."""
    root = _words(root_seed)
    root += [0] * (_POOL - len(root))  # as numpy pads where there is a spawn key
    return np.array(root + _words(purpose), dtype=np.uint64)


def seeded(root_seed: int, purpose: int, indices: NDArray[np.int64]) -> States:
    """The states of scenarios ``indices`` (n,): (2, n, 4), for environment and actions.

    Those of ``default_rng`` of ``SeedSequence(root_seed, spawn_key=(purpose, index)).spawn(2)``.
    """
    states = np.empty((2, len(indices), 4), dtype=np.uint64)
    _seed_rows(_prefix(root_seed, purpose), np.ascontiguousarray(indices, dtype=np.int64), states)
    return states


def shared_pool(root_seed: int, purpose: int) -> NDArray[np.int64]:
    """(5,): the pool that all scenarios of a root seed and a purpose share, the next constant."""
    found = np.zeros(5, dtype=np.uint64)
    found[4] = _pool_of(_prefix(root_seed, purpose), found[:4])
    return found.astype(np.int64)


def ziggurat_tables() -> tuple[NDArray[np.uint64], Array, Array, Array]:
    """Numpy's ki, wi and fi, (256,) each, and (r, 1/r)."""
    return _KI, _WI, _FI, np.array([_R, _INV_R])


# PCG64 and the ziggurat.


@numba.njit(inline="always")
def _advance(state):
    """One step of the 128-bit generator: state · multiplier + increment."""
    high, low = state[0], state[1]
    # The upper half of low · _LOW, by halves of 32 bits.
    a, b = low >> _32, low & _LOW32
    c, d = _LOW >> _32, _LOW & _LOW32
    mid = a * d + ((b * d) >> _32)
    cross = b * c + (mid & _LOW32)
    carried = a * c + (mid >> _32) + (cross >> _32)
    product = low * _LOW
    total = product + state[3]
    state[0] = carried + high * _LOW + low * _HIGH + state[2] + (_1 if total < product else _0)
    state[1] = total


@numba.njit(inline="always")
def _next_word(state):
    """The next 64 random bits."""
    _advance(state)
    turn = state[0] >> _58
    value = state[0] ^ state[1]
    return (value >> turn) | (value << ((_64 - turn) & _63))


@numba.njit(inline="always")
def _next_uniform(state):
    """The next multiple of 2^-53 in [0, 1)."""
    return np.float64(_next_word(state) >> _11) * (1.0 / 9007199254740992.0)


@njit(nogil=True)
def _next_normal(state):
    """The next standard normal number, as ``Generator.standard_normal`` draws it."""
    while True:
        word = _next_word(state)
        strip = np.int64(word & _BYTE)
        word = word >> _8
        size = (word >> _1) & _52
        x = np.float64(size) * _WI[strip]
        if word & _1:
            x = -x
        if size < _KI[strip]:
            return x
        if strip == 0:
            while True:
                xx = -_INV_R * math.log1p(-_next_uniform(state))
                yy = -math.log1p(-_next_uniform(state))
                if yy + yy > xx * xx:
                    return -(_R + xx) if (size >> _8) & _1 else _R + xx
        height = (_FI[strip - 1] - _FI[strip]) * _next_uniform(state) + _FI[strip]
        if height < math.exp(-0.5 * x * x):
            return x


@njit(nogil=True)
def _fill_normal(states, rows, out):
    for i in range(rows.shape[0]):
        state = states[rows[i]]
        for j in range(out.shape[1]):
            out[i, j] = _next_normal(state)


@njit(nogil=True)
def _fill_uniform(states, rows, out):
    for i in range(rows.shape[0]):
        state = states[rows[i]]
        for j in range(out.shape[1]):
            out[i, j] = _next_uniform(state)


@njit(nogil=True)
def _first_words(states, out):
    for i in range(states.shape[0]):
        state = states[i].copy()
        out[i] = _next_word(state)


def fill_normal(states: States, rows: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Standard normal numbers (m, D) from the streams ``rows`` (m,) of (n, 4), which move on.

    Row after row in the order of ``standard_normal(D)``. rows: different ones.
    """
    _require(states, rows, out)
    _fill_normal(states, rows, out)


def fill_uniform(states: States, rows: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Uniform numbers of [0, 1), as :func:`fill_normal`, in the order of ``random(D)``."""
    _require(states, rows, out)
    _fill_uniform(states, rows, out)


def first_integers(states: States) -> NDArray[np.int64]:
    """What ``integers(2**31)`` would give first from each of the states (n, 4), which stay.

    Of a power of two Lemire's method refuses nothing: the upper 31 of the word's lower 32 bits.
    """
    words = np.empty(len(states), dtype=np.uint64)
    _first_words(np.ascontiguousarray(states), words)
    return ((words & _LOW32) >> _1).astype(np.int64)


def _require(states: States, rows: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    # The compiled loops do not check bounds.
    if states.ndim != 2 or states.shape[1] != 4 or out.ndim != 2 or rows.shape != out.shape[:1]:
        raise ValueError(f"states {states.shape}, rows {rows.shape} and out {out.shape} do not fit")
    if rows.size and not (rows.min() >= 0 and rows.max() < len(states)):
        raise ValueError(f"rows must lie in 0 … {len(states) - 1}")


# numpy's own objects.


def state_of(generator: np.random.Generator) -> States:
    """The state (4,) of a generator on PCG64."""
    held = generator.bit_generator.state["state"]
    numbers = (held["state"] >> 64, held["state"], held["inc"] >> 64, held["inc"])
    return np.array([number & 0xFFFFFFFFFFFFFFFF for number in numbers], dtype=np.uint64)


def generator_of(state: States) -> np.random.Generator:
    """The generator in a state (4,); what it draws from then on moves no row."""
    bits = np.random.PCG64(_NO_SEED)  # type: ignore[arg-type]  # numpy takes any ISeedSequence
    high, low, inc_high, inc_low = (int(word) for word in state)
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": 0,
        "uinteger": 0,
    }
    return np.random.Generator(bits)


class _NoSeed(np.random.bit_generator.ISeedSequence):
    """Spares a bit generator whose state is about to be set the mixing of entropy."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return np.zeros(n_words, dtype=dtype)


_NO_SEED = _NoSeed()


@functools.cache
def as_numpy() -> bool:
    """Whether all of this gives the installed numpy's numbers: seeds, words, normal numbers.

    4,096 numbers of each of eight streams, tails and rejections among them: compared once in a
    process, in a millisecond.
    """
    indices = np.array([0, 1, 2**32 - 1, 2**40], dtype=np.int64)
    states = seeded(2**70 + 5, 3, indices).reshape(8, 4)
    normal, uniform = np.empty((8, 4096)), np.empty((8, 8))
    fill_normal(states, np.arange(8), normal)
    fill_uniform(states, np.arange(8), uniform)
    row = 0
    for child in range(2):
        for index in indices.tolist():
            sequence = np.random.SeedSequence(2**70 + 5, spawn_key=(3, index, child))
            one = np.random.default_rng(sequence)
            if not isinstance(one.bit_generator, np.random.PCG64):
                return False
            same = np.array_equal(one.standard_normal(4096), normal[row])
            if not (same and np.array_equal(one.random(8), uniform[row])):
                return False
            row += 1
    return True
