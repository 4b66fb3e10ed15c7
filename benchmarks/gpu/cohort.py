"""The training of the paper's study on a GPU: checked, then timed. One command, no network.

    python -m benchmarks.gpu.cohort [--cells 130] [--cells 1300] [--steps 30000] [--device cuda]

Needs torch with CUDA and Triton, numpy, numba, pydantic and gymnasium; no Ray. Exit status 1 if a
stored ratio is above its limit, a cell failed, or cells with room did not get faster to the goal.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import numpy as np
import torch

from benchmarks.gpu.findings import FAILED, require, wait
from benchmarks.gpu.subject import BASE
from benchmarks.peers.settings import ENV_ID, HORIZON, SETTINGS, alpha_of
from sport_ray.constraints import RatioConstraint
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.store import load_policy
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device import graphs
from sport_ray.projected_ppo.cohort.device.cohort import DeviceCohort
from sport_ray.projected_ppo.cohort.device.plan import Plan

PAPER = SETTINGS["paper"]
WIDE = 10.0
"""From this α on a policy has room to get faster within the paper's number of steps."""
WINDOW = 12
"""Iterations at each end that steps to the goal are averaged over."""


def cells_of(count: int, base: PolicyNetwork) -> list[Cell]:
    """The paper's cells: each α in turn, a seed of its own for each."""
    return [
        Cell(
            seed=index,
            constraint=RatioConstraint(alpha=alpha_of(index)),
            start=base,
            lr=PAPER.lr,
            critic_lr=PAPER.critic_lr,
            gamma=PAPER.gamma,
            lambda_=PAPER.gae_lambda,
            clip_param=PAPER.clip,
            entropy_coeff=0.0,
            grad_clip=PAPER.grad_clip,
            vf_loss_coeff=PAPER.vf_loss_coeff,
            warmup_env_steps=2500,
        )
        for index in range(count)
    ]


def worst_excess(cohort: DeviceCohort) -> float:
    """Largest stored ratio less its limit, nats, by the CPU's code on the last iteration."""
    laws = cohort.rollout.record.laws.double().cpu().numpy()
    size = laws.shape[-1] // 6
    mean, std, base_mean, base_std = (
        np.ascontiguousarray(laws[..., i * size : (i + 1) * size]).reshape(-1, size)
        for i in range(4)
    )
    ratio = max_log_ratio_arrays(mean, std, base_mean, base_std)
    limits = np.array([cell.constraint.log_ratio_limit for cell in cohort.cells])
    rows = np.tile(np.repeat(limits, cohort.plan.copies), cohort.plan.steps)
    return float((ratio - rows).max())


def to_goal(lengths: list[list[float | None]], wide: list[int]) -> tuple[float, float]:
    """Mean steps of episodes in the first and the last iterations of some cells."""
    ends = lengths[:WINDOW], lengths[-WINDOW:]
    first, last = (
        float(np.mean([one for row in part for one in (row[i] for i in wide) if one is not None]))
        for part in ends
    )
    return first, last


