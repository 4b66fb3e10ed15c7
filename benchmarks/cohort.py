"""Training and scenarios side by side: our engines, their peers, and what a core could do.

    python benchmarks/cohort.py                        # docs/performance.md says how long
    python benchmarks/cohort.py --only single,cohort --rounds 5 --seconds 4

The same cells (the point robot at the paper's and the quickstart's settings) by the single engine,
by a cohort of ``--cells``, by stock RLlib PPO under Tune, by Stable-Baselines3 and by a program in
the way of PureJaxRL on the CPU. Each library has a process of its own, all pinned to one core with
one thread each; they take turns, so that all see the same noise of the machine. Printed, as
Markdown: medians, medians of the ratios to the single engine within a round, and the share of the
floor (the operations that a step needs over the rate of one large product, measured in between).
CPU time far below 100% of the time taken means that others had the core: measure again, or by
``--clock cpu`` (RLlib's trials, in processes of their own, have the wall clock in any case).

Needed beside the project: torch, numpy, scipy, numba and pydantic. Rows whose library is not
installed say so; ``pip install -e ".[benchmark]"`` brings Stable-Baselines3 and JAX.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a file, Python knows this file's folder only

from benchmarks.peers.rows import FLOOR, ROWS, SCENARIOS, TRAINING, Row  # noqa: E402
from benchmarks.peers.settings import SETTINGS, operations_per_step  # noqa: E402

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
NONE = "–"


class HostProcess:
    """One library's process, reached through its pipes."""

    def __init__(self, core: int, log: Any) -> None:
        one_thread = dict.fromkeys(THREADS, "1")
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.host", str(core)],
            cwd=ROOT,
            env={**os.environ, **one_thread, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Its answer; one that says so where the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        found: dict[str, Any] = (
            json.loads(line) if line else {"missing": "failed: its process ended (see the log)"}
        )
        return found

    def close(self) -> None:
        """End of its input, which ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


Key = tuple[str, str]
"""A row and a setting."""


class Results:
    """What was measured, round by round: rates by (row, setting).

    by_cpu: rates per second of a core's time instead of per second, where the process knows it.
    """

    def __init__(self, by_cpu: bool = False) -> None:
        self._by_cpu = by_cpu
        self.rates: dict[Key, list[float]] = defaultdict(list)
        self.others: dict[Key, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.cpu: dict[Key, list[float]] = defaultdict(list)
        self.missing: dict[Key, str] = {}

    def add(self, key: Key, found: dict[str, Any]) -> None:
        """One answer."""
        if "missing" in found:
            self.missing[key] = found["missing"]
            return
        seconds, cpu = found["seconds"], found["cpu"]
        self.rates[key].append(found["count"] / (cpu if self._by_cpu and cpu else seconds))
        if cpu is not None:
            self.cpu[key].append(cpu / seconds)
        for name, value in found["others"].items():
            self.others[key][name].append(value)

    def median(self, key: Key) -> float | None:
        """The median rate."""
        return statistics.median(self.rates[key]) if self.rates[key] else None

    def ratio(self, key: Key, to: Key) -> float | None:
        """The median of the ratios within a round."""
        own, other = self.rates[key], self.rates[to]
        if not own or not other or not self._comparable(key):
            return None
        return statistics.median(a / b for a, b in zip(own, other, strict=False))

    def _comparable(self, key: Key) -> bool:
        return not self._by_cpu or bool(self.cpu[key])

    def share(self, key: Key, operations: float) -> float | None:
        """The median of a rate's share of the floor within a round."""
        floor = self.rates["gemm", "paper"]
        if not floor or not self.rates[key] or not self._comparable(key):
            return None
        pairs = zip(self.rates[key], floor, strict=False)
        return statistics.median(rate * operations / gemm for rate, gemm in pairs)


def measure(
    results: Results, chosen: list[Row], cells: int, rounds: int, seconds: float, log: Any
) -> None:
    """Make every engine, then let them take turns."""
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else -1
    hosts = {name: HostProcess(core, log) for name in dict.fromkeys(row.host for row in chosen)}
    jobs = [(row, setting) for setting in SETTINGS for row in chosen if setting in row.settings]
    try:
        for round_ in range(-1, rounds):
            for row, setting in jobs:
                if (row.key, setting) in results.missing:
                    continue
                what = "making" if round_ < 0 else f"round {round_ + 1} of {rounds}:"
                print(f"{what} {row.title.format(cells=cells)}, {setting}", file=sys.stderr)
                found = hosts[row.host].ask(
                    row=row.key,
                    setting=setting,
                    cells=cells,
                    seconds=None if round_ < 0 else seconds,
                )
                if round_ >= 0 or found:
                    results.add((row.key, setting), found)
    finally:
        for host in hosts.values():
            host.close()


def tables(results: Results, chosen: list[Row], cells: int) -> str:
    """The results as Markdown."""
    lines = []
    for setting in SETTINGS:
        rows = [row for row in chosen if row.part == TRAINING and setting in row.settings]
        if rows:
            lines += _training(results, rows, setting, cells)
    rows = [row for row in chosen if row.part == SCENARIOS]
    if rows:
        lines += ["", "| scenarios of at most 100 steps | scenarios/s | env steps/s |"]
        lines += ["| -- | -- | -- |"]
        for row in rows:
            key = row.key, row.settings[0]
            rate, steps = results.median(key), results.others[key]["steps each"]
            beside = results.missing.get(key, NONE)
            if rate is not None and steps:
                beside = _number(rate * statistics.median(steps))
            lines.append(f"| {row.title} | {_number(rate)} | {beside} |")
    return "\n".join(lines)


def _training(results: Results, rows: list[Row], setting: str, cells: int) -> list[str]:
    one, operations = SETTINGS[setting], operations_per_step(SETTINGS[setting])
    lines = [
        "",
        f"| {setting}: batches of {one.train_batch_size:,} in {one.minibatch_size}, {one.num_envs} "
        f"{'copy' if one.num_envs == 1 else 'copies'} a cell | on | env steps/s "
        "| ratio to single | of the floor | CPU time | remarks |",
        "| -- | -- | -- | -- | -- | -- | -- |",
    ]
    gemm = results.median(("gemm", "paper"))
    if gemm is not None:
        lines.append(
            f"| floor: {operations / 1e6:.1f} MFLOP a step at {gemm / 1e9:.0f} GFLOP/s | a core | "
            f"{gemm / operations:,.0f} | {NONE} | 100% | {NONE} | {NONE} |"
        )
    for row in rows:
        key = row.key, setting
        others = {name: statistics.median(v) for name, v in results.others[key].items()}
        remarks = [results.missing[key]] if key in results.missing else []
        remarks += [f"{_number(value)} {name}" for name, value in others.items()]
        ratio, share = results.ratio(key, ("single", setting)), results.share(key, operations)
        lines.append(
            f"| {row.title.format(cells=cells)} | {'a GPU' if row.needs_gpu else 'a core'} | "
            f"{_number(results.median(key))} | {NONE if ratio is None else f'{ratio:.2f}'} | "
            f"{NONE if share is None or row.needs_gpu else f'{share:.1%}'} | "
            f"{_percent(results.cpu[key])} | "
            f"{'; '.join(remarks) or NONE} |"
        )
    return lines


def _percent(values: list[float]) -> str:
    return f"{statistics.median(values):.0%}" if values else NONE


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.1f}"


