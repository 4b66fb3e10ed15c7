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
    """A part of an iteration: the time within a function, without that of the parts in ``minus``.

    ``file`` is the end of a file's path.
    """

    name: str
    file: str
    function: str
    minus: tuple[str, ...] = ()


SINGLE: Final = (
    Part("acting: base policy, float64", "policies/frozen.py", "distribution"),
    Part("acting: projection", "constraints/ratio.py", "project"),
    Part(
        "acting: task policy, and what is around",
        "projected_ppo/module.py",
        "act",
        ("acting: base policy, float64", "acting: projection"),
    ),
    Part("environment", "projected_ppo/array_runner.py", "_try_env_step"),
    Part(
        "sampling, the rest: noise, records",
        "projected_ppo/array_runner.py",
        "_sample",
        ("acting: task policy, and what is around", "environment"),
    ),
    Part("learning: values, advantages", "projected_ppo/fragment.py", "training_batch"),
    Part("learning: check of every ratio", "projected_ppo/learner.py", "_check_policies"),
    Part("learning: forward passes", "multi_rl_module.py", "_forward_train"),
    Part("learning: loss", "learner/learner.py", "compute_losses"),
    Part("learning: backward passes", "torch/torch_learner.py", "compute_gradients"),
    Part("learning: norms, clipping", "learner/learner.py", "postprocess_gradients"),
    Part("learning: optimisers", "projected_ppo/learner.py", "apply_gradients"),
    Part(
        "learning, the rest: minibatches, metrics",
        "learner/learner_group.py",
        "update",
        (
            "learning: values, advantages",
            "learning: check of every ratio",
            "learning: forward passes",
            "learning: loss",
            "learning: backward passes",
            "learning: norms, clipping",
            "learning: optimisers",
        ),
    ),
    Part(
        "around: weights to the runner, results",
        "trainable/trainable.py",
        "train",
        ("sampling, the rest: noise, records", "learning, the rest: minibatches, metrics"),
    ),
)
COHORT: Final = (
    Part("acting: base policies, float64", "cohort/rollout.py", "_based"),
    Part("acting: task policies", "projected_ppo/acting.py", "distribution"),
    Part("acting: projection", "cohort/projection.py", "project"),
    Part("environment", "cohort/robots.py", "step"),
    Part(
        "sampling, the rest: noise, records",
        "cohort/rollout.py",
        "sample",
        (
            "acting: base policies, float64",
            "acting: task policies",
            "acting: projection",
            "environment",
        ),
    ),
    Part("learning: values, advantages", "projected_ppo/fragment.py", "training_batch"),
    Part("learning: check of every ratio", "projected_ppo/checks.py", "checked"),
    Part("learning: policies' gradients", "cohort/update.py", "_policy_gradient"),
    Part("learning: critics' gradients", "cohort/update.py", "_critic_gradient"),
    Part("learning: norms", "cohort/adam.py", "norm"),
    Part("learning: optimisers", "cohort/adam.py", "step"),
    Part(
        "learning, the rest: minibatches, metrics",
        "cohort/learner.py",
        "update",
        (
            "learning: values, advantages",
            "learning: check of every ratio",
            "learning: policies' gradients",
            "learning: critics' gradients",
            "learning: norms",
            "learning: optimisers",
        ),
    ),
    Part(
        "around: weights to the runner, results",
        "trainable/trainable.py",
        "train",
        ("sampling, the rest: noise, records", "learning, the rest: minibatches, metrics"),
    ),
)
PARTS: Final = {"single": SINGLE, "cohort": COHORT}


def shares(parts: tuple[Part, ...], stats: pstats.Stats) -> dict[str, float]:
    """Each part's share of the whole, which is the last part's time.

    Raises:
        SystemExit: a function that was never called: the code has moved on, and so must this.
    """
    whole = {}
    for part in parts:
        found = [
            row[3]
            for (file, _, name), row in stats.stats.items()  # type: ignore[attr-defined]
            if file.endswith(part.file) and name == part.function
        ]
        if not found:
            raise SystemExit(f"{part.name}: no call of {part.function} in {part.file}")
        whole[part.name] = max(found)
    total = whole[parts[-1].name]
    return {
        part.name: (whole[part.name] - sum(whole[name] for name in part.minus)) / total
        for part in parts
    }


def main() -> None:
    """Profile an engine for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=tuple(PARTS))
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
    for name, share in shares(PARTS[arguments.engine], stats).items():
        print(f"| {name} | {share:.0%} |")
    if arguments.top:
        stats.sort_stats("tottime").print_stats(arguments.top)


if __name__ == "__main__":
    main()
