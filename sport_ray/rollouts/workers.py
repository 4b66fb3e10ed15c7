"""Scenarios on Ray workers: the same table as in one process, sooner."""

from __future__ import annotations

from collections.abc import Callable

import ray
import torch

from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios

CHUNK = 1_000


def _run_chunk(plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int) -> Outcomes:
    torch.set_num_threads(1)
    return run_scenarios(plan, behaviour, first, count)


def run_scenarios_on_ray(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int = CHUNK,
    progress: Callable[[int], None] | None = None,
) -> Outcomes:
    """Run scenarios 0 … count − 1 as Ray tasks of ``chunk`` scenarios each.

    A task whose worker dies is run again by Ray from the same seeds, so a lost worker changes
    neither the table nor its completeness. ``progress`` is told how many more have finished.

    Raises:
        ValueError: ``count`` or ``chunk`` below 1.
        what ``run_scenarios`` raises in a worker; nothing is returned from an incomplete run.
    """
    for name, value in (("count", count), ("chunk", chunk)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    task = ray.remote(_run_chunk)
    shared = ray.put(behaviour)
    sizes = {
        task.remote(plan, shared, first, min(chunk, count - first)): min(chunk, count - first)
        for first in range(0, count, chunk)
    }
    pending = list(sizes)
    parts: list[Outcomes] = []
    while pending:
        ready, pending = ray.wait(pending, num_returns=1)
        try:
            parts.extend(ray.get(ready))
        except ray.exceptions.RayTaskError as error:
            for reference in pending:
                ray.cancel(reference)
            # The cause itself: the message of Ray's own class is a traceback of many lines.
            raise error.cause from error
        if progress is not None:
            progress(sizes[ready[0]])
    return Outcomes.concatenate(parts)
