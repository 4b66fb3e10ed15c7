"""Scenarios of the base for a stage: in this process where that is sooner, else on Ray's workers.

What they cost is measured on the first of them, which counts like the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts import Behaviour, ScenarioPlan
from sport_ray.rollouts.instance import pace_of
from sport_ray.rollouts.on_ray import collect_transitions_on_ray, portions_on_ray
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.streaming import Part, portions_here, told_in_chunks
from sport_ray.rollouts.transitions import Transitions, collect_transitions
from sport_ray.rollouts.workers import workers_for

TRIAL_SECONDS = 3.0
"""For a first portion here: one that takes longer is given up, and run by a worker."""


def stream_scenarios(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
    need: RayWhenNeeded | None = None,
) -> Generator[Part, None, None]:
    """As ``stream_scenarios_on_ray``, with the same outcomes; here where that is sooner.

    need: is asked for workers once they are worth their start; by default one for these scenarios.
    A worker that ran scenarios is never given to a cell: what runs here leaves workers to cells.
    """
    with need or RayWhenNeeded() as session:
        parts = _portions(plan, behaviour, count, chunk, session)
        yield from told_in_chunks(parts, chunk, progress)


def _portions(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    chunk: int | None,
    ray: RayWhenNeeded,
) -> Generator[Part, None, None]:
    """Portions here, until those that are left are worth workers; then theirs."""
    first, pace = 0, pace_of(plan, 1)
    if not ray.elsewhere:
        workers = 1 if ray.never else workers_for(plan, count, ray.cpus())
        trial = _Trial(pace) if workers > 1 else None
        try:
            with closing(
                portions_here(plan, behaviour, count, chunk=chunk, pace=pace, recorder=trial)
            ) as parts:
                for part in parts:
                    first += part[0].num_scenarios
                    yield part
                    if workers > 1 and _worth_workers(pace, count - first, workers, ray):
                        break
        except _TooLong:
            pass
    if first < count:
        ray.need()
        yield from portions_on_ray(plan, behaviour, count, first=first, chunk=chunk, pace=pace)


def _worth_workers(pace: Pace, left: int, workers: int, ray: RayWhenNeeded) -> bool:
    """Whether so many workers, once they are there, are done before this process alone."""
    if pace.rate is None or not pace.is_known:
        return False
    return ray.worth_workers(left / pace.rate, workers)


class _TooLong(Exception):
    """A first portion that takes longer than TRIAL_SECONDS."""


class _Trial:
    """Called after every step: ends the first portion where it takes too long."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._end = pace, time.monotonic() + TRIAL_SECONDS

    def __call__(self, *_: Any) -> None:
        if self._pace.rate is None and time.monotonic() > self._end:
            raise _TooLong


def transitions_of(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    progress: Callable[[int], None] | None = None,
    need: RayWhenNeeded | None = None,
) -> Transitions:
    """As ``collect_transitions_on_ray``, with the same transitions; here where that is sooner."""
    parts: list[Transitions] = []
    done, pace = 0, pace_of(plan, 1)
    with need or RayWhenNeeded() as session:
        workers = 1 if session.never else workers_for(plan, count, session.cpus())
        while done < count and not session.elsewhere:
            size, began = pace.size(count - done), time.monotonic()
            with one_thread():
                parts.append(collect_transitions(plan, behaviour, done, size)[0])
            pace.add(size, time.monotonic() - began)
            done += size
            if progress is not None:
                progress(size)
            if workers > 1 and _worth_workers(pace, count - done, workers, session):
                break
        if done < count:
            session.need()
            parts.append(
                collect_transitions_on_ray(
                    plan, behaviour, count, first=done, progress=progress, pace=pace
                )
            )
    return Transitions.concatenate(parts)
