"""The categorical projection against a bisection and against a copy of the same memory.

    python benchmarks/categorical_projection.py

Rows of n log weights against a uniform base, greedy (e^(-1000 score)) and soft scores. Timed in
turns: the projection (with its checks), the same with the rounding of the task, the 70 steps of
bisection on arrays that a script would write, and a copy of the array. Medians; ratios are those
of the whole call.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from sport_ray.families import Categorical


def bisected(log_weights: np.ndarray, limit: float) -> np.ndarray:
    """min(K w, α/n) by 70 halvings of log K; Σ p = 1 and the limit hold up to rounding only."""
    w = log_weights - log_weights.max(axis=1, keepdims=True)
    low, high = np.full(len(w), -20.0), np.full(len(w), 1e5)
    for _ in range(70):
        middle = 0.5 * (low + high)
        short = np.exp(np.minimum(middle[:, None] + w, limit)).mean(axis=1) < 1.0
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    p = np.exp(np.minimum(high[:, None] + w, limit))
    return p / p.sum(axis=1, keepdims=True)


def medians(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """CPU seconds of each, in turns: other work on the machine hardly counts."""
    seconds = np.empty((rounds, len(calls)))
    for row in seconds:
        for i, call in enumerate(calls):
            start = time.thread_time()
            call()
            row[i] = time.thread_time() - start
    return [float(x) for x in np.median(seconds, axis=0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=500_000, help="rows times n")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=0.0812, help="nats")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    columns = ("n", "scores", "rows", "projection ns/entry", "with rounding", "bisection", "copy",
               "bisection / call", "call / copy")  # fmt: skip
    table = Table(*columns, title=f"medians of {given.rounds}, limit {given.limit} nats")
    for size in (16, 32, 128):
        count = given.entries // size
        scores = rng.normal(size=(count, size))
        for name, logw in (("greedy", 1e3 * scores), ("soft", scores)):
            base, task = Categorical.uniform(count, size), Categorical.of_log_weights(logw)
            found = task.projected(base, given.limit).arrays()[0]
            np.testing.assert_allclose(found, bisected(logw, given.limit), atol=1e-9)
            room = np.empty_like(logw)
            times = medians(
                [
                    lambda task=task, base=base: task.projected(base, given.limit),
                    lambda logw=logw, base=base: Categorical.of_log_weights(logw).projected(
                        base, given.limit
                    ),
                    lambda logw=logw: bisected(logw, given.limit),
                    lambda logw=logw, room=room: np.copyto(room, logw),
                ],
                given.rounds,
            )
            each = [f"{1e9 * x / logw.size:.2f}" for x in times]
            table.add_row(
                str(size), name, f"{count:,}", *each,
                f"{times[2] / times[1]:.0f}", f"{times[1] / times[3]:.0f}",
            )  # fmt: skip
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
