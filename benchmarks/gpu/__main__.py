"""What runs on a GPU: checked against the CPU, then timed. One command, no network.

    python -m benchmarks.gpu [--rows 10000000] [--scenarios 10000000] [--profile]

Needs torch with CUDA and Triton, numpy, numba, pydantic and gymnasium. Exit status 1 if a bound
is broken or a number is further from the CPU's than it may be. ``--device cpu`` runs the same on a
CPU (with TRITON_INTERPRET=1), for a look at small numbers.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.gpu.findings import FAILED, LINES, require, say
from benchmarks.gpu.inputs import check_policy, check_streams
from benchmarks.gpu.projection import check_projection, time_projection
from benchmarks.gpu.scenarios import check_few_steps, check_law, check_scenarios
from benchmarks.gpu.speed import profile, time_scenarios
from benchmarks.gpu.subject import policies
from sport_ray.rollouts import BaseBehaviour


def main() -> int:
    """Check, then time; the table again at the end."""
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
