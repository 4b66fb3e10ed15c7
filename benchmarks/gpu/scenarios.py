"""Scenarios on a device: tables against the CPU's, and against themselves in another company."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from benchmarks.gpu.findings import require, say
from benchmarks.gpu.subject import PLAN, policies
from sport_ray.rollouts import Behaviour, Outcomes, run_scenarios
from sport_ray.tensors.running import run_tensor_scenarios


def compare(one: Outcomes, other: Outcomes) -> str:
    """How two tables of the same scenarios differ, in words."""
    arrays = other.to_arrays()
    rows = np.zeros(one.num_scenarios, dtype=bool)
    for name, values in one.to_arrays().items():
        differ = values != arrays[name]
        rows |= differ.any(-1) if differ.ndim > 1 else differ
    told = (one.length != other.length) | (one.verdicts != other.verdicts).any(-1)
    far = np.abs(one.robustness - other.robustness)[~told].max(initial=0.0)
    return (
        f"{int(rows.sum())} rows with other bits, {int(told.sum())} with another length or "
        f"verdict; robustness of the rest within {far:.1e}"
    )


def check_scenarios(place: torch.device, behaviours: dict[str, Behaviour], count: int) -> None:
    """Tables against the CPU's, and against themselves in another company."""
    for name, behaviour in behaviours.items():
        start = time.perf_counter()
        cpu = run_scenarios(PLAN, behaviour, 0, count)
        took = time.perf_counter() - start
        here = run_tensor_scenarios(PLAN, behaviour, 0, count, device=place)
        again = run_tensor_scenarios(PLAN, behaviour, 0, count, device=place, slots=count // 13)
        k = [table.num_violations(PLAN.horizon) for table in (cpu, here)]
        say(f"{name}: {count:,} scenarios against the CPU's", compare(here, cpu))
        say("  violations, CPU and here", f"{k[0]}, {k[1]}; the CPU took {took:.1f} s")
        same = compare(here, again)
        say("  in another company", same)
        require(same.startswith("0 rows"), "a scenario depends on its batch")


def check_few_steps(place: torch.device, behaviour: Behaviour, count: int) -> None:
    """How far apart the robots are after a few steps, before the servo makes more of it."""
    for steps in (1, 2, 5, 10):
        short = PLAN.model_copy(update={"horizon": steps, "environment_horizon": PLAN.horizon})
        cpu = run_scenarios(short, behaviour, 0, count)
        here = run_tensor_scenarios(short, behaviour, 0, count, device=place)
        far = np.abs(cpu.total_reward - here.total_reward)
        say(
            f"after {steps} steps, rewards (m) against the CPU's",
            f"median {np.median(far):.1e}, 99% {np.quantile(far, 0.99):.1e}, most {far.max():.1e}",
        )


def _violations_on_cpu(portion: tuple[str, int, int]) -> int:
    torch.set_num_threads(1)
    name, first, count = portion
    return run_scenarios(PLAN, policies()[name], first, count).num_violations(PLAN.horizon)


def check_law(place: torch.device, behaviours: dict[str, Behaviour], count: int) -> None:
    """Whether violations are as frequent as on the CPU: other scenarios, so independent ones."""
    workers = os.cpu_count() or 1
    for name, behaviour in behaviours.items():
        size = -(-count // workers)
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            portions = [(name, count + size * i, size) for i in range(workers)]
            on_cpu = sum(pool.map(_violations_on_cpu, portions))
        table = run_tensor_scenarios(PLAN, behaviour, 0, count, device=place)
        here, there = table.num_violations(PLAN.horizon) / count, on_cpu / (size * workers)
        mean = 0.5 * (here + there)
        z = (here - there) / np.sqrt(mean * (1.0 - mean) * (1.0 / count + 1.0 / (size * workers)))
        say(
            f"{name}: violations in {count:,} each, here and CPU",
            f"{here:.6f}, {there:.6f}, z = {z:+.2f}",
        )
        require(abs(z) < 4.0, "violations are not as frequent as on the CPU")
