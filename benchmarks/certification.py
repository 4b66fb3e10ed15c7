"""Scenarios per second against the number of workers, and the memory of a long certification.

``python benchmarks/certification.py`` compares 0 (this process), 1 and 2 Ray workers in turns on
10,000 scenarios of the shipped base, T ≤ 100, and prints medians and ratios.
``python benchmarks/certification.py memory --scenarios 1000000`` streams that many through the
certificate stage's own path and prints the peak memory of every process involved.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import ray
import torch

from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenGaussian, load_policy
from sport_ray.rollouts import BaseBehaviour, OutcomeTotals, ScenarioPlan, run_scenarios
from sport_ray.rollouts.table_file import OutcomeWriter
from sport_ray.rollouts.workers import LEAST_CHUNK, stream_scenarios_on_ray

PLAN = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    env_kwargs={"layout": "fixed"},
    property="(!hazard) U goal",
    horizon=100,
    root_seed=0,
    purpose="certify",
)


def shipped_base() -> BaseBehaviour:
    """The base policy that ships with the package."""
    return BaseBehaviour(FrozenGaussian(load_policy(BUNDLED / "point_reach_avoid").network))


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
                timed(behaviour, workers * LEAST_CHUNK, workers)  # start-up is not what is measured
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
    parser.add_argument("what", nargs="?", choices=("speed", "memory"), default="speed")
    parser.add_argument("--scenarios", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.scenarios or 10_000, arguments.rounds)
    else:
        memory(arguments.scenarios or 1_000_000)


if __name__ == "__main__":
    main()
