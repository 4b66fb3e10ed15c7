"""Episodes in which everything is hostile: base, task policy and, in half of the rows, actions.

A promise about every path has to hold for every action, however improbable: those rows take the
action at which the density ratio is largest, or the one nearest to it within 8 std, beyond which no
generator draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from tests.gaussians import gaussian

Array = NDArray[np.float64]
Long = NDArray[np.longdouble]


class Paths(NamedTuple):
    """What became of n episodes; in extended precision, from the numbers that were used."""

    peak_log_ratio: Long  # (n,) largest realised log ratio of any prefix, at least 0, nats
    squared_shift: Long  # (n,) Σ_t |shift / std_base|²
    left: Array  # (n,) as the constraint has it at the end
    moved: int  # steps that were not the base's


def hostile_paths(
    constraint: Constraint, count: int, horizon: int, seed: int, size: int = 1
) -> Paths:
    """``count`` episodes of random lengths up to ``horizon``, actions of ``size`` entries."""
    rng = np.random.default_rng(seed)
    state = constraint.start(count)
    total = np.zeros(count, dtype=np.longdouble)
    peak, shifts = total.copy(), total.copy()
    length = rng.integers(1, horizon + 1, count)
    moved = 0
    for step in range(horizon):
        live = np.flatnonzero(length > step)
        shape = (live.size, size)
        base_mean = rng.normal(size=shape).astype(np.float32)
        base_std = np.exp(rng.normal(size=shape)).astype(np.float32)
        reach = 10.0 ** rng.uniform(-5.0, 3.0, (live.size, 1)) * (rng.random(shape) < 0.8)
        task_mean = base_mean + (base_std * reach * rng.normal(size=shape)).astype(np.float32)
        task_std = base_std * (10.0 ** rng.uniform(-4.0, 1.0, shape)).astype(np.float32)
        task_std = np.where(rng.random(shape) < 0.2, base_std, task_std)
        limits = torch.from_numpy(constraint.limits(state[live]))
        base, task = gaussian(base_mean, base_std), gaussian(task_mean, task_std)
        chosen = constraint.project(base, task, limits)
        assert bool(constraint.within(chosen, base, limits).all())
        mean, std = chosen.arrays()
        base_mean, base_std = base_mean.astype(np.float64), base_std.astype(np.float64)
        action = mean + std * rng.normal(size=shape)
        narrow = (std < base_std) & (np.arange(live.size) % 2 == 0)[:, None]
        share = np.where(narrow, (std / base_std) ** 2, 0.0)
        worst = (mean - base_mean * share) / (1.0 - share)
        worst = np.clip(worst, mean - 8.0 * std, mean + 8.0 * std)
        action = np.where(narrow, worst, action)
        cost = constraint.cost(chosen, base, action)
        state[live] = constraint.spend(state[live], cost)
        total[live] += log_ratio(mean, std, base_mean, base_std, action)
        peak[live] = np.maximum(peak[live], total[live])
        square = (np.longdouble(mean) - np.longdouble(base_mean)) / np.longdouble(base_std)
        shifts[live] += (square**2).sum(axis=1)
        moved += int(((mean != base_mean) | (std != base_std)).any(axis=1).sum())
    left = state[:, 0] if constraint.state_size else np.zeros(count)
    return Paths(peak, shifts, left, moved)


def log_ratio(mean: Array, std: Array, base_mean: Array, base_std: Array, action: Array) -> Long:
    """Σ_i log N(a_i; mean, std)/N(a_i; mean_base, std_base) with 64 bits of mantissa, (n,)."""
    x, s, m, b, a = (np.longdouble(v) for v in (mean, std, base_mean, base_std, action))
    return (np.log(b / s) + ((a - m) / b) ** 2 / 2 - ((a - x) / s) ** 2 / 2).sum(axis=1)
