"""How much of the cores' time a sweep spends on its cells, and what a cell costs in a long sweep.

``python benchmarks/sweep_efficiency.py share`` runs the same cells twice, one after the other: as
``sport-ray sweep``, and as a plain ``tune.Tuner`` of a function that trains, reports each
iteration's result and evaluates. Printed: the sum of training and evaluation time, divided by
cores and by the wall time of the whole command, from its start to its exit. Building an algorithm,
imports, files and MLflow are not work. ``--rounds 3`` repeats in turns and prints medians.

``python benchmarks/sweep_efficiency.py growth`` sweeps 100, 1,000 and 10,000 cells with hardly any
work in them. Printed: wall time per cell from the first to the last, the driver's CPU time and
peak memory, and how long `status` and `report` take afterwards.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

CORES = 2
SPORT_RAY = (sys.executable, "-m", "sport_ray.experiments.cli.main")


def study(cells: int, env_steps: int, batch: int, scenarios: int) -> dict[str, Any]:
    """A study of ``cells`` training runs, one cell each."""
    alphas = 12 if cells % 12 == 0 else 10
    return {
        "name": "efficiency",
        "certificate": {"num_scenarios": 1_000, "beta": 1e-3, "max_horizon": 30},
        "sweep": {
            "alphas": [round(1.0 + 0.1 * i, 1) for i in range(alphas)],
            "horizons": [25],
            "seeds": list(range(cells // alphas)),
            "methods": ["projected_ppo"],
        },
        "training": {
            "env_steps": env_steps,
            "warmup_env_steps": 0,
            "train_batch_size": batch,
            "minibatch_size": max(batch // 4, 32),
            "num_envs": 8 if batch > 128 else 1,
        },
        "evaluation": {"num_scenarios": scenarios, "beta": 1e-3},
    }


def certified(root: Path, content: dict[str, Any]) -> Path:
    """A study file with a result folder beside it that holds a certificate."""
    path = root / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    _run([*SPORT_RAY, "certify", path, "--results", root / "results"])
    return path


def _run(command: list[object]) -> tuple[float, str]:
    """Wall time of a command from start to exit, and what it printed."""
    start = time.perf_counter()
    call = [str(part) for part in command]
    done = subprocess.run(call, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start, done.stdout


def ours(cells: int, env_steps: int, scenarios: int) -> tuple[float, float]:
    """Work and wall time, seconds, of ``sport-ray sweep``."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = certified(root, study(cells, env_steps, 512, scenarios))
        wall, _ = _run([*SPORT_RAY, "sweep", path, "--results", root / "results"])
        records = [
            json.loads(p.read_text(encoding="utf-8"))
            for p in root.glob("results/cells/*/record.json")
        ]
    if [record["status"] for record in records] != ["finished"] * cells:
        raise SystemExit("not all cells finished")
    return sum(record["train_seconds"] + record["eval_seconds"] for record in records), wall


