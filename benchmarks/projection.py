"""The projection's cost, side by side with CVXPY/Clarabel on the same problems.

    python benchmarks/projection.py [--rounds 7]

Both solve minimise KL(projected || task) subject to max log ratio <= log alpha, one thread each,
in alternation within one run; the table shows medians over the rounds. CVXPY solves one problem per
call, as the authors of arXiv 2504.06386 do, with everything that changes a parameter (DPP), so that
its time is that of filling in the parameters, Clarabel, and reading the result.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from sport_ray.families.gaussian.projection import kl_divergence, max_log_ratio, project_kl

LOG_ALPHA = 0.2231435513142097  # alpha = 1.25
Problems = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def draw(count: int, dims: int, dtype: torch.dtype = torch.float32) -> Problems:
    """Ordinary problems: task means within a few base stds, stds within a factor of three."""
    rng = np.random.default_rng(dims)
    shape = (count, dims)
    s = np.exp(0.3 * rng.normal(size=shape))
    m = rng.normal(size=shape)
    mt, st = m + s * rng.normal(size=shape), s * np.exp(0.5 * rng.normal(size=shape))
    a, b, c, d = (torch.as_tensor(x, dtype=dtype) for x in (m, s, mt, st))
    return a, b, c, d


def seconds(call: Callable[[], object], at_least: float = 0.05) -> float:
    """Mean time of one call, over as many calls as fill ``at_least`` seconds."""
    calls = 0
    start = time.perf_counter()
    while True:
        call()
        calls += 1
        spent = time.perf_counter() - start
        if spent >= at_least:
            return spent / calls


def cvxpy_solver(dims: int) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """(m, s, mt, st, log_alpha) -> (mean, std) of one problem by CVXPY/Clarabel, in base units."""
    import cvxpy as cp

    shift, std = cp.Variable(dims), cp.Variable(dims, pos=True)
    inverse, target = cp.Parameter(dims, nonneg=True), cp.Parameter(dims)
    log_alpha = cp.Parameter(nonneg=True)
    kl = (
        0.5 * cp.sum_squares(cp.multiply(inverse, std))
        + 0.5 * cp.sum_squares(cp.multiply(inverse, shift) - target)
        - cp.sum(cp.log(std))
    )
    bend = sum(cp.quad_over_lin(shift[i], 1 - cp.square(std[i])) for i in range(dims))
    problem = cp.Problem(cp.Minimize(kl), [0.5 * bend - cp.sum(cp.log(std)) <= log_alpha])

    def solve(m: np.ndarray, s: np.ndarray, mt: np.ndarray, st: np.ndarray, c: float):  # type: ignore[no-untyped-def]
        inverse.value, target.value, log_alpha.value = s / st, (mt - m) / st, c
        problem.solve(solver=cp.CLARABEL)
        return m + s * shift.value, s * std.value

    return solve


def against_cvxpy(console: Console, rounds: int) -> None:
    """Time per projection at D = 2 and 10, batch 4096, and how good the answers are.

    Answers outside the bound; KL of one over KL of the other, less 1 (median).
    """
    try:
        for dims in (2, 10):
            cvxpy_solver(dims)
    except ImportError as error:
        console.print(f'CVXPY/Clarabel left out ({error}): pip install "cvxpy>=1.6"')
        return
    table = Table(title=f"One projection, batch 4096, one thread, medians of {rounds} rounds")
    for name in ("D", "ours [µs]", "CVXPY [µs]", "factor",
                 "outside: ours", "outside: CVXPY", "KL gap"):  # fmt: skip
        table.add_column(name, justify="right")
    for dims in (2, 10):
        problems, count = draw(4096, dims, torch.float64), 50
        few = [x[:count].numpy() for x in problems]
        solve = cvxpy_solver(dims)
        solve(*(x[0] for x in few), LOG_ALPHA)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(seconds(lambda p=problems: project_kl(*p, LOG_ALPHA)) / 4096)
            start = time.perf_counter()
            answers = [solve(*(x[k] for x in few), LOG_ALPHA) for k in range(count)]
            theirs.append((time.perf_counter() - start) / count)
        base, task = problems[:2], [x[:count] for x in problems[2:]]
        first = [x[:count] for x in base]
        mine = [x[:count] for x in project_kl(*problems, LOG_ALPHA)]
        other = [torch.as_tensor(np.array(x)) for x in zip(*answers, strict=True)]
        above = [int((max_log_ratio(*x, *first) > LOG_ALPHA).sum()) for x in (mine, other)]
        gap = (kl_divergence(*other, *task) / kl_divergence(*mine, *task) - 1).abs().nanmedian()
        a, b = statistics.median(ours), statistics.median(theirs)
        table.add_row(str(dims), f"{a * 1e6:.2f}", f"{b * 1e6:.0f}", f"{b / a:.0f}",
                      f"{above[0]} of {count}", f"{above[1]} of {count}", f"{gap:.0e}")  # fmt: skip
    console.print(table)


def scaling(console: Console, rounds: int) -> None:
    """Cost of a call against batch size (D = 2) and against D (batch 4096), float32."""
    for title, cases in (
        ("A call at D = 2", [(n, 2) for n in (16, 64, 256, 1024, 4096, 16384, 65536)]),
        ("A call with batch 4096", [(4096, d) for d in (1, 2, 4, 8, 16, 32, 64)]),
    ):
        problems = [draw(*case) for case in cases]
        times: list[list[float]] = [[] for _ in cases]
        for _ in range(rounds):
            for i, p in enumerate(problems):
                times[i].append(seconds(lambda p=p: project_kl(*p, LOG_ALPHA)))
        table = Table(title=f"{title}, float32, one thread, medians of {rounds} rounds")
        for name in ("batch", "D", "call [µs]", "per projection [µs]", "per dimension [ns]"):
            table.add_column(name, justify="right")
        for (n, d), spent in zip(cases, times, strict=True):
            t = statistics.median(spent)
            table.add_row(f"{n:,}", str(d), f"{t * 1e6:.1f}", f"{t / n * 1e6:.2f}",
                          f"{t / n / d * 1e9:.0f}")  # fmt: skip
        console.print(table)


def gradient(console: Console, rounds: int) -> None:
    """Forward and backward of a batch of 4096 at D = 2, beside the forward alone."""
    m, s, mt, st = draw(4096, 2)
    mt.requires_grad_()
    st.requires_grad_()

    def both() -> None:
        mean, std = project_kl(m, s, mt, st, LOG_ALPHA)
        torch.autograd.grad(mean.sum() + std.sum(), (mt, st))

    with torch.no_grad():
        alone = statistics.median(
            seconds(lambda: project_kl(m, s, mt, st, LOG_ALPHA)) for _ in range(rounds)
        )
    t = statistics.median(seconds(both) for _ in range(rounds))
    console.print(f"Gradient, batch 4096, D = 2: forward {alone * 1e3:.2f} ms, forward and "
                  f"backward {t * 1e3:.2f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    console = Console()
    against_cvxpy(console, rounds)
    scaling(console, rounds)
    gradient(console, rounds)


if __name__ == "__main__":
    main()
