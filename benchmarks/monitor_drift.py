"""How soon a monitor notices another world: ``python benchmarks/monitor_drift.py --plot risk.png``.

A choice among 8 samples of the shipped base (T = 21, α = 1.05) runs on the robot. After some
episodes another score acts, under the same certificate, and later the motors pull to one side:
a world that was not certified. A second monitor is fed with episodes of the base itself, whose
promise is lower. Printed: when each raised its alarm, and what the risks were.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy

import argparse
import json
import tempfile
from pathlib import Path

import gymnasium
import torch

from benchmarks.monitor_soak import BASE, HORIZON, violates, write_bundles
from sport_ray.constraints import constraint_from_json
from sport_ray.deploy import Monitor, base_promise, load
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.monitoring import course
from sport_ray.properties import parse_property
from sport_ray.tracking.figures.monitor import draw_monitor


def base_bundle(folder: Path) -> Path:
    """The base as its own task policy, under a ratio of 1: it acts as it was certified."""
    export = Export(
        base=BASE, task=BASE, certificate=BASE / "certificate.json",
        constraint=constraint_from_json({"name": "ratio", "alpha": 1.0}), horizon=HORIZON,
        env_kwargs={"layout": "fixed"}, alpha_mu=1.0, alpha_p=1.0, source={}, evidence={},
    )  # fmt: skip
    write_bundle(folder / "base", export)
    return folder / "base"


def main() -> None:
    """Print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calm", type=int, default=1_000, help="episodes in the certified world")
    parser.add_argument("--changed", type=int, default=500, help="episodes in the other one")
    parser.add_argument("--bias", type=float, default=0.4, help="what the motors add to actions")
    parser.add_argument("--plot", type=Path, help="picture of the policy's log, .png or .svg")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        first, second = write_bundles(folder, (True, True))
        base = base_bundle(folder)
        runs = {"policy": (first, second, first), "base": (base, base, base_promise(base))}
        for name, (early, late, promise) in runs.items():
            log = folder / f"{name}.jsonl"
            monitor, policy = Monitor(log, promise), load(early)
            judge = parse_property(policy.bundle.manifest["property"])
            risks = []
            for bias, count in ((0.0, given.calm), (given.bias, given.changed)):
                env = gymnasium.make(
                    "sport_ray/PointReachAvoid-v0", layout="fixed", horizon=100,
                    actuation_bias=(bias, bias),
                )  # fmt: skip
                for _ in range(count):
                    if monitor.num_episodes == given.calm // 2 and early != late:
                        monitor.update(late)
                        policy = load(late)
                    monitor.begin()
                    monitor.record(violates(policy, env, judge, monitor.num_episodes))
                report = monitor.report()
                risks.append(report.num_violations - sum(risks))
            rates = [risks[0] / given.calm, risks[1] / given.changed]
            found[name] = {
                "promised": report.promised,
                "observed rates": rates,
                "alarm": report.alarm,
                "episodes after the change": report.alarm and report.alarm - given.calm,
            }
            if given.plot and name == "policy":
                draw_monitor(course(monitor.history), given.plot)
            monitor.close()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
