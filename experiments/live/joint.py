"""What is told of a study over several bases as a whole, from what is told of each."""

from __future__ import annotations

from collections.abc import Mapping

from sport_ray.experiments.live.state import MOST_FAILURES, State

_TOLD_FIRST = ("live", "starting", "gone", "waiting")
"""Of which base the line speaks: the one that is at work, or that ended before its time."""


def joint_state(study: str, of: str, states: Mapping[str, State]) -> State:
    """The state of all parts together; of: what they are, such as "bases"; states: by name."""
    ended = sum(state.phase == "ended" for state in states.values())
    tail = f"{ended} of {len(states)} {of} ended"
    order = (one for phase in _TOLD_FIRST for one in states.items() if one[1].phase == phase)
    name, told = next(order, ("", None))
    failed = [
        {**one, "where": f"{base}, {one['where']}"}
        for base, state in states.items()
        for one in state.failed
    ]
    problems = (f"{base}: {one.problem}" for base, one in states.items() if one.problem)
    return State(
        "ended" if told is None else told.phase,
        study,
        tail if told is None else f"{name}: {told.sentence}; {tail}",
        finished=sum(state.finished for state in states.values()),
        planned=sum(state.planned for state in states.values()),
        changed=max((state.changed for state in states.values() if state.changed), default=None),
        failed=failed[:MOST_FAILURES],
        more_failed=sum(len(state.failed) + state.more_failed for state in states.values())
        - len(failed[:MOST_FAILURES]),
        problem=next(problems, None),
    )
