"""What runs on a GPU: checked against the CPU, then timed. One command, no network.

    python benchmarks/gpu.py [--rows 10000000] [--scenarios 10000000] [--profile]

Needs torch with CUDA and Triton, numpy, numba, pydantic and gymnasium. Exit status 1 if a bound
is broken or a number is further from the CPU's than it may be. ``--device cpu`` runs the same on a
CPU (with TRITON_INTERPRET=1), for a look at small numbers.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.fuzz_projection import KINDS, draw, textbook_ratio
from sport_ray.constraints import RatioConstraint
from sport_ray.families.gaussian import device as on_device
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays
from sport_ray.families.gaussian.device.projection import project_rows
from sport_ray.families.gaussian.projection import kl_divergence
from sport_ray.policies import FrozenGaussian, GaussianNetwork
from sport_ray.policies.on_device import DevicePolicy
from sport_ray.policies.store import load_policy
from sport_ray.rollouts import (
    BaseBehaviour,
    Behaviour,
    Outcomes,
    OutcomeTotals,
    ProjectedBehaviour,
    ScenarioPlan,
    run_scenarios,
)
from sport_ray.rollouts.seeding import purpose_number
from sport_ray.streams import kernels as host
from sport_ray.streams.device.table import draw_normal, seed_states
from sport_ray.tensors.running import portion_size, run_tensor_scenarios, stream_tensor_scenarios

BASE = Path(__file__).parents[1] / "experiments/bases/point_reach_avoid"
PLAN = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    property="(!hazard) U goal",
    horizon=21,
    root_seed=0,
    purpose="certify",
)
LINES: list[tuple[str, str]] = []
FAILED: list[str] = []


def say(what: str, found: str) -> None:
    """A line of the table, shown at once."""
    LINES.append((what, found))
    print(f"{what:<58} {found}", flush=True)


def require(holds: bool, what: str) -> None:
    """Note what must not be."""
    if not holds:
        FAILED.append(what)
        say("FAILED", what)


def wait(place: torch.device) -> None:
    """For all that was launched."""
    if place.type == "cuda":
        torch.cuda.synchronize()


def seconds(act: Callable[[], object], place: torch.device, times: int = 5) -> float:
    """Median of repeated calls after a first one."""
    act()
    wait(place)
    found = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        wait(place)
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def check_projection(place: torch.device, count: int) -> None:
    """Every kind of problem, both dtypes: the bound, the identity, and the divergence."""
    rng = np.random.default_rng(0)
    outside = moved = rows = equal = 0
    worst = {"float32": [0.0, 0.0], "float64": [0.0, 0.0]}
    above = below = 0
    for kind in KINDS:
        for dims in (2, 5):
            for single in (True, False):
                problem = draw(kind, count, dims, rng)
                if single:
                    narrow = [x.astype(np.float32).astype(np.float64) for x in problem[:4]]
                    problem = narrow + problem[4:]
                m, s, mt, st, limit = problem
                dtype = torch.float32 if single else torch.float64
                given = [torch.from_numpy(x).to(place, dtype) for x in problem[:4]]
                found = on_device.project(given, torch.from_numpy(limit).to(place), single, False)
                mean, std = (x.double().cpu().numpy() for x in found[:2])
                task = (mean == mt).all(-1) & (std == st).all(-1)
                ratio = max_log_ratio_arrays(mean, std, m, s)
                outside += int((~(ratio <= limit)).sum()) + int((std > s).sum())
                if kind != "extreme":
                    plain = textbook_ratio(mean, std, m, s)
                    outside += int((~(plain <= limit) & ~task).sum())
                inside = max_log_ratio_arrays(mt, st, m, s) <= limit * (1.0 - 1e-12)
                moved += int((inside & ~task).sum())
                best = project_kl_arrays(*problem, out_float32=single)[:2]
                rows += count
                equal += int(((mean == best[0]) & (std == best[1])).all(-1).sum())
                kl = [
                    kl_divergence(*(torch.from_numpy(x) for x in (*law, mt, st))).numpy()
                    for law in ((mean, std), best)
                ]
                gap = (kl[0] - kl[1]) / (kl[1] + 1e-12)
                ends = worst["float32" if single else "float64"]
                ends[0], ends[1] = min(ends[0], float(gap.min())), max(ends[1], float(gap.max()))
                if single:
                    above += int((gap > 1e-9).sum())
                    below += int((gap < -1e-9).sum())
    say("projection, rows checked (7 kinds, D = 2, 5)", f"{rows:,}")
    say("  outside the bound, or wider than the base", f"{outside}")
    say("  within the limit, but not bit for bit", f"{moved}")
    say("  bit for bit the CPU's", f"{equal / rows:.6f}")
    for name, (low, high) in worst.items():
        say(f"  relative difference of the KL to the CPU's, {name}", f"{low:.1e} to {high:.1e}")
    # Of float32's coarse numbers a last bit of a logarithm may choose others, better or worse.
    say("  float32 rows further from the task, nearer (by 1e-9)", f"{above}, {below}")
    require(outside == 0, "a projection is outside its bound")
    require(moved == 0, "a feasible member was changed")
    require(worst["float64"][1] < 1e-9, "a projection is not the closest")
    require(above < 1e-4 * rows, "float32 projections are not the closest")


def time_projection(place: torch.device, rows: int) -> None:
    """Rows a second, and none of all of them outside the bound."""
    for dtype in (torch.float32, torch.float64):
        generator = torch.Generator(device=place).manual_seed(0)

        def normal(generator: torch.Generator = generator) -> torch.Tensor:
            return torch.randn(rows, 2, generator=generator, device=place, dtype=torch.float64)

        m, s = normal(), torch.exp(0.5 * normal())
        given = [x.to(dtype) for x in (m, s, m + s * normal(), s * torch.exp(0.5 * normal()))]
        limits = 10.0 ** torch.empty(rows, device=place, dtype=torch.float64).uniform_(
            -2.0, 0.7, generator=generator
        )
        found = project_rows(*given, limits)
        ratio = on_device.max_log_ratio((found.mean, found.std, *given[:2]))
        outside = int((~(ratio <= limits)).sum())
        differs = float((found.std != given[3]).any(-1).double().mean())
        require(outside == 0, "a projection is outside its bound")
        took = seconds(partial(project_rows, *given, limits), place)
        name = str(dtype).removeprefix("torch.")
        say(
            f"projection, {rows:,} rows, D = 2, {name}",
            f"{took * 1e3:.1f} ms, {rows / took:.3g} rows/s; {differs:.0%} moved, "
            f"{outside} outside",
        )


def check_streams(place: torch.device, count: int) -> None:
    """Seeds to the bit; normal numbers but for the tail's last bits."""
    indices = torch.arange(count, device=place)
    states = seed_states(2**70 + 5, purpose_number("certify"), indices, 1)
    wanted_states = host.seeded(2**70 + 5, purpose_number("certify"), np.arange(count))[1]
    same = np.array_equal(states.cpu().numpy().view(np.uint64), wanted_states)
    out = torch.empty((count, 26), dtype=torch.float64, device=place)
    found = draw_normal(states, indices, out).cpu().numpy()
    wanted = np.empty_like(found)
    host.fill_normal(wanted_states, np.arange(count), wanted)
    other = found != wanted
    tail = np.abs(wanted) > 3.654
    far = float(np.abs(found / wanted - 1.0).max())
    say("streams: seeds as numpy's", "all" if same else "NOT ALL")
    say(
        f"  of {found.size:,} normal numbers, other last bits",
        f"{int(other.sum())} ({int(tail.sum())} in tails), at most {far:.1e}",
    )
    require(same and not (other & ~tail).any() and far < 1e-15, "streams differ from numpy's")
    took = seconds(lambda: draw_normal(states, indices, out), place)
    say(f"  drawing {found.size:,}", f"{took * 1e3:.2f} ms")


