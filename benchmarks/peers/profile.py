"""Where an iteration's time goes, by cProfile: ``python -m benchmarks.peers.profile cohort paper``.

Prints Markdown rows. cProfile slows Python code and not the libraries that it calls, so what
consists of many small calls appears larger than it is.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
from contextlib import ExitStack
from typing import Final, NamedTuple

from benchmarks.peers.rows import BY_KEY


class Part(NamedTuple):
    """A part of an iteration: the time within a function, without that of its own ``parts``.

    ``file`` is the end of a file's path.
    """

    name: str
    file: str
    function: str
    parts: tuple[Part, ...] = ()


def _iteration(sampling: Part, learning: Part) -> Part:
    return Part(
        "around: weights to the runner, results",
        "trainable/trainable.py",
        "train",
        (sampling, learning),
    )


VALUES: Final = Part("learning: values, advantages", "projected_ppo/fragment.py", "training_batch")
SINGLE: Final = _iteration(
    Part(
        "sampling, the rest: noise, records",
        "projected_ppo/array_runner.py",
        "_sample",
        (
            Part(
                "acting: task policy, and what is around",
                "projected_ppo/module.py",
                "act",
                (
                    Part("acting: base policy, float64", "policies/frozen.py", "distribution"),
                    Part("acting: projection", "constraints/ratio.py", "project"),
                ),
            ),
            Part("environment", "projected_ppo/array_runner.py", "_try_env_step"),
        ),
    ),
    Part(
        "learning, the rest: minibatches, metrics",
        "learner/learner_group.py",
        "update",
        (
            VALUES,
            Part("learning: check of every ratio", "projected_ppo/learner.py", "_check_policies"),
            Part("learning: forward passes", "multi_rl_module.py", "_forward_train"),
            Part("learning: loss", "learner/learner.py", "compute_losses"),
            Part("learning: backward passes", "torch/torch_learner.py", "compute_gradients"),
            Part("learning: norms, clipping", "learner/learner.py", "postprocess_gradients"),
            Part("learning: optimisers", "projected_ppo/learner.py", "apply_gradients"),
        ),
    ),
)
COHORT: Final = _iteration(
    Part(
        "sampling, the rest: noise, records",
        "cohort/rollout.py",
        "sample",
        (
            Part("acting: base policies, float64", "cohort/rollout.py", "_based"),
            Part("acting: task policies", "projected_ppo/acting.py", "distribution"),
            Part("acting: projection", "cohort/projection.py", "project"),
            Part("environment", "cohort/robots.py", "step"),
        ),
    ),
    Part(
        "learning, the rest: minibatches, metrics",
        "cohort/learner.py",
        "update",
        (
            VALUES,
            Part("learning: check of every ratio", "projected_ppo/checks.py", "checked"),
            Part("learning: policies' gradients", "cohort/update.py", "_policy_gradient"),
            Part("learning: critics' gradients", "cohort/update.py", "_critic_gradient"),
            Part("learning: norms", "cohort/adam.py", "norm"),
            Part("learning: optimisers", "cohort/adam.py", "step"),
        ),
    ),
)
ITERATIONS: Final = {"single": SINGLE, "cohort": COHORT}


def shares(iteration: Part, stats: pstats.Stats) -> dict[str, float]:
    """Each part's share of an iteration, those within another before it.

    Raises:
        SystemExit: a function that was never called: the code has moved on, and so must this.
    """
    found: dict[str, float] = {}

    def add(part: Part) -> float:
        """Add a part, and its own first; all of its time."""
        whole = _seconds(part, stats)
        found[part.name] = whole - sum([add(one) for one in part.parts])
        return whole

    total = add(iteration)
    return {name: seconds / total for name, seconds in found.items()}


def _seconds(part: Part, stats: pstats.Stats) -> float:
    called = [
        row[3]
        for (file, _, name), row in stats.stats.items()  # type: ignore[attr-defined]
        if file.endswith(part.file) and name == part.function
    ]
    if not called:
        raise SystemExit(f"{part.name}: no call of {part.function} in {part.file}")
    return max(called)


def main() -> None:
    """Profile an engine for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=tuple(ITERATIONS))
    parser.add_argument("setting", choices=("paper", "quickstart"))
    parser.add_argument("--cells", type=int, default=13)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--top", type=int, default=0, help="also the functions with most own time")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    import time

    import torch

    from sport_ray.experiments.cluster.session import quiet_ray, ray_session

    torch.set_num_threads(1)
    with ExitStack() as stack:
        stack.enter_context(ray_session(num_cpus=1))
        quiet_ray()
        engine = BY_KEY[arguments.engine].make(arguments.setting, arguments.cells)
        profile = cProfile.Profile(time.process_time)
        profile.runcall(engine.measure, arguments.seconds)
    stats = pstats.Stats(profile)
    print(f"| {arguments.engine}, {arguments.setting} | share of an iteration |\n| -- | -- |")
    for name, share in shares(ITERATIONS[arguments.engine], stats).items():
        print(f"| {name} | {share:.0%} |")
    if arguments.top:
        stats.sort_stats("tottime").print_stats(arguments.top)


if __name__ == "__main__":
    main()
