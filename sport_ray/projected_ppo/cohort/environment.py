"""The environments of a cohort: point robots together, any other one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.projected_ppo.cohort.protocol import (
    Cells,
    CohortEnvironment,
    CohortStep,
    Errors,
)
from sport_ray.projected_ppo.cohort.robots import CohortOfRobots
from sport_ray.projected_ppo.environment import (
    AnyVectorEnv,
    TrainingEnvironment,
    counter_of,
    take_violations,
)


class SeparateEnvironments:
    """Each cell's own vector environment, as the single algorithm makes it; one after another."""

    def __init__(self, environments: Sequence[AnyVectorEnv]) -> None:
        self.environments = list(environments)
        self._counters = [counter_of(one) for one in environments]
        first = self.environments[0]
        assert isinstance(first.single_observation_space, spaces.Box)
        assert isinstance(first.single_action_space, spaces.Box)
        self.observation_space = first.single_observation_space
        self.action_space = first.single_action_space
        self._shape = (first.num_envs, *(self.observation_space.shape or ()))

    def reset(self, seeds: Sequence[int | None]) -> tuple[NDArray[np.floating], Errors]:
        """Start all cells."""
        found = np.zeros((len(self.environments), *self._shape), dtype=np.float64)
        errors: Errors = {}
        for cell, (one, seed) in enumerate(zip(self.environments, seeds, strict=True)):
            try:
                found[cell], _ = one.reset(seed=seed)
            except Exception as error:  # that cell's alone
                errors[cell] = error
        return found, errors

    def step(self, cells: Cells, actions: NDArray[np.floating]) -> CohortStep:
        """Step some cells."""
        count = self._shape[0]
        observation = np.zeros((len(cells), *self._shape), dtype=np.float64)
        reward = np.zeros((len(cells), count))
        terminated = np.zeros((len(cells), count), dtype=np.bool_)
        truncated = np.zeros((len(cells), count), dtype=np.bool_)
        violated = np.zeros((len(cells), count), dtype=np.bool_)
        errors: Errors = {}
        for row, cell in enumerate(cells.tolist()):
            try:
                step = self.environments[cell].step(actions[row])
                observation[row], reward[row], terminated[row], truncated[row], _ = step
                counter = self._counters[cell]
                if counter is not None and counter.entered is not None:
                    violated[row] = counter.entered
            except Exception as error:  # that cell's alone
                errors[cell] = error
        return CohortStep(observation, reward, terminated, truncated, violated, errors)

    def take_violations(self) -> list[int | None]:
        """What each cell's counter tells."""
        return [take_violations(one) for one in self.environments]

    def close(self) -> None:
        """Close all."""
        for one in self.environments:
            one.close()


def cohort_environment(contexts: Sequence[Mapping[str, Any]], copies: int) -> CohortEnvironment:
    """The environments of cells with these contexts (see ``TrainingEnvironment``), n copies each.

    Point robots are stepped together; any other environment cell by cell.

    Raises:
        UserError: whatever the single algorithm's environment refuses.
    """
    first = _made(contexts[0], copies)
    robots = CohortOfRobots.of(first, contexts)
    if robots is not None:
        first.close()
        return robots
    rest = [_made(context, copies) for context in contexts[1:]]
    return SeparateEnvironments([first, *rest])


def _made(context: Mapping[str, Any], copies: int) -> AnyVectorEnv:
    made: Any = TrainingEnvironment({**context, "num_envs": copies})
    mode = made.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.NEXT_STEP:
        raise UserError(
            f"the vector environment resets by {mode}: Projected PPO needs AutoresetMode.NEXT_STEP"
        )
    found: AnyVectorEnv = made
    return found
