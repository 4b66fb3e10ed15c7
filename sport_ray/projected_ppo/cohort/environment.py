"""What a cohort samples from: K cells with n copies of their environment each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sport_ray.projected_ppo.environment import AnyVectorEnv, take_violations

Cells = NDArray[np.intp]
Errors = dict[int, Exception]


class CohortStep(NamedTuple):
    """One step of some cells: (A, n, O), (A, n), (A, n) bool, (A, n) bool; what went wrong in whom.

    What stands in the row of a cell with an error means nothing.
    """

    observation: NDArray[np.floating]
    reward: NDArray[np.floating]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    errors: Errors


class CohortEnvironment(Protocol):
    """K cells of n copies; the step after an end only resets (NEXT_STEP).

    A cell's numbers are those of its own training environment: neither the other cells nor how
    many there are, nor which of them are stepped, changes a bit of them.
    """

    observation_space: spaces.Box
    """Of one copy, with what is left of a budget."""
    action_space: spaces.Box
    """Of one copy: what the policies' samples are."""

    def reset(self, seeds: Sequence[int | None]) -> tuple[NDArray[np.floating], Errors]:
        """Start all cells, each from its seed: observations (K, n, O)."""

    def step(self, cells: Cells, actions: NDArray[np.floating]) -> CohortStep:
        """Step some cells with actions (A, n, D), under a budget (A, n, D + 1), the cost last."""

    def take_violations(self) -> list[int | None]:
        """Each cell's episodes with a violation since the last call; None where none is told."""

    def close(self) -> None:
        """Let go of what it holds."""


class SeparateEnvironments:
    """Each cell's own vector environment, as the single algorithm makes it; one after another."""

    def __init__(self, environments: Sequence[AnyVectorEnv]) -> None:
        self.environments = list(environments)
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
        errors: Errors = {}
        for row, cell in enumerate(cells.tolist()):
            try:
                step = self.environments[cell].step(actions[row])
                observation[row], reward[row], terminated[row], truncated[row], _ = step
            except Exception as error:  # that cell's alone
                errors[cell] = error
        return CohortStep(observation, reward, terminated, truncated, errors)

    def take_violations(self) -> list[int | None]:
        """What each cell's counter tells."""
        return [take_violations(one) for one in self.environments]

    def close(self) -> None:
        """Close all."""
        for one in self.environments:
            one.close()
