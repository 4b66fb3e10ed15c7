"""Scenarios in portions of a few seconds, in this process: the table, and progress, as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any, Protocol, TypeVar

from sport_ray.policies.threads import one_thread
from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.instance import Instance, pace_of
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios
from sport_ray.rollouts.tally import Tally

Found = TypeVar("Found")
Part = tuple[Outcomes, Tally]
"""A portion's table, and what became of its scenarios."""


class RunPortion(Protocol):
    """Runs ``count`` scenarios from ``first`` on in an environment that is there already."""

    def __call__(self, instance: Instance, behaviour: Behaviour, first: int, count: int) -> Any:
        """What comes out of them."""
        ...


def run_portion(
    instance: Instance, behaviour: Behaviour, first: int, count: int, **watchers: Any
) -> Part:
    """The table of scenarios ``first`` … ``first + count − 1``; watchers: as ``run_scenarios``."""
    environment, slots = instance.for_count(count)
    tally = Tally()
    with one_thread():
        outcomes = run_scenarios(
            instance.plan,
            behaviour,
            first,
            count,
            slots=slots,
            environment=environment,
            tally=tally,
            **watchers,
        )
    return outcomes, tally


def timed(
    run: Callable[[int, int], Any], instance: Instance, first: int, count: int
) -> tuple[Any, float]:
    """What ``run`` gives for a portion, and the seconds it took with the environment there."""
    instance.for_count(count)
    began = time.monotonic()
    found = run(first, count)
    return found, time.monotonic() - began


def stream_here(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Generator[Part, None, None]:
    """Scenarios 0 … ``count − 1`` in this process, in portions, in the order of their index.

    chunk: yield so many at a time (the last fewer), whatever the portions. progress: is told how
    many more have finished. options: as ``portions_here``. The table does not depend on portions.

    Raises:
        what ``run_scenarios`` raises.
    """
    parts = portions_here(plan, behaviour, count, chunk=chunk, **options)
    return told_in_chunks(parts, chunk, progress)


def portions_here(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    first: int = 0,
    chunk: int | None = None,
    pace: Pace | None = None,
    **watchers: Any,
) -> Generator[Part, None, None]:
    """Scenarios ``first`` … ``count − 1`` in portions that end where multiples of ``chunk`` are.

    pace: what is known of the speed; brought up to date. watchers: as ``run_scenarios``.
    """
    pace = pace or pace_of(plan, 1)
    with Instance(plan) as instance:

        def run(start: int, size: int) -> Part:
            return run_portion(instance, behaviour, start, size, **watchers)

        while first < count:
            size = cut_at_chunks(first, pace.size(count - first), chunk)
            part, seconds = timed(run, instance, first, size)
            pace.add(size, seconds)
            first += size
            yield part


def cut_at_chunks(first: int, size: int, chunk: int | None) -> int:
    """The size of a portion that begins at ``first`` and ends where its chunk does at the latest.

    >>> cut_at_chunks(90, 25, 100), cut_at_chunks(100, 25, 100), cut_at_chunks(90, 25, None)
    (10, 25, 25)
    """
    return size if chunk is None else min(size, chunk - first % chunk)


def told_in_chunks(
    parts: Generator[Part, None, None], chunk: int | None, progress: Callable[[int], None] | None
) -> Generator[Part, None, None]:
    """The same ``in_chunks``; progress is told of each portion as it comes. Closes ``parts``."""

    def told() -> Generator[Part, None, None]:
        for part in parts:
            if progress is not None:
                progress(part[0].num_scenarios)
            yield part

    with closing(parts):
        yield from in_chunks(told(), chunk)


def in_chunks(parts: Iterable[Part], chunk: int | None) -> Generator[Part, None, None]:
    """The same scenarios, ``chunk`` at a time (the last fewer); portions end where chunks do."""
    if chunk is None:
        yield from parts
        return
    held: list[Outcomes] = []
    tally, size = Tally(), 0
    for outcomes, counted in parts:
        held.append(outcomes)
        tally.add(counted)
        size += outcomes.num_scenarios
        if size == chunk:
            yield Outcomes.concatenate(held), tally
            held, tally, size = [], Tally(), 0
    if held:
        yield Outcomes.concatenate(held), tally


def counting(stream: Iterable[Part], tally: Tally) -> Generator[Outcomes, None, None]:
    """The outcomes of a stream, whose tallies are added to ``tally`` as they come."""
    for outcomes, counted in stream:
        tally.add(counted)
        yield outcomes


def ended_with(steps: Generator[Any, None, Found]) -> Found:
    """What a generator returns, its progress unheard."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
