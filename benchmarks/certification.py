"""Scenarios per second against the number of workers, and the memory of a long certification.

``python benchmarks/certification.py`` compares 0 (this process), 1 and 2 Ray workers in turns on
10,000 scenarios of the shipped base, T ≤ 100, and prints medians and ratios.
``python benchmarks/certification.py memory --scenarios 1000000`` streams that many through the
certificate stage's own path and prints the peak memory of every process involved.
``python benchmarks/certification.py core`` measures one process's time per scenario of the base and
of a projected policy, in turns with another checkout's where ``--against FOLDER`` names one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ray
import torch

from sport_ray.constraints import RatioConstraint
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy
from sport_ray.rollouts import (
    BaseBehaviour,
    Behaviour,
    OutcomeTotals,
    ProjectedBehaviour,
    ScenarioPlan,
    run_scenarios,
)
from sport_ray.rollouts.on_ray import stream_scenarios_on_ray
from sport_ray.rollouts.table_file import OutcomeWriter

PLAN = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    env_kwargs={"layout": "fixed"},
    property="(!hazard) U goal",
    horizon=100,
    root_seed=0,
    purpose="certify",
)


WARM = 1_000
"""Scenarios run before the clock starts: imports and compilation are not what is measured."""


def shipped_base() -> BaseBehaviour:
    """The base policy that ships with the package."""
    return BaseBehaviour(FrozenPolicy(load_policy(BUNDLED / "point_reach_avoid").network))


def projected() -> ProjectedBehaviour:
    """A task policy some way off the shipped base, within a ratio of 1.5."""
    base = load_policy(BUNDLED / "point_reach_avoid").network
    generator = torch.Generator().manual_seed(1)
    task = PolicyNetwork(base.spec)
    task.load_state_dict(
        {
            name: value + 0.05 * value.abs().mean() * torch.randn(value.shape, generator=generator)
            for name, value in base.state_dict().items()
        }
    )
    return ProjectedBehaviour(FrozenPolicy(base), FrozenPolicy(task), RatioConstraint(1.5))


def timed(behaviour: BaseBehaviour, count: int, workers: int) -> tuple[float, str]:
    """Seconds for ``count`` scenarios, Ray running already, and the digest of their table."""
    totals = OutcomeTotals(PLAN.horizon)
    start = time.perf_counter()
    if workers == 0:
        totals.add(run_scenarios(PLAN, behaviour, 0, count))
    else:
        for outcomes, _ in stream_scenarios_on_ray(PLAN, behaviour, count):
            totals.add(outcomes)
    return time.perf_counter() - start, totals.digest


def speed(count: int, rounds: int) -> None:
    """Medians of alternating rounds; every round must give the same table."""
    torch.set_num_threads(1)
    behaviour = shipped_base()
    seconds: dict[int, list[float]] = {0: [], 1: [], 2: []}
    digests = set()
    for _ in range(rounds):
        for workers, times in seconds.items():
            if workers:
                ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
                timed(behaviour, workers * WARM, workers)  # start-up is not what is measured
            try:
                taken, digest = timed(behaviour, count, workers)
            finally:
                if workers:
                    ray.shutdown()
            times.append(taken)
            digests.add(digest)
    alone = statistics.median(seconds[0])
    for workers, times in seconds.items():
        median = statistics.median(times)
        print(
            f"{workers} workers: {count / median:7,.0f} scenarios/s, {median:5.2f} s for {count:,} "
            f"({alone / median:.2f} × one process)"
        )
    print(f"tables: {'identical to the bit' if len(digests) == 1 else 'DIFFERENT'}")


def measure(count: int) -> None:
    """Print, as JSON, one process's microseconds per scenario (clock, its own time) and digests."""
    torch.set_num_threads(1)
    behaviours: dict[str, Behaviour] = {"base": shipped_base(), "projected": projected()}
    found = {}
    for name, behaviour in behaviours.items():
        run_scenarios(PLAN, behaviour, 10**6, WARM)
        totals = OutcomeTotals(PLAN.horizon)
        clock, own = time.perf_counter(), time.process_time()
        totals.add(run_scenarios(PLAN, behaviour, 0, count))
        passed = time.perf_counter() - clock, time.process_time() - own
        found[name] = [1e6 * seconds / count for seconds in passed], totals.digest
    print(json.dumps(found))


def core(count: int, rounds: int, against: Path | None) -> None:
    """Medians of fresh processes, in turns with another checkout's; the tables must be the same."""
    here = Path(__file__).resolve().parents[1]
    runs: dict[Path, list[dict[str, tuple[list[float], str]]]] = {here: []}
    if against is not None:
        runs = {against.resolve(): [], here: []}
    command = [sys.executable, __file__, "measure", "--scenarios", str(count)]
    for _ in range(rounds):
        for checkout, found in runs.items():
            environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
            output = subprocess.check_output(command, env=environment, text=True)
            found.append(json.loads(output.splitlines()[-1]))
    for name in runs[here][0]:
        for checkout, found in runs.items():
            clock, own = (statistics.median(one[name][0][k] for one in found) for k in range(2))
            print(
                f"{name:>9}, {'here' if checkout == here else 'there'}: {own:6.1f} µs of its own "
                f"per scenario ({1e6 / own:6,.0f}/s), {clock:6.1f} µs on the clock"
            )
        digests = {one[name][1] for found in runs.values() for one in found}
        print(f"{name:>9}: tables {'identical to the bit' if len(digests) == 1 else 'DIFFERENT'}")


def memory(count: int) -> None:
    """Peak resident memory of the driver and of the largest worker."""
    behaviour = shipped_base()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    start, shown = time.perf_counter(), 0
    totals = OutcomeTotals(PLAN.horizon)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcomes.parquet"
        with OutcomeWriter(path) as writer:
            for outcomes, _ in stream_scenarios_on_ray(PLAN, behaviour, count):
                totals.add(outcomes)
                writer.add(outcomes)
                if totals.num_scenarios * 10 // count > shown:
                    shown = totals.num_scenarios * 10 // count
                    print(f"{totals.num_scenarios:>10,}: driver {_peak():.0f} MiB")
        size = path.stat().st_size / 2**20
    taken = time.perf_counter() - start
    workers = ray.get([ray.remote(_peak).remote() for _ in range(8)])
    ray.shutdown()
    print(
        f"{count:,} scenarios in {taken:.0f} s: driver {_peak():.0f} MiB, largest worker "
        f"{max(workers):.0f} MiB, table {size:.0f} MiB, k(21) = {totals.num_violations[20]}"
    )


def _peak() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=("speed", "memory", "core", "measure"), default="speed"
    )
    parser.add_argument("--scenarios", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, default=None)
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.scenarios or 10_000, arguments.rounds)
    elif arguments.what == "core":
        core(arguments.scenarios or 4_000, arguments.rounds, arguments.against)
    elif arguments.what == "measure":
        measure(arguments.scenarios or 4_000)
    else:
        memory(arguments.scenarios or 1_000_000)


if __name__ == "__main__":
    main()
