"""The same projection by other means: the compiled kernel and plain torch.

The torch version is the simplest that is exact enough to compare (bisection on the multiplier,
with the cubic of each dimension by bisection inside, all on whole batches); it neither rounds
inwards nor checks. Prints medians of alternating calls at D = 2, float64, one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from sport_ray.families.gaussian.projection import kl_divergence, project_kl

LOG_ALPHA = 0.3
OUTER, INNER = 50, 50
ROUNDS = 7


def torch_projection(offset: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Project N(offset, std²) onto log ratio ≤ LOG_ALPHA around N(0, 1); (mean, std), (n, D)."""
    low = torch.full(offset.shape[:1], -25.0, dtype=offset.dtype)
    high = torch.full_like(low, 25.0)
    mean = variance = offset
    for _ in range(OUTER):
        middle = 0.5 * (low + high)
        weight = torch.exp(middle)[:, None]  # the multiplier λ, by its logarithm
        small, large = torch.full_like(offset, 1e-12), torch.ones_like(offset)
        for _ in range(INNER):
            v = 0.5 * (small + large)
            room = 1.0 - v + weight * std**2
            slope = -(1.0 + weight) / v + 1.0 / std**2 + weight * (offset / room) ** 2
            small, large = torch.where(slope < 0, v, small), torch.where(slope < 0, large, v)
        variance = 0.5 * (small + large)
        room = 1.0 - variance + weight * std**2
        mean = offset * (1.0 - variance) / room
        ratio = (-0.5 * variance.log() + 0.5 * (1.0 - variance) * (offset / room) ** 2).sum(-1)
        above = ratio > LOG_ALPHA
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return mean, variance.sqrt()


def milliseconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    table = Table(title=f"one call, D = 2, medians of {ROUNDS} alternating calls")
    for name in ("batch", "numba [ms]", "torch [ms]", "largest KL gap"):
        table.add_column(name, justify="right")
    for batch in (16, 4_096):
        generator = torch.Generator().manual_seed(0)
        offset = 2.0 * torch.randn((batch, 2), generator=generator, dtype=torch.float64)
        std = torch.exp(0.5 * torch.randn((batch, 2), generator=generator, dtype=torch.float64))
        zero, one = torch.zeros_like(offset), torch.ones_like(offset)
        calls: list[Callable[[], tuple[Tensor, Tensor]]] = [
            lambda o=offset, s=std, z=zero, u=one: project_kl(z, u, o, s, LOG_ALPHA),
            lambda o=offset, s=std: torch_projection(o, s),
        ]
        ours, theirs = (call() for call in calls)
        gap = (kl_divergence(*ours, offset, std) - kl_divergence(*theirs, offset, std)).abs().max()
        times = [[milliseconds(call) for call in calls] for _ in range(ROUNDS)]
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        table.add_row(f"{batch:,}", *(f"{value:.3g}" for value in medians), f"{float(gap):.1g}")
    Console().print(table)


if __name__ == "__main__":
    main()
