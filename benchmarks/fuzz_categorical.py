"""Fuzz the categorical projection: millions of random rows, none outside its bounds.

    python benchmarks/fuzz_categorical.py --rows 10000000 --seed 0
    python benchmarks/fuzz_categorical.py --rows 100000 --broken    # must find violations

Streams rows in chunks of one n and one kind, projects them with and without floors, and counts
what must never happen. Exact: units are integers in float64, e^c q is an upper bound less its own
rounding error. ``--broken`` examines the formula in plain float64, clipped and normalised, in the
projection's place: it shows that the checks can fail. Exit status 1 if any count is not 0.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from sport_ray.families import Categorical

KINDS = ("ordinary", "tied", "greedy", "near ties", "wide", "sparse", "close", "feasible")
BASES = ("uniform", "dirichlet", "peaked")
SIZES = (1, 2, 3, 4, 8, 16, 16, 32, 64, 128, 128, 256)
UNITS = 2.0**52
CHECKS = (
    "not on the grid, or the sum is not 1",
    "p > e^c q, exactly",
    "log(p/q) > c, as float64 computes it",
    "log p - log q > c, as float64 computes it",
    "log_ratio_above > c",
    "max_log_ratio > c",
    "p < floor q, exactly",
    "log(p/q) < log floor, as float64 computes it",
    "p > 0 where q = 0",
    "an outcome with p = 0 is drawn",
    "feasible task changed",
    "c = 0 or floor = 1 is not the base",
    "projected twice is another",
    "not the closest: an order of w/q is broken",
    "not the closest: two free outcomes not as w",
)


def draw(
    kind: str, of_base: str, count: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, Categorical, np.ndarray, np.ndarray]:
    """Log weights (count, n), base, limits (count,) and floors (count,)."""
    shape = (count, size)
    base = Categorical.uniform(count, size)
    if of_base != "uniform":
        logq = np.log(rng.standard_exponential(shape)) * (1.0 if of_base == "dirichlet" else 20.0)
        empty = rng.random(shape) < 0.1
        empty[np.arange(count), rng.integers(0, size, count)] = False
        base = Categorical.of_log_weights(np.where(empty, -np.inf, logq))
    limit = 10 ** rng.uniform(-3, 1, count)
    some = rng.random(count)
    limit[some < 0.02] = 0.0
    limit[(some > 0.02) & (some < 0.1)] = 10 ** rng.uniform(
        -18, -9, ((some > 0.02) & (some < 0.1)).sum()
    )
    limit[(some > 0.1) & (some < 0.13)] = 50.0
    floor = rng.choice([0.0, 0.0, 1e-9, 0.3, 0.855, 0.999, 1.0 - 2.0**-53, 1.0], count)
    normal = rng.normal(size=shape)
    if kind == "ordinary":
        logw = normal * 10 ** rng.uniform(-1, 1, (count, 1))
    elif kind == "tied":
        logw = rng.integers(0, 3, shape) * 10 ** rng.uniform(-1, 3, (count, 1))
    elif kind == "greedy":
        logw = -1e3 * rng.permuted(np.tile(np.arange(float(size)), (count, 1)), axis=1)
    elif kind == "near ties":
        logw = -1e3 * rng.integers(0, size // 2 + 1, shape) + normal
    elif kind == "wide":
        logw = rng.uniform(-1e3, 1e3, shape)
    elif kind == "sparse":
        logw = np.where(rng.random(shape) < 0.7, -np.inf, normal)
        logw[np.arange(count), rng.integers(0, size, count)] = 0.0
    else:
        with np.errstate(divide="ignore"):
            logw = np.log(base.arrays()[0])
        logw += normal * (1e-12 if kind == "close" else 0.05)
    return logw, base, limit, floor


def in_plain_floats(
    logw: np.ndarray, base: Categorical, floor: np.ndarray, limit: np.ndarray
) -> Categorical:
    """What a script would do: bisection, then normalised; on the grid by rounding."""
    q = base.arrays()[0]
    w = np.exp(np.maximum(logw - logw.max(-1, keepdims=True), -700.0))
    low, high = floor[:, None] * q, np.exp(limit)[:, None] * q
    least, most = np.full((len(q), 1), -60.0), np.full((len(q), 1), 760.0)
    for _ in range(60):
        middle = 0.5 * (least + most)
        full = np.clip(np.exp(middle) * w, low, high).sum(-1, keepdims=True) >= 1.0
        least, most = np.where(full, least, middle), np.where(full, middle, most)
    p = np.clip(np.exp(most) * w, low, high)
    return Categorical(np.round(p / p.sum(-1, keepdims=True) * UNITS) / UNITS)


def examine(
    logw: np.ndarray,
    base: Categorical,
    limit: np.ndarray,
    floor: np.ndarray,
    uniforms: np.ndarray,
    broken: bool,
) -> np.ndarray:
    """How many rows failed each of CHECKS."""
    task = Categorical.of_log_weights(logw)
    if broken:
        found = in_plain_floats(logw, base, floor, limit)
        twice = found
    else:
        c, kappa = torch.from_numpy(limit), torch.from_numpy(floor)
        found = task.projected_within(base, kappa, c)
        twice = found.projected_within(base, kappa, c)
    (p,), (q,), (t,) = found.arrays(), base.arrays(), task.arrays()
    k, m = p * UNITS, q * UNITS
    c, kappa = limit[:, None], floor[:, None]
    with np.errstate(all="ignore"):
        # e^c in long double is within 2^-62 of itself; so is the product.
        most = np.exp(c.astype(np.longdouble)) * m * (1.0 - np.longdouble(2.0) ** -60)
        beyond = (k > most) & (k != m)
        ratio = np.where(p == q, 0.0, np.log(p / q))
        parts = np.where(p == q, 0.0, np.log(p) - np.log(q))
        least = kappa.astype(np.longdouble) * m
        lower = np.log(kappa)
        inside_t = (t <= np.exp(c) * q * (1.0 - 1e-12 * (1.0 + c))) | (t == q)
        inside_t &= (t >= kappa * q * (1.0 + 1e-12)) | (t == q)
    drawn = found.sample(uniforms)
    above = found.log_ratio_above(base, drawn)
    one = (limit == 0.0) | (floor == 1.0)
    bad = [
        ~((k >= 0.0) & (k == np.floor(k))).all(-1) | (k.sum(-1) != UNITS),
        beyond.any(-1),
        (ratio > c).any(-1),
        (parts > c).any(-1),
        above > limit,
        np.zeros(len(p), bool) if broken else found.max_log_ratio(base).numpy() > limit,
        (k < least).any(-1),
        ((ratio < lower) & (q > 0.0)).any(-1),
        ((p > 0.0) & (q == 0.0)).any(-1),
        np.take_along_axis(p, drawn.astype(int).clip(max=p.shape[1] - 1), -1)[:, 0] == 0.0,
        inside_t.all(-1) & (p != t).any(-1),
        one & (p != q).any(-1),
        (twice.arrays()[0] != p).any(-1),
        *order_broken(logw, p, q, np.exp(c) * q, kappa * q),
    ]
    return np.array([b.sum() for b in bad])


def order_broken(
    logw: np.ndarray, p: np.ndarray, q: np.ndarray, cap: np.ndarray, low: np.ndarray
) -> list[np.ndarray]:
    """Where p misses the conditions of the minimum.

    log p - log w is one number for free outcomes, no less for floored, no more for capped ones.
    """
    unit = 2.0 / UNITS
    room = (p < cap * (1.0 - 1e-9) - unit) & np.isfinite(logw)
    holds = (p > low * (1.0 + 1e-9) + unit) & np.isfinite(logw)
    with np.errstate(divide="ignore", invalid="ignore"):
        multiplier = np.log(p) - logw
        upper = np.log(p + unit * p.shape[1]) - logw  # what rounding may have kept back
        lower = np.log(np.maximum(p - unit * p.shape[1], 0.0)) - logw
    # Mass could move from one that holds some to one that has room, at a gain.
    best = np.where(room, upper, np.inf).min(-1)
    worst = np.where(holds, lower, -np.inf).max(-1)
    slack = 1e-9 + 1e-12 * np.abs(np.where(np.isfinite(logw), logw, 0.0)).max(-1)
    order = worst > best + slack
    big = room & holds & (p > 1e-6)
    most = np.where(big, multiplier, -np.inf).max(-1)
    fewest = np.where(big, multiplier, np.inf).min(-1)
    return [order, most - fewest > 1e-8 + slack]


def fuzz(rows: int, seed: int, broken: bool = False, console: Console | None = None) -> np.ndarray:
    """Counts of failed checks over that many rows."""
    rng = np.random.default_rng(seed)
    counts = np.zeros(len(CHECKS), int)
    done, shown = 0, time.monotonic()
    while done < rows:
        size = int(rng.choice([*SIZES, rng.integers(1, 257)]))
        kind, of_base = str(rng.choice(KINDS)), str(rng.choice(BASES))
        count = min(rows - done, 4096, 2**17 // size)
        problem = draw(kind, of_base, count, size, rng)
        failed = examine(*problem, rng.random((count, 1)), broken)
        if console and failed.any() and not broken:
            console.print(f"n = {size}, {kind}, {of_base}: {failed.tolist()}", highlight=False)
        counts += failed
        done += count
        if console and time.monotonic() - shown > 10:
            shown = time.monotonic()
            console.print(f"{done:,} of {rows:,} rows", highlight=False)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--broken", action="store_true", help="examine plain floats instead")
    given = parser.parse_args()
    console = Console()
    start = time.monotonic()
    counts = fuzz(given.rows, given.seed, given.broken, console)
    table = Table(title=f"{given.rows:,} rows, seed {given.seed}, {time.monotonic() - start:.0f} s")
    table.add_column("must be 0")
    table.add_column("rows", justify="right")
    for name, count in zip(CHECKS, counts, strict=True):
        table.add_row(name, f"{count:,}")
    console.print(table)
    return int(counts.any())


if __name__ == "__main__":
    sys.exit(main())
