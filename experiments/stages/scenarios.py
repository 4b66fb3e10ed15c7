"""Scenarios of the base for a stage: on Ray's workers, or here while those are still importing."""

from __future__ import annotations

from collections.abc import Callable, Generator

from sport_ray.experiments.cluster.session import started_here
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts import Behaviour, Outcomes, ScenarioPlan, Tally, run_scenarios
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.rollouts.transitions import Transitions, collect_transitions
from sport_ray.rollouts.workers import collect_transitions_on_ray, stream_scenarios_on_ray

FEW = 20_000
"""The robot's scenarios that this process runs in the time that a worker takes to import."""
PORTION = 1_000
"""Scenarios between two signs of progress here."""


def stream_scenarios(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Generator[tuple[Outcomes, Tally], None, None]:
    """As ``stream_scenarios_on_ray``, with the same outcomes; here where that is sooner.

    A worker that ran tasks is never given to a cell: what runs here leaves the workers to cells.
    """
    if _sooner_here(plan, count):
        return _stream_here(plan, behaviour, count, chunk or PORTION, progress)
    return stream_scenarios_on_ray(plan, behaviour, count, chunk=chunk, progress=progress)


def transitions_of(plan: ScenarioPlan, behaviour: Behaviour, count: int) -> Transitions:
    """As ``collect_transitions_on_ray``, with the same transitions; here where that is sooner."""
    if not _sooner_here(plan, count):
        return collect_transitions_on_ray(plan, behaviour, count)
    with one_thread():
        parts = [
            collect_transitions(plan, behaviour, first, min(PORTION, count - first))[0]
            for first in range(0, count, PORTION)
        ]
    return Transitions.concatenate(parts)


def _sooner_here(plan: ScenarioPlan, count: int) -> bool:
    return started_here() and plan.env_id == POINT_REACH_AVOID and count <= FEW


def _stream_here(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    chunk: int,
    progress: Callable[[int], None] | None,
) -> Generator[tuple[Outcomes, Tally], None, None]:
    for first in range(0, count, chunk):
        tally = Tally()
        with one_thread():
            outcomes = run_scenarios(plan, behaviour, first, min(chunk, count - first), tally=tally)
        if progress is not None:
            progress(outcomes.num_scenarios)
        yield outcomes, tally
