"""Scenarios on Ray workers: the same table as in one process, sooner, never all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.instance import Instance
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.streaming import Part, run_portion, told_in_chunks
from sport_ray.rollouts.transitions import Transitions, collect_transitions
from sport_ray.rollouts.workers import Crew


def _run(instance: Instance, behaviour: Behaviour, first: int, count: int) -> Part:
    return run_portion(instance, behaviour, first, count)


def _collect(instance: Instance, behaviour: Behaviour, first: int, count: int) -> Transitions:
    environment, slots = instance.for_count(count)
    found, _ = collect_transitions(
        instance.plan, behaviour, first, count, slots=slots, environment=environment
    )
    return found


def collect_transitions_on_ray(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    first: int = 0,
    progress: Callable[[int], None] | None = None,
    pace: Pace | None = None,
) -> Transitions:
    """Every step of scenarios ``first`` … ``count − 1``, run on Ray workers.

    Raises:
        what ``run_scenarios`` raises in a worker.
    """
    parts = []
    with closing(Crew(plan, behaviour, _collect, first, count, pace=pace).done()) as done:
        for one in done:
            parts.append(one.found)
            if progress is not None:
                progress(one.count)
    return Transitions.concatenate(parts)


def portions_on_ray(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    first: int = 0,
    chunk: int | None = None,
    pace: Pace | None = None,
) -> Generator[Part, None, None]:
    """As ``sport_ray.rollouts.streaming.portions_here``, on Ray workers, in the order of index.

    Raises:
        UserError: a worker that dies again and again.
        what ``run_scenarios`` raises in a worker.
    """
    with closing(Crew(plan, behaviour, _run, first, count, chunk, pace).done()) as done:
        for one in done:
            yield one.found


def stream_scenarios_on_ray(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Generator[Part, None, None]:
    """Scenarios 0 … count − 1 on Ray workers, in the order of their index.

    chunk: yield so many at a time (the last fewer); default as they come. The table does not
    depend on it, nor on the portions that workers run, which take some seconds each.

    In order, not as they finish: whoever stops early has then seen a set that no episode's length
    had a part in choosing. A portion whose worker dies is run again from the same seeds, so a
    lost worker changes neither the table nor its completeness. ``progress`` is told how many more
    have come. A consumer that stops early ends what is under way.

    Raises:
        ValueError: ``count`` or ``chunk`` below 1.
        UserError: a worker that dies again and again.
        what ``run_scenarios`` raises in a worker.
    """
    for name, value in (("count", count), ("chunk", chunk)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    parts = portions_on_ray(plan, behaviour, count, chunk=chunk)
    return told_in_chunks(parts, chunk, progress)


def run_scenarios_on_ray(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outcomes:
    """The whole table of scenarios 0 … count − 1; see :func:`stream_scenarios_on_ray`."""
    parts = stream_scenarios_on_ray(plan, behaviour, count, chunk=chunk, progress=progress)
    return Outcomes.concatenate([outcomes for outcomes, _ in parts])
