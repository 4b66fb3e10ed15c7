"""What recording learning curves costs: iterations with and without it, in turn, by CPU time.

``python benchmarks/learning_curves.py`` prints a table, for both engines: the median CPU time of an
iteration without it, the median over neighbouring iterations of what it takes more, and what the
recorder's own calls take of an iteration. A few minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.peers.ours import cell_config
from benchmarks.peers.settings import SETTINGS
from sport_ray.experiments.task_policies._cohort import CohortRun
from sport_ray.experiments.task_policies._curves import CurveRecorder
from sport_ray.experiments.task_policies._training import TrainingRun

FOREVER = 10**9
CALLS = 20_000


class Timed(CurveRecorder):
    """Can be told to take nothing, and keeps the last result that it was given."""

    on = True
    last: tuple[Mapping[str, Any], int] = ({}, 0)

    def add_result(self, result: Mapping[str, Any], begun: int) -> None:
        if self.on:
            super().add_result(result, begun)
            self.last = result, begun


def measured(name: str, advance: Callable[[], object], recorders: list[Timed], pairs: int) -> str:
    """A row of the table."""
    for _ in range(4):
        advance()  # the first iterations build caches
    without, more = [], []
    for number in range(pairs):
        taken = {}
        for on in (True, False) if number % 2 else (False, True):
            for one in recorders:
                one.on = on
            started = time.process_time()
            advance()
            taken[on] = time.process_time() - started
        without.append(taken[False])
        more.append(taken[True] / taken[False] - 1.0)
    result, begun = recorders[0].last
    fresh = CurveRecorder()
    started = time.process_time()
    for _ in range(CALLS):
        fresh.add_result(result, begun)
    own = (time.process_time() - started) / CALLS * len(recorders)
    median = statistics.median(without)
    return (
        f"| {name} | {1e3 * median:.1f} ms | {100 * statistics.median(more):+.2f}% | "
        f"{1e6 * own:.0f} µs, {100 * own / median:.3f}% |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--cells", type=int, default=13)
    options = parser.parse_args()
    print("| engine, settings | an iteration without | with, in pairs | recorder alone |")
    print("| -- | -- | -- | -- |")
    for setting in SETTINGS.values():
        single = TrainingRun(cell_config(setting, 5))
        timed = Timed()
        single._recorder = timed

        def one(run: TrainingRun = single) -> None:
            run.advance(run.env_steps + 1)

        print(measured(f"single, {setting.name}", one, [timed], options.pairs), flush=True)
        single.stop()
        configs = [cell_config(setting, cell) for cell in range(options.cells)]
        cohort = CohortRun(configs, FOREVER)
        recorders = [Timed() for _ in configs]
        cohort._recorders = list(recorders)
        name = f"cohort of {options.cells}, {setting.name}"
        print(measured(name, cohort.advance, recorders, options.pairs), flush=True)
        cohort.stop()


if __name__ == "__main__":
    main()
