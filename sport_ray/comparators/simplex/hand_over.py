"""Rollouts that hand over: the task policy acts for a while, then the base until the end.

A first part of them, the pilots, never hands over: their lengths say when a hand-over can be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sport_ray.comparators.simplex.behaviour import TakingTurns
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.rollouts.behaviour import Array, Draws, Generators, Step, Steps
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.transitions import Transitions, collect_transitions
from sport_ray.streams.rows import uniform_rows

PILOTS = 5
"""One rollout in so many is one."""
_NUMBERS = 4
"""Of chance, that a schedule is drawn with."""


class HandOverBehaviour(TakingTurns):
    """The task policy acts but for steps a … b − 1 and from step c on, when the base does.

    An episode's state (n, 3) is its (a, b, c), drawn from its own generator. c is uniform on 0 … L,
    with L the length of a pilot. In half of the episodes a = b; in the others a is uniform below c
    and b between both, as where the task policy was given the turn back. Without pilots c is T.

    lengths: of pilots, (k,), steps; None for a pilot itself. horizon: T, steps.
    """

    def __init__(
        self, base: FrozenPolicy, task: FrozenPolicy, lengths: Steps | None, horizon: int
    ) -> None:
        super().__init__(base, task)
        self._lengths, self._horizon = lengths, horizon

    def start(self, count: int) -> Array:
        """No schedule yet: it is drawn with the first action."""
        return np.zeros((count, 3))

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """The noise of an action, and what a schedule would be drawn with."""
        noise = super().draw(observation, generators).noise
        return Draws(noise, turns=uniform_rows(generators, _NUMBERS))

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The law of whoever has the turn, at observations (n, O)."""
        assert draws is not None
        assert draws.turns is not None
        assert taken is not None
        schedule = np.where((taken == 0)[:, None], self._schedules(draws.turns), state)
        return self.in_turn(observation, base_has_turn(schedule, taken), schedule)

    def _schedules(self, numbers: Array) -> Array:
        """(a, b, c) of n episodes, (n, 3), from numbers (n, 4) of [0, 1)."""
        if self._lengths is None:
            return np.broadcast_to([0.0, 0.0, float(self._horizon)], (len(numbers), 3))
        which, when, first, last = numbers.T
        length = self._lengths[(which * len(self._lengths)).astype(np.int64)]
        end = np.floor(when * (length + 1))
        begins = np.where(first < 0.5, 0.0, np.floor((2.0 * first - 1.0) * end))
        lasts = np.where(first < 0.5, 0.0, np.floor(last * (end - begins) + 1.0))
        return np.stack([begins, np.minimum(begins + lasts, end), end], axis=1)


def base_has_turn(schedule: Array, taken: Steps) -> NDArray[np.bool_]:
    """Whether the base acts after so many steps (n,), by schedules (n, 3)."""
    begins, ends, over = schedule.T
    found: NDArray[np.bool_] = ((taken >= begins) & (taken < ends)) | (taken >= over)
    return found


@dataclass(frozen=True)
class HandOvers:
    """What hand-over rollouts came to: m steps in which nothing was settled yet.

    steps: the transitions. task_acts, base_to_end: (m,), whether the task policy acts there, and
    whether the base acts from there to the end. violated: (m,), of the step's rollout, within T.
    settles: (m,), whether the verdict is settled by the step, or the rollout over.
    env_steps, episodes, violations: of all rollouts.
    """

    steps: Transitions
    task_acts: NDArray[np.bool_]
    base_to_end: NDArray[np.bool_]
    violated: NDArray[np.bool_]
    settles: NDArray[np.bool_]
    env_steps: int
    episodes: int
    violations: int


def hand_overs(plan: ScenarioPlan, base: FrozenPolicy, task: FrozenPolicy, count: int) -> HandOvers:
    """Scenarios 0 … count − 1 of a plan, a fifth of them (one at least) pilots.

    Raises:
        ValueError: fewer than two.
        what ``run_scenarios`` raises.
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, got {count!r}")
    pilots, horizon = max(count // PILOTS, 1), plan.horizon
    schedules = np.empty((count, 3))

    def keep(scenarios: NDArray[np.int64], states: Array) -> None:
        schedules[scenarios] = states

    def run(
        lengths: Steps | None, first: int, many: int
    ) -> tuple[Transitions, Steps, NDArray[np.bool_]]:
        behaviour = HandOverBehaviour(base, task, lengths, horizon)
        found, outcomes = collect_transitions(plan, behaviour, first, many, on_end=keep)
        return found, outcomes.length, ~outcomes.satisfied_by(horizon)

    alone = run(None, 0, pilots)
    others = run(alone[1], pilots, count - pilots)
    found = Transitions.concatenate([alone[0], others[0]])
    violated = np.concatenate([alone[2], others[2]])
    last = found.length.copy()
    for settled in (found.violated_at, found.satisfied_at):
        last = np.where(settled >= 0, np.minimum(last, settled), last)
    open_ = found.step < last
    found, last = found.rows(open_), last[open_]
    schedule = schedules[found.scenario]
    return HandOvers(
        steps=found,
        task_acts=~base_has_turn(schedule, found.step),
        base_to_end=found.step >= schedule[:, 2],
        violated=violated[found.scenario],
        settles=found.step + 1 == last,
        env_steps=int(alone[1].sum() + others[1].sum()),
        episodes=count,
        violations=int(violated.sum()),
    )