def plain(cells: int, env_steps: int, scenarios: int) -> tuple[float, float]:
    """Work and wall time, seconds, of a plain Tuner in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = certified(root, study(cells, env_steps, 512, scenarios))
        wall, out = _run([sys.executable, __file__, "plain-tuner", "--study", path])
    return float(out.split()[-1]), wall


def plain_tuner(path: Path) -> None:
    """What one writes first: a function per trial, each result reported; prints the work."""
    import ray
    from ray import tune

    from sport_ray.certificates import load_certificate
    from sport_ray.experiments.config.study import load_study
    from sport_ray.experiments.results.folder import StudyFolder
    from sport_ray.experiments.sweep.cell import Cell
    from sport_ray.experiments.sweep.grid import plan_jobs

    content = load_study(path)
    results = path.parent / "results"
    certificate = load_certificate(StudyFolder(results, content).certificate)
    jobs = plan_jobs(content, certificate)

    def trial(config: dict[str, Any]) -> None:
        import torch

        from sport_ray.experiments.sweep.evaluation import evaluate_cell
        from sport_ray.experiments.task_policies._training import ppo_config, training_kwargs
        from sport_ray.policies import FrozenPolicy, load_policy

        torch.set_num_threads(1)
        cell = Cell.model_validate(config["cell"])
        base = load_policy(StudyFolder(results, content).base).network
        task = content.task(cell.horizon, cell.seed, cell.constraint)
        algorithm = ppo_config(
            task,
            content.training,
            env_kwargs=training_kwargs(task, reward="task", ends=False),
            base=base,
            start=base,
            warmup_env_steps=0,
        ).build_algo()
        work, sampled = 0.0, 0
        while sampled < content.training.env_steps:
            start = time.monotonic()
            result = algorithm.train()
            work += time.monotonic() - start
            sampled = int(result["env_runners"]["num_env_steps_sampled_lifetime"])
            # Not the whole result: Tune refuses the tensors in it.
            numbers = result["env_runners"] | result["learners"]["default_policy"]
            tune.report({k: float(v) for k, v in numbers.items() if not isinstance(v, dict)})
        trained = FrozenPolicy(algorithm.task_policy())
        samples = path.parent / f"{cell.constraint.log_ratio_limit}-{cell.seed}.npz"
        found = evaluate_cell(content, cell, certificate, FrozenPolicy(base), trained, samples)
        tune.report({"work": work + found.eval_seconds})
        algorithm.stop()

    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False)
    space = {"cell": tune.grid_search([job.cells[0].model_dump(mode="json") for job in jobs])}
    found = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space=space,
        run_config=tune.RunConfig(storage_path=str(path.parent / "plain"), verbose=0),
    ).fit()
    ray.shutdown()
    if found.num_errors:
        raise SystemExit(f"{found.num_errors} trials failed: {found.errors[0]}")
    print(sum(result.metrics["work"] for result in found))


def share(cells: int, env_steps: int, scenarios: int, rounds: int) -> None:
    """Both ways in turns."""
    found: dict[str, list[tuple[float, float]]] = {"sport-ray sweep": [], "plain Tuner": []}
    for _ in range(rounds):
        for name, way in (("sport-ray sweep", ours), ("plain Tuner", plain)):
            work, wall = way(cells, env_steps, scenarios)
            found[name].append((work, wall))
            print(
                f"{name}: {cells} cells of {work / cells:.1f} s work, wall {wall:.0f} s, "
                f"{work / CORES / wall:.1%} of {CORES} cores",
                flush=True,
            )
    for name, runs in found.items():
        shares = statistics.median(work / CORES / wall for work, wall in runs)
        print(f"{name}: median {shares:.1%}, wall {statistics.median(w for _, w in runs):.0f} s")


def growth(counts: list[int]) -> None:
    """Cells with one small iteration and one scenario: what is left is what a cell costs."""
    print(
        "cells | wall, s | of which before the first cell, s | wall per cell, ms"
        " | the last tenth, ms | driver's CPU per cell, ms | driver, MiB | ledger, MiB"
        " | status, s | report, s"
    )
    for cells in counts:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            path = certified(root, study(cells, 128, 128, 1))
            driver = [sys.executable, __file__, "driver", "--study", path]
            wall, out = _run(driver)
            *_, mib, cpu = out.split()
            ledger = root / "results" / "ledger.jsonl"
            entries = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
            ended = sorted(_seconds(e) for e in entries if e["event"] == "cell finished")
            if len(ended) != cells:
                raise SystemExit(f"{len(ended)} of {cells} cells finished")
            last = ended[-cells // 10 :]
            after = [_run([*SPORT_RAY, what, root / "results"]) for what in ("status", "report")]
            row = (
                f"{wall:.1f}",
                f"{ended[0] - _seconds(entries[0]):.1f}",
                f"{1e3 * (ended[-1] - ended[0]) / (cells - 1):.1f}",
                f"{1e3 * (last[-1] - last[0]) / (len(last) - 1):.1f}",
                f"{1e3 * float(cpu) / cells:.1f}",
                mib,
                f"{ledger.stat().st_size / 2**20:.2f}",
                *(f"{seconds:.1f}" for seconds, _ in after),
            )
            print(f"{cells:>6} | " + " | ".join(row), flush=True)


def _seconds(entry: dict[str, Any]) -> float:
    from datetime import datetime

    return datetime.fromisoformat(entry["time"]).timestamp()


def driver(path: Path) -> None:
    """``sport-ray sweep`` in this process; prints its peak memory, MiB, and CPU time, s."""
    from sport_ray.experiments.cli.main import app

    app(["sweep", str(path), "--results", str(path.parent / "results")], standalone_mode=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(math.ceil(used.ru_maxrss / 1024), used.ru_utime + used.ru_stime)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("share", "growth", "plain-tuner", "driver"))
    parser.add_argument("--cells", type=int, nargs="*", default=None)
    parser.add_argument("--env-steps", type=int, default=40_960)
    parser.add_argument("--scenarios", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--study", type=Path, default=None)
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if arguments.what == "plain-tuner":
        plain_tuner(arguments.study)
    elif arguments.what == "driver":
        driver(arguments.study)
    elif arguments.what == "growth":
        growth(arguments.cells or [100, 1_000, 10_000])
    else:
        cells = (arguments.cells or [48])[0]
        share(cells, arguments.env_steps, arguments.scenarios, arguments.rounds)


if __name__ == "__main__":
    main()
