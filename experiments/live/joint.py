"""What is told of a study over several bases as a whole, from what is told of each."""

from __future__ import annotations

from collections.abc import Sequence

from sport_ray.experiments.live.state import MOST_FAILURES, State

_TOLD_FIRST = ("live", "starting", "gone", "waiting")
"""Of which base the line speaks: the one that is at work, or that ended before its time."""


def joint_state(study: str, of: str, parts: Sequence[tuple[str, State]]) -> State:
    """The state of all parts together; of: what they are, such as "bases"; parts: named."""
    states = [state for _, state in parts]
    ended = sum(state.phase == "ended" for state in states)
    tail = f"{ended} of {len(states)} {of} ended"
    order = (one for phase in _TOLD_FIRST for one in parts if one[1].phase == phase)
    name, told = next(order, ("", None))
    failed = [
        {**one, "where": f"{base}, {one['where']}"} for base, state in parts for one in state.failed
    ]
    problems = (f"{base}: {one.problem}" for base, one in parts if one.problem)
    return State(
        "ended" if told is None else told.phase,
        study,
        tail if told is None else f"{name}: {told.sentence}; {tail}",
        finished=sum(state.finished for state in states),
        planned=sum(state.planned for state in states),
        changed=max((state.changed for state in states if state.changed), default=None),
        failed=failed[:MOST_FAILURES],
        more_failed=sum(len(state.failed) + state.more_failed for state in states)
        - len(failed[:MOST_FAILURES]),
        problem=next(problems, None),
    )