def check_policy(place: torch.device, base: FrozenGaussian, count: int) -> None:
    """How often a number of the frozen policy is rounded otherwise."""
    policy = DevicePolicy(base, place)
    generator = torch.Generator().manual_seed(1)
    seen = torch.randn(count, 44, generator=generator, dtype=torch.float64)
    found = policy.distribution(seen.to(place)).to("cpu")
    expected = base.distribution(seen.numpy())
    other = int((found.parameters != expected.parameters).sum())
    agree = bool(found.agrees(expected, expected).all())
    rows = torch.randperm(count, generator=generator)[: count // 3]
    again = policy.distribution(seen[rows].to(place)).to("cpu")
    same = torch.equal(again.parameters, found.parameters[rows])
    say(f"policy: of {found.parameters.numel():,} numbers, rounded otherwise", f"{other}")
    say("  a row in another batch and place", "the same bits" if same else "OTHER BITS")
    require(agree, "the policy's numbers do not agree")
    require(same, "a row depends on its batch")


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


def policies() -> dict[str, Behaviour]:
    """The shipped base, and the projection of a task policy that differs from it."""
    network = load_policy(BASE).network
    task = GaussianNetwork(network.spec)
    generator = torch.Generator().manual_seed(0)
    task.load_state_dict(
        {
            name: value + 0.02 * torch.randn(value.shape, generator=generator)
            for name, value in network.state_dict().items()
        }
    )
    base = FrozenGaussian(network)
    projected = ProjectedBehaviour(base, FrozenGaussian(task), RatioConstraint(1.2))
    return {"base": BaseBehaviour(base), "projected": projected}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--checked", type=int, default=20_000)
    parser.add_argument("--compared", type=int, default=10_000)
    parser.add_argument("--scenarios", type=float, default=1e7)
    parser.add_argument("--law", type=float, default=1e6, help="scenarios, on all cores")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    place = torch.device(given.device)
    torch.set_num_threads(1)
    np.seterr(all="ignore")
    card = torch.cuda.get_device_name() if place.type == "cuda" else "the CPU (interpreted)"
    say("card", card)
    say("torch, numpy", f"{torch.__version__}, {np.__version__}")
    behaviours = policies()
    base = behaviours["base"]
    assert isinstance(base, BaseBehaviour)
    steps: list[Callable[[], None]] = [
        lambda: check_projection(place, given.checked),
        lambda: time_projection(place, int(given.rows)),
        lambda: check_streams(place, given.checked),
        lambda: check_policy(place, base.base, 10 * given.checked),
        lambda: check_scenarios(place, behaviours, given.compared),
        lambda: check_few_steps(place, behaviours["base"], given.compared),
        lambda: time_scenarios(place, behaviours, int(given.scenarios)),
        lambda: check_law(place, behaviours, int(given.law)),
    ]
    if given.profile:
        steps += [lambda b=one: profile(place, b) for one in behaviours.values()]
    for step in steps:
        start = time.perf_counter()
        try:
            step()
        except Exception as error:  # the other steps are worth their device time
            require(False, f"{type(error).__name__}: {error}"[:2000])
            traceback.print_exc()
        print(f"  [{time.perf_counter() - start:.1f} s]", flush=True)
    print(f"\non {card}:")
    for what, found in LINES:
        print(f"| {what} | {found} |")
    return int(bool(FAILED))


if __name__ == "__main__":
    sys.exit(main())
