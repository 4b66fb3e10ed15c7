"""Many point robots in one struct of arrays: what the environments and the scenarios step.

A *slot* is one robot with its goal and its hazard. The simulator owns neither randomness (each
reset draws from the generator that it is given) nor episode ends (it reports them; stepping on
past an end is well defined, and each step is judged by its own state).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.envs.disturbances import Disturbances
from sport_ray.envs.dynamics import STATE_SIZE, advance
from sport_ray.envs.layouts import (
    FIXED_LAYOUT,
    GOAL_RADIUS,
    HAZARD_RADIUS,
    sample_layouts,
    within_a_turn,
)
from sport_ray.envs.observation import OBSERVATION_SIZE, observe
from sport_ray.envs.rewards import rewards_and_ends
from sport_ray.envs.settings import RobotSettings, positive_int

# Far from overflow, and close enough for distances to keep 1e-9 m.
_FARTHEST = 1e6

RADII = np.array([HAZARD_RADIUS, GOAL_RADIUS])
"""Metres: a signal is its radius less the distance to its centre."""


class StepResult(NamedTuple):
    """One control step of n slots: float64 (n, 44), (n, 2), (n,) and bool (n,), (n,)."""

    obs: NDArray[np.float64]
    signals: NDArray[np.float64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


class PointReachAvoidSimulator:
    """The paper's reach-avoid point robot, ``num_slots`` times (arXiv 2504.06386).

    Signals are real-valued propositions in metres, evaluated at the robot's origin at the end of a
    control step: hazard = 0.5 - distance to the hazard's centre and goal = 0.3 - distance to the
    goal's centre; a proposition holds where its signal is >= 0.

    Args:
        num_slots: How many robots.
        settings: Those of :class:`~sport_ray.envs.settings.RobotSettings`.

    Raises:
        UserError: An argument is not among the allowed values.
    """

    signal_names: Final = ("hazard", "goal")
    goal_radius: Final = GOAL_RADIUS
    hazard_radius: Final = HAZARD_RADIUS

    def __init__(self, num_slots: int, **settings: Any) -> None:
        self.num_slots = positive_int("num_slots", num_slots)
        self.settings = RobotSettings(**settings)
        self._disturbances = Disturbances(self.settings, self.num_slots)

        self.goals = np.zeros((self.num_slots, 2))
        self.hazards = np.zeros((self.num_slots, 2))
        self._state = np.zeros((self.num_slots, STATE_SIZE))
        self._goal_distance = np.zeros(self.num_slots)
        self._steps = np.zeros(self.num_slots, dtype=np.int64)

    def reset(
        self, slots: ArrayLike, rngs: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start new episodes in ``slots`` (n,); return observations (n, 44) and signals (n, 2).

        A random layout, and all noise up to the slot's next reset, come from the slot's own
        generator in ``rngs`` (n): its episodes do not depend on the others. Else nothing is drawn.
        """
        index = self._index(slots)
        if len(rngs) != len(index):
            raise ValueError(f"rngs: expected {len(index)} generators, got {len(rngs)}")
        drawn = FIXED_LAYOUT if self.settings.layout == "fixed" else sample_layouts(rngs)
        poses = self._disturbances.start(index, rngs, np.asarray(drawn.pose))
        self._place(index, poses, drawn.goal, drawn.hazard)
        return self.observe(index)

    def set_state(
        self,
        slot: int,
        pose: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        hazard: ArrayLike | None = None,
    ) -> None:
        """Put ``slot`` at rest with zero steps done; what is None stays where it is.

        ``pose`` is (x, y, heading), ``goal`` and ``hazard`` are centres (x, y), in metres and
        radians. The three may overlap. Call :meth:`observe` for what the robot then sees.

        Raises:
            ValueError: A value has another shape, is not finite or is beyond 1e6; nothing changed.
        """
        index = self._index([slot])
        for name, value, size in (("pose", pose, 3), ("goal", goal, 2), ("hazard", hazard, 2)):
            if value is not None:
                _check_numbers(name, np.asarray(value, dtype=np.float64), size)
        self._place(
            index,
            self._state[slot, :3].copy() if pose is None else pose,
            self.goals[slot].copy() if goal is None else goal,
            self.hazards[slot].copy() if hazard is None else hazard,
        )
        self.observe(index)

    def observe(self, slots: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Observations (n, 44) and signals (n, 2) of ``slots`` as they are now."""
        index = self._index(slots)
        obs = np.empty((len(index), OBSERVATION_SIZE))
        distances = np.empty((len(index), 2))
        observe(self._state, self.goals, self.hazards, index, obs, distances)
        self._goal_distance[index] = distances[:, 1]
        return obs, RADII - distances

    def step(self, slots: ArrayLike, actions: ArrayLike) -> StepResult:
        """Apply ``actions`` (n, 2), with noise and clipped to [-1, 1], to ``slots`` (n,).

        ``terminated``: the goal is reached or, with ``end_on_violation``, the hazard is entered.
        ``truncated``: ``horizon`` steps are done and the step did not terminate.

        Raises:
            ValueError: ``actions`` has another shape, or one of them is not finite; nothing moved.
        """
        index = self._index(slots)
        control = np.asarray(actions, dtype=np.float64)
        if control.shape != (len(index), 2):
            raise ValueError(f"actions: expected shape ({len(index)}, 2), got {control.shape}")
        if not np.isfinite(control).all():
            bad = int(np.flatnonzero(~np.isfinite(control).all(axis=1))[0])
            raise ValueError(
                f"actions: slot {index[bad]} got {control[bad].tolist()}, expected finite numbers"
            )
        control = self._disturbances.disturb(index, self._steps[index], control)
        previous = self._goal_distance[index]
        advance(self._state, index, np.clip(control, -1.0, 1.0))
        self._steps[index] += 1
        obs, signals = self.observe(index)
        progress = previous - self._goal_distance[index]
        paid = rewards_and_ends(self.settings, signals, progress, self._steps[index])
        return StepResult(obs, signals, *paid)

    def poses(self, slots: ArrayLike) -> NDArray[np.float64]:
        """x, y (m) and heading (rad, in [-pi, pi]) of ``slots``, a copy of shape (n, 3)."""
        return self._state[self._index(slots), :3]

    def _place(
        self, slots: NDArray[np.int64], poses: ArrayLike, goals: ArrayLike, hazards: ArrayLike
    ) -> None:
        self._state[slots] = 0.0
        self._state[slots, :3] = within_a_turn(poses)
        self.goals[slots] = np.asarray(goals)
        self.hazards[slots] = np.asarray(hazards)
        self._steps[slots] = 0

    def _index(self, slots: ArrayLike) -> NDArray[np.int64]:
        # The compiled loops do not check bounds, so this must.
        index = np.array(slots, dtype=np.int64, order="C")
        if index.ndim != 1:
            raise ValueError(f"slots: expected shape (n,), got {index.shape}")
        if len(index) and (index.min() < 0 or index.max() >= self.num_slots):
            raise ValueError(f"slots: expected 0 to {self.num_slots - 1}, got {index.tolist()}")
        return index


def _check_numbers(name: str, value: NDArray[np.float64], size: int) -> None:
    if value.shape != (size,) or not (np.abs(value) <= _FARTHEST).all():
        raise ValueError(
            f"{name}: expected {size} finite numbers within +-{_FARTHEST:g}, got {value.tolist()}"
        )