def machine() -> str:
    """In words: what it ran on, and with which versions."""
    cores = os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = []
    for name in ("torch", "ray", "stable-baselines3", "jax"):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    gpu = gpu_name()
    return (
        f"One of {cores} {platform.machine()} cores{load}"
        f"{f', one {gpu}' if gpu else ''}; {', '.join(versions)}."
    )


def gpu_name() -> str | None:
    """The first GPU that torch can use."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = [row.key for row in ROWS]
    parser.add_argument("--cells", type=int, default=13, help="of a cohort (default 13)")
    parser.add_argument("--rounds", type=int, default=3, help="(default 3)")
    parser.add_argument("--seconds", type=float, default=1.5, help="a row and round (default 1.5)")
    parser.add_argument("--only", default=",".join(keys), help="rows, comma-separated")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy"
    )
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="what libraries say")
    arguments = parser.parse_args()
    wanted = set(arguments.only.split(","))
    if unknown := wanted - set(keys):
        parser.error(f"--only: {min(unknown)!r} is no row: choose among {', '.join(keys)}")
    gpu = gpu_name() is not None
    chosen = [
        row
        for row in ROWS
        if (row.key in wanted or row.part == FLOOR) and (gpu or not row.needs_gpu)
    ]
    started = time.perf_counter()
    before = machine()
    with arguments.log.open("w", encoding="utf-8") as log:
        results = Results(arguments.clock == "cpu")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            measure(results, chosen, arguments.cells, arguments.rounds, arguments.seconds, log)
        except KeyboardInterrupt:
            print("interrupted: what follows is what was measured until then", file=sys.stderr)
    print(before)
    print(tables(results, chosen, arguments.cells))
    clock = ", by CPU time" if arguments.clock == "cpu" else ""
    print(
        f"\n{arguments.rounds} rounds of {arguments.seconds:g} s a row{clock}, "
        f"{time.perf_counter() - started:.0f} s in all."
    )


if __name__ == "__main__":
    main()
