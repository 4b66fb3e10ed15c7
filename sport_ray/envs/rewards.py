"""What a control step of the point robot pays, and whether the episode ends with it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit
from sport_ray.envs.settings import RobotSettings

GUIDANCE: Final = 0.1

Bools = NDArray[np.bool_]


def rewards_and_ends(
    settings: RobotSettings,
    signals: NDArray[np.float64],
    progress: NDArray[np.float64],
    steps: NDArray[np.int64],
) -> tuple[NDArray[np.float64], Bools, Bools]:
    """Reward, terminated and truncated (n,) of steps; all as ``RobotSettings`` has it.

    signals: (n, 2), hazard and goal after the step, metres. progress: (n,), by how much the
    distance to the goal fell, metres. steps: (n,), done in the episode, this one included.
    """
    reward, ends = np.empty(len(steps)), np.empty((2, len(steps)), dtype=np.bool_)
    _judge(
        signals,
        progress,
        steps,
        settings.horizon,
        settings.end_on_violation,
        float(settings.margin),
        settings.reward == "task",
        GUIDANCE if settings.reward == "guided" else 0.0,
        reward,
        ends,
    )
    return reward, ends[0], ends[1]


@njit(nogil=True)
def _judge(  # type: ignore[no-untyped-def]
    signals, progress, steps, horizon, end_on_violation, margin, is_task, guidance, reward, ends
):
    for i in range(len(steps)):
        violated, reached = signals[i, 0] >= -margin, signals[i, 1] >= 0.0
        if is_task:
            reward[i] = progress[i] + (1.0 if reached else 0.0)
        else:
            paid = -0.25 if violated else (1.0 if reached else 0.0)
            reward[i] = paid + guidance * progress[i] if guidance > 0.0 else paid
        ends[0, i] = reached or (violated and end_on_violation)
        ends[1, i] = steps[i] >= horizon and not ends[0, i]
