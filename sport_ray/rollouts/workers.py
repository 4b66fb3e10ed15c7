"""Scenarios on Ray workers: the same table as in one process, sooner, never all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

import ray
import torch

from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.environment import usual_slots
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.repeat import run_in_turn
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios
from sport_ray.rollouts.tally import Tally
from sport_ray.rollouts.transitions import Transitions, collect_transitions

LEAST_CHUNK = 1_000
"""Scenarios in a task, unless there are fewer: a task costs some milliseconds."""
FILLINGS = 4
"""How often a task fills the slots at most: while its last episodes end, most slots are idle."""
AHEAD = 4
"""Chunks per CPU that may be under way or waiting for their turn: what bounds the memory."""


def usual_chunk(plan: ScenarioPlan, count: int, cpus: int) -> int:
    """Scenarios in a task: AHEAD tasks for each CPU, within the limits above."""
    most = FILLINGS * usual_slots(plan.env_id, plan.horizon)
    return max(LEAST_CHUNK, min(most, -(-count // (AHEAD * cpus))))


def _cpus() -> int:
    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


def _run_chunk(
    plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int
) -> tuple[Outcomes, Tally]:
    torch.set_num_threads(1)
    tally = Tally()
    return run_scenarios(plan, behaviour, first, count, tally=tally), tally


def _collect_chunk(plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int) -> Transitions:
    torch.set_num_threads(1)
    return collect_transitions(plan, behaviour, first, count)[0]


def collect_transitions_on_ray(plan: ScenarioPlan, behaviour: Behaviour, count: int) -> Transitions:
    """Every step of scenarios 0 … count − 1, run as Ray tasks.

    Raises:
        what ``run_scenarios`` raises in a worker.
    """
    chunk = usual_chunk(plan, count, _cpus())
    task = ray.remote(_collect_chunk)
    shared = ray.put(behaviour)
    parts = [
        task.remote(plan, shared, first, min(chunk, count - first))
        for first in range(0, count, chunk)
    ]
    try:
        return Transitions.concatenate(ray.get(parts))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


def stream_scenarios_on_ray(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Generator[tuple[Outcomes, Tally], None, None]:
    """Scenarios 0 … count − 1 as Ray tasks of ``chunk`` each, yielded in the order of their index.

    chunk: default :func:`usual_chunk`; the table does not depend on it.

    In order, not as they finish: whoever stops early has then seen a set that no episode's length
    had a part in choosing. A task whose worker dies is run again by Ray from the same seeds, so a
    lost worker changes neither the table nor its completeness. ``progress`` is told how many more
    have finished. A consumer that stops early cancels what is under way.

    Raises:
        ValueError: ``count`` or ``chunk`` below 1.
        what ``run_scenarios`` raises in a worker.
    """
    for name, value in (("count", count), ("chunk", chunk)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    return _stream(plan, behaviour, count, chunk, progress)


def _stream(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    chunk: int | None,
    progress: Callable[[int], None] | None,
) -> Generator[tuple[Outcomes, Tally], None, None]:
    task = ray.remote(_run_chunk)
    shared = ray.put(behaviour)
    cpus = _cpus()
    chunk = chunk or usual_chunk(plan, count, cpus)
    # Where copies of the environment are limited, one process has them all.
    window = AHEAD * cpus if plan.copies is None else 1
    firsts = iter(range(0, count, chunk))
    pending: dict[ray.ObjectRef, int] = {}
    waiting: dict[int, tuple[Outcomes, Tally]] = {}
    turn = 0

    def submit() -> None:
        # Counts those that wait for their turn, too: one slow chunk must not let them pile up.
        while len(pending) + len(waiting) < window and (first := next(firsts, None)) is not None:
            pending[task.remote(plan, shared, first, min(chunk, count - first))] = first

    try:
        submit()
        while pending:
            ready, _ = ray.wait(list(pending), num_returns=1)
            first = pending.pop(ready[0])
            try:
                waiting[first] = ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                # The cause itself: the message of Ray's own class is a traceback of many lines.
                raise error.cause from error
            if progress is not None:
                progress(waiting[first][0].num_scenarios)
            while turn in waiting:
                yield waiting.pop(turn)
                turn += chunk
            submit()
    finally:
        for reference in pending:
            ray.cancel(reference)


def counting(
    stream: Iterable[tuple[Outcomes, Tally]], tally: Tally
) -> Generator[Outcomes, None, None]:
    """The outcomes of a stream, whose tallies are added to ``tally`` as they come."""
    for outcomes, counted in stream:
        tally.add(counted)
        yield outcomes


def _run_in_turn(plan: ScenarioPlan, behaviour: Behaviour, scenarios: list[int]) -> list[Outcomes]:
    torch.set_num_threads(1)
    return list(run_in_turn(plan, behaviour, scenarios))


def run_in_turn_on_ray(
    plan: ScenarioPlan, behaviour: Behaviour, scenarios: list[int]
) -> list[Outcomes]:
    """As :func:`sport_ray.rollouts.repeat.run_in_turn`, in one Ray task.

    Raises:
        what ``run_scenarios`` raises in a worker.
    """
    task = ray.remote(_run_in_turn).remote(plan, behaviour, scenarios)
    try:
        rows: list[Outcomes] = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    return rows


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
