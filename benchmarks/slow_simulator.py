"""A slow simulator's scenarios: how soon there is progress, and how long all take, Ray's start in.

``python -m benchmarks.slow_simulator`` (two or three minutes), with ``--no-ray`` in one process. A
scenario sleeps for 17 × 0.05 = 0.85 s, so other work on the machine delays starts more than it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time

import torch

from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.stages.scenarios import stream_scenarios
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, Outcomes, OutcomeTotals, ScenarioPlan
from tests.slow_simulator import NAMED


def measured(count: int, *, alone: bool) -> str:
    """Wall seconds from the call on, and the digest of what came out."""
    torch.manual_seed(3)
    spec = PolicySpec(observation_size=2, action_size=1, hidden=(16,))
    behaviour = BaseBehaviour(FrozenPolicy(PolicyNetwork(spec)))
    plan = ScenarioPlan(
        env_id=NAMED, property="G !hazard", horizon=17, root_seed=0, purpose="certify"
    )
    began = time.monotonic()
    seen: list[float] = []

    def progress(_: int) -> None:
        seen.append(time.monotonic() - began)

    with RayWhenNeeded(never=alone) as need:
        stream = stream_scenarios(plan, behaviour, count, progress=progress, need=need)
        table = Outcomes.concatenate([outcomes for outcomes, _ in stream])
        total = time.monotonic() - began
    totals = OutcomeTotals(plan.horizon)
    totals.add(table)
    silence = max((late - early for early, late in itertools.pairwise(seen)), default=0.0)
    return (
        f"{count} scenarios: first progress after {seen[0]:.1f} s, all after {total:.1f} s, "
        f"longest silence {silence:.1f} s, in {len(seen)} portions; digest {totals.digest[:12]}"
    )


def main() -> None:
    """Measure once, and say how busy the machine was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=int, default=150)
    parser.add_argument("--no-ray", action="store_true")
    asked = parser.parse_args()
    print("load average before:", *(f"{one:.1f}" for one in os.getloadavg()))
    print(measured(asked.scenarios, alone=asked.no_ray))
    print("load average after:", *(f"{one:.1f}" for one in os.getloadavg()))


if __name__ == "__main__":
    main()
