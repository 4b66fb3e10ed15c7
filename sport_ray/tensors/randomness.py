"""Random numbers that follow from a slot's seed alone: counter-based, the same on every device.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011): ten rounds that turn a counter under a key into
four words of 32 bits. The key is the seed, the counter says which number of which stream is meant,
so nothing is remembered and no slot draws from what another has left over. On a CPU one compiled
loop does what :func:`philox` does in some hundred small operations.
"""

# numba infers the types of what it compiles
# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sport_ray.compiled import njit

_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def uniforms(seeds: Tensor, count: int, *, stream: int = 0, step: Tensor | int = 0) -> Tensor:
    """``count`` numbers for each seed: (n, count) in float64, multiples of 2⁻⁵³ from [0, 1).

    seeds: (n,) int64, at least 0. stream: which use within the episode, 0 … 2³² − 1. step: which
    time, the same for all or (n,) int64, such as the slot's step number. The same arguments give
    the same bits on every device and in every batch.

    >>> seeds = torch.tensor([7, 8])
    >>> bool((uniforms(seeds, 3)[1] == uniforms(seeds[1:], 3)[0]).all())
    True
    """
    blocks = (count + 1) // 2
    if seeds.device.type == "cpu":
        times = torch.as_tensor(step, dtype=torch.int64).reshape(-1).expand(len(seeds))
        drawn = torch.empty(len(seeds), 2 * blocks, dtype=torch.float64)
        _fill(seeds.to(torch.int64).numpy(), times.numpy(), stream, drawn.numpy())
        return drawn[:, :count]
    return _on_device(seeds, blocks, stream, step)[:, :count]


@njit(nogil=True)
def _fill(seeds, times, stream, out):
    """Doubles (n, 2 · blocks) of seeds and times (n,)."""
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    for row in range(len(seeds)):
        seed, when = np.uint64(seeds[row]), np.uint64(times[row])
        for block in range(out.shape[1] // 2):
            a, b = np.uint64(block), when & low
            c, d = (when >> half) & low, np.uint64(stream)
            k, m = seed & low, seed >> half
            for _ in range(10):
                one, other = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
                a, b, c, d = (other >> half) ^ b ^ k, other & low, (one >> half) ^ d ^ m, one & low
                k, m = (k + np.uint64(0x9E3779B9)) & low, (m + np.uint64(0xBB67AE85)) & low
            for place, (high, rest) in enumerate(((a, b), (c, d))):
                bits = ((high >> np.uint64(5)) << np.uint64(26)) + (rest >> np.uint64(6))
                out[row, 2 * block + place] = np.float64(bits) / 9007199254740992.0


def _on_device(seeds: Tensor, blocks: int, stream: int, step: Tensor | int) -> Tensor:
    """The same in tensors of any device, (n, 2 · blocks)."""
    number = torch.arange(blocks, dtype=torch.int64, device=seeds.device)[None, :]
    when = torch.as_tensor(step, dtype=torch.int64, device=seeds.device).reshape(-1, 1)
    key = seeds.to(torch.int64)[:, None]
    shape = (len(seeds), blocks)
    zero = torch.zeros(shape, dtype=torch.int64, device=seeds.device)
    counter = (number + zero, (when & _LOW) + zero, ((when >> 32) & _LOW) + zero, stream + zero)
    words = philox(counter, ((key & _LOW) + zero, ((key >> 32) & _LOW) + zero))
    # 53 bits of two words, as numpy makes a double of 64 bits.
    halves = [
        ((words[2 * k] >> 5) * 67108864 + (words[2 * k + 1] >> 6)).to(torch.float64) / 2.0**53
        for k in range(2)
    ]
    return torch.stack(halves, dim=2).reshape(len(seeds), 2 * blocks)


def normals(seeds: Tensor, count: int, *, stream: int = 0, step: Tensor | int = 0) -> Tensor:
    """Independent standard normals, (n, count) in float64, by Box and Muller from :func:`uniforms`.

    log, cos and sin are the device's: between devices they may differ in the last bit.
    """
    pairs = (count + 1) // 2
    drawn = uniforms(seeds, 2 * pairs, stream=stream, step=step)
    radius = torch.sqrt(-2.0 * torch.log1p(-drawn[:, :pairs]))
    angle = 2.0 * math.pi * drawn[:, pairs:]
    both = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=2)
    return both.reshape(len(seeds), 2 * pairs)[:, :count]


def philox(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 on words of 32 bits, each in an int64."""
    a, b, c, d = counter
    k, m = key
    for _ in range(_ROUNDS):
        high_a, low_a = _product(a, _MULTIPLIERS[0])
        high_c, low_c = _product(c, _MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ k, low_c, high_a ^ d ^ m, low_a
        k, m = (k + _WEYL[0]) & _LOW, (m + _WEYL[1]) & _LOW
    return a, b, c, d


def _product(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low words of a product; in halves, since 64 bits have a sign here."""
    low, high = word & 0xFFFF, word >> 16
    under = low * factor
    over = high * factor + (under >> 16)
    return over >> 16, ((over & 0xFFFF) << 16) | (under & 0xFFFF)
