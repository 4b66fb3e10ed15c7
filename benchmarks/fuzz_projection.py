"""Fuzz the projection: millions of random problems, both dtypes, none outside the bound.

    python benchmarks/fuzz_projection.py --problems 10000000 --seed 0

Streams problems in chunks of one dimension D and one kind each, projects them to float64 and to
float32, and counts what must never happen. A log ratio is judged twice, in float64: by
``max_log_ratio`` and, for every row that is not simply the task, by the textbook formula
log s - log std + (mean - m)^2 / (2 (s^2 - std^2)). Exit status 1 if any count is not 0.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays

KINDS = ("ordinary", "hostile", "far base", "close", "feasible", "saturated", "extreme")
CHECKS = (
    "ratio above log alpha",
    "ratio above log alpha (textbook formula)",
    "std above base std",
    "NaN or infinite",
    "feasible task changed",
    "log alpha = 0 is not the base",
    "not representable in float32",
)


def draw(kind: str, count: int, dims: int, rng: np.random.Generator) -> list[np.ndarray]:
    """mean_base, std_base, mean_task, std_task (count, dims) and log_alpha (count,)."""
    shape = (count, dims)
    log_alpha = 10 ** rng.uniform(-9, np.log10(50), count)
    log_alpha[rng.random(count) < 0.01] = 0.0
    s = 10 ** rng.uniform(-3, 3, shape)
    m = rng.normal(size=shape) * s
    m[rng.random(count) < 0.3] = 0.0
    sign = rng.choice([-1.0, 1.0], shape)
    if kind == "ordinary":
        log_alpha = 10 ** rng.uniform(-2, 0.7, count)
        d, t = rng.normal(size=shape), np.exp(0.5 * rng.normal(size=shape))
    elif kind == "hostile":
        d = sign * 10 ** rng.uniform(-6, 6, shape) * (rng.random(shape) < 0.8)
        t = 10 ** rng.uniform(-6, 6, shape)
    elif kind == "far base":
        m = s * sign * 10 ** rng.uniform(0, 6, shape)
        d, t = rng.normal(size=shape), np.exp(rng.normal(size=shape))
    elif kind == "close":
        scale = 10 ** rng.uniform(-9, 0, (count, 1))
        d, t = rng.normal(size=shape) * scale, np.exp(scale * rng.normal(size=shape))
    elif kind == "feasible":
        d, t = 0.1 * rng.normal(size=shape), rng.uniform(0.5, 1.0, shape)
        log_alpha = rng.uniform(0.5, 1.5, count) * dims
    elif kind == "saturated":  # the log std part alone uses up the bound
        d = sign * 10 ** rng.uniform(-12, -3, shape) * (rng.random(shape) < 0.5)
        t = 10 ** rng.uniform(-6, 0, shape)
    else:  # numbers near the ends of float32's range
        s = 10 ** rng.uniform(-30, 30, shape)
        m = sign * 10 ** rng.uniform(-30, 30, shape)
        with np.errstate(all="ignore"):
            mean = np.where(rng.random(shape) < 0.2, m, rng.normal(size=shape) * 1e30)
        return [m, s, mean, 10 ** rng.uniform(-30, 30, shape), log_alpha]
    return [m, s, m + d * s, t * s, log_alpha]


def textbook_ratio(mean: np.ndarray, std: np.ndarray, m: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The max log ratio as one would write it down, in float64."""
    with np.errstate(all="ignore"):
        bend = (mean - m) ** 2 / (2.0 * (s**2 - std**2))
        bend[(mean == m) & (std == s)] = 0.0
        return (np.log(s) - np.log(std) + bend).sum(-1)


def examine(inputs: list[np.ndarray], single: bool, squares_fit: bool) -> np.ndarray:
    """How often each of CHECKS failed on one chunk."""
    if single:
        inputs = [x.astype(np.float32).astype(np.float64) for x in inputs[:4]] + inputs[4:]
    m, s, mt, st, log_alpha = inputs
    mean, std, _ = project_kl_arrays(*inputs, out_float32=single)
    ratio = max_log_ratio_arrays(mean, std, m, s)
    task = (mean == mt).all(-1) & (std == st).all(-1)
    feasible = max_log_ratio_arrays(mt, st, m, s) <= log_alpha
    base = (mean == m).all(-1) & (std == s).all(-1)
    bad = [
        ~(ratio <= log_alpha),
        ~(textbook_ratio(mean, std, m, s) <= log_alpha) & ~task & squares_fit,
        (std > s).any(-1),
        ~(np.isfinite(mean) & np.isfinite(std)).all(-1),
        feasible & ~task,
        (log_alpha == 0.0) & ~base,
        np.full(len(ratio), False),
    ]
    if single:
        with np.errstate(over="ignore"):
            bad[6] = ((mean.astype(np.float32) != mean) | (std.astype(np.float32) != std)).any(-1)
    return np.array([b.sum() for b in bad])


def fuzz(problems: int, seed: int, console: Console | None = None) -> dict[str, np.ndarray]:
    """Counts of failed checks per dtype over ``problems`` problems (each in both dtypes)."""
    rng = np.random.default_rng(seed)
    counts = {"float64": np.zeros(len(CHECKS), int), "float32": np.zeros(len(CHECKS), int)}
    done, shown = 0, time.monotonic()
    while done < problems:
        dims = int(rng.choice([1, 2, 2, 3, 4, 6, 10, 64, rng.integers(1, 65)]))
        kind = KINDS[int(rng.integers(len(KINDS)))]
        chunk = draw(kind, min(problems - done, 8192), dims, rng)
        for dtype, total in counts.items():
            total += examine(chunk, dtype == "float32", squares_fit=kind != "extreme")
        done += len(chunk[0])
        if console and time.monotonic() - shown > 10:
            shown = time.monotonic()
            console.print(f"{done:,} of {problems:,} problems", highlight=False)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    console = Console()
    start = time.monotonic()
    counts = fuzz(given.problems, given.seed, console)
    table = Table(title=f"{given.problems:,} problems, seed {given.seed}, "
                        f"{time.monotonic() - start:.0f} s")  # fmt: skip
    table.add_column("must be 0")
    for dtype in counts:
        table.add_column(dtype, justify="right")
    for i, name in enumerate(CHECKS):
        table.add_row(name, *(f"{total[i]:,}" for total in counts.values()))
    console.print(table)
    return int(any(total.any() for total in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
