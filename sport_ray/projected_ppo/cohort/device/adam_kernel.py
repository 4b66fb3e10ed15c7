"""Adam's step over the weights of K networks: one pass over memory, a program a piece of one."""

# Triton's language has no types for mypy
# mypy: allow-untyped-defs
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

jit: Any = triton.jit

_BLOCK = 1024


@jit
def _step(weights, mean, square, gradient, numbers, size, block: tl.constexpr):
    cell = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * block + tl.arange(0, block)
    live = at < size
    if tl.load(numbers + cell * 4 + 3) > 0.0:
        scale = tl.load(numbers + cell * 4)
        rate = tl.load(numbers + cell * 4 + 1)
        unbias = tl.load(numbers + cell * 4 + 2)
        place = cell * size + at
        g = tl.load(gradient + place, mask=live, other=0.0) * scale
        m = tl.load(mean + place, mask=live, other=0.0)
        v = tl.load(square + place, mask=live, other=0.0)
        m += 0.1 * (g - m)
        v = 0.999 * v + 0.001 * (g * g)
        w = tl.load(weights + place, mask=live, other=0.0)
        w -= rate * (m / (tl.sqrt(v) * unbias + 1e-5))
        tl.store(mean + place, m, mask=live)
        tl.store(square + place, v, mask=live)
        tl.store(weights + place, w, mask=live)


def step(weights: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, numbers: Tensor) -> None:
    """All (K, P) float32, contiguous; numbers (K, 4): scale, rate, 1/bias, on (above 0)."""
    cells, size = weights.shape
    _step[(-(-size // _BLOCK), cells)](
        weights, mean, square, gradient, numbers.contiguous(), size, block=_BLOCK, num_warps=4
    )
