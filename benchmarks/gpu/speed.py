"""How fast scenarios are on a device, and what a portion's time goes to."""

from __future__ import annotations

import time

import torch

from benchmarks.gpu.findings import say, wait
from benchmarks.gpu.subject import PLAN
from sport_ray.rollouts import Behaviour, OutcomeTotals
from sport_ray.tensors.running import portion_size, run_tensor_scenarios, stream_tensor_scenarios


def time_scenarios(place: torch.device, behaviours: dict[str, Behaviour], count: int) -> None:
    """Scenarios a second: tables alone, and counted with digests."""
    portion = min(count, portion_size(PLAN, place))
    for name, behaviour in behaviours.items():
        run_tensor_scenarios(PLAN, behaviour, 0, portion, device=place)  # compiles
        some = count if name == "base" else max(1, count // 10)
        start = time.perf_counter()
        for _ in stream_tensor_scenarios(PLAN, behaviour, some, device=place):
            pass
        bare = time.perf_counter() - start
        totals = OutcomeTotals(PLAN.horizon)
        start = time.perf_counter()
        for outcomes, _ in stream_tensor_scenarios(PLAN, behaviour, some, device=place):
            totals.add(outcomes)
        took = time.perf_counter() - start
        rate = totals.num_violations[-1] / some
        say(
            f"{name}: {some:,} scenarios",
            f"{bare:.2f} s ({some / bare:.3g}/s), counted with digests {took:.2f} s; "
            f"violations {rate:.6f}",
        )


def profile(place: torch.device, behaviour: Behaviour) -> None:
    """What a portion's time goes to."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    count = portion_size(PLAN, place)
    with profiled(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        run_tensor_scenarios(PLAN, behaviour, 0, count, device=place)
        wait(place)
    print(seen.key_averages().table(sort_by="self_cuda_time_total", row_limit=16,
                                    max_name_column_width=60))  # fmt: skip