def train(
    name: str, count: int, plan: Plan, env_steps: int, device: torch.device, *, profile: bool
) -> None:
    """Train and tell."""
    base = load_policy(BASE).network
    cells = cells_of(count, base)
    iterations = -(-env_steps // plan.rows)
    begin = time.perf_counter()
    cohort = DeviceCohort(cells, plan, base, device)
    lengths: list[list[float | None]] = []
    excess = -math.inf
    start, waited = begin, 0.0
    for iteration in range(iterations):
        if iteration == 4:  # all is compiled and captured
            wait(device)
            start, waited = time.perf_counter(), 0.0
        cohort.iterate()
        if iteration < WINDOW or iteration >= iterations - WINDOW:
            pause = time.perf_counter()
            told = cohort.results()
            lengths.append([one["episode_len_mean"] for one in told])
            waited += time.perf_counter() - pause
        if iteration % 50 == 49 or iteration == iterations - 1:
            pause = time.perf_counter()
            wait(device)
            steady = time.perf_counter() - pause
            excess = max(excess, worst_excess(cohort))
            waited += steady
            start += time.perf_counter() - pause - steady  # the host's own check is no training
    wait(device)
    end = time.perf_counter()
    rows = plan.rows * count
    errors = cohort.errors()
    wide = [i for i, cell in enumerate(cells) if cell.constraint.log_ratio_limit >= math.log(WIDE)]
    first, last = to_goal(lengths, wide)
    told = cohort.results()
    violating = sum(one["num_violating_episodes_lifetime"] or 0 for one in told)
    episodes = sum(one["num_episodes_lifetime"] or 0 for one in told)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    print(
        f"{name}: {count:,} cells x {iterations * plan.rows:,} steps, {plan.copies} copies, batch "
        f"{plan.rows}/{plan.minibatch_size}\n"
        f"  {(iterations - 4) * rows / (end - start):,.0f} env steps/s, "
        f"{1e3 * (end - start) / (iterations - 4):.1f} ms an iteration; "
        f"{end - begin:.1f} s in all with set-up and checks; {memory:.1f} GiB\n"
        f"  largest stored ratio - limit: {excess:.2e} nats; failed cells: {len(errors)}\n"
        f"  steps of an episode, cells with alpha >= {WIDE:g}: {first:.2f} -> {last:.2f}; "
        f"violating episodes: {violating:,} of {episodes:,}",
        flush=True,
    )
    require(excess <= 0.0, f"{name}: a stored ratio is above its limit")
    require(
        not errors, f"{name}: {len(errors)} cells failed, first {next(iter(errors.items()), '')}"
    )
    require(last < first, f"{name}: cells with room did not get faster")
    if profile:
        profiled(cohort, device)


def profiled(cohort: DeviceCohort, device: torch.device) -> None:
    """Where two more iterations spend the device's time."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    with profiler(activities=kinds) as found:
        for _ in range(2):
            cohort.iterate()
        wait(device)
    key = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    print(found.key_averages().table(sort_by=key, row_limit=25, max_name_column_width=60))
    for what, act in (
        ("drawing on the host", cohort._feed.next),
        ("sampling", cohort.rollout.sample),
        ("batches and checks", cohort._prepare),
    ):
        wait(device)
        start = time.perf_counter()
        with torch.no_grad():
            act()
        wait(device)
        print(f"  {what}: {1e3 * (time.perf_counter() - start):.1f} ms")
    cohort.learning._number.zero_()
    wait(device)
    start = time.perf_counter()
    with torch.no_grad():
        cohort.learning.update()
    launched = time.perf_counter() - start
    wait(device)
    print(f"  updating: {1e3 * (time.perf_counter() - start):.1f} ms, launched in "
          f"{1e3 * launched:.1f} ms")  # fmt: skip


def main() -> None:
    """Train cohorts of the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--cells", type=int, action="append", help="default 130 and 1300")
    parser.add_argument("--steps", type=int, default=30_000, help="of each cell, with one copy")
    parser.add_argument("--base-steps", type=int, default=120_000, help="with 32 copies; 0: none")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--no-graphs", action="store_true", help="without CUDA graphs")
    given = parser.parse_args()
    graphs.ENABLED = not given.no_graphs
    device = torch.device(given.device)
    torch.set_num_threads(1)
    if device.type == "cuda":
        print(torch.cuda.get_device_name(), "torch", torch.__version__, flush=True)
    kwargs = {"horizon": HORIZON, "layout": "fixed"}
    paper = Plan(ENV_ID, kwargs, copies=1, steps=128, minibatch_size=32, num_epochs=4)
    many = Plan(ENV_ID, kwargs, copies=32, steps=64, minibatch_size=512, num_epochs=4)
    for count in given.cells or [130, 1300]:
        train("paper", count, paper, given.steps, device, profile=given.profile)
    if given.base_steps:
        train("32 copies", 10, many, given.base_steps, device, profile=given.profile)
    print("FAILED: " + "; ".join(FAILED) if FAILED else "all checks held")
    sys.exit(bool(FAILED))


if __name__ == "__main__":
    main()
