"""The action mapping in the environment, so that a policy's sample itself is the action on record.

The density through a tanh and back loses precision where the action saturates, and clipping has no
way back; with the mapping here the learner stores the sample before it, and its log probability is
the Gaussian's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from sport_ray.envs.spaces import action_size_of, indices_of

Mapping = Callable[[ArrayLike], NDArray[np.float64]]


class MappedActions(gymnasium.ActionWrapper[Any, Any, Any]):
    """An environment with actions in a box, driven by u in R^D through a mapping of arrays."""

    def __init__(self, env: gymnasium.Env[Any, Any], mapping: Mapping) -> None:
        super().__init__(env)
        self.action_space = _real(env.action_space)
        self.mapping = mapping

    def action(self, action: ArrayLike) -> NDArray[np.float64]:
        """The mapping in float64; NaN stays NaN, which the environment refuses."""
        return self.mapping(action)


class MappedVectorActions(VectorActionWrapper):
    """A vector environment with actions in a box, driven by u in R^D through a mapping."""

    def __init__(self, env: VectorEnv[Any, Any, Any], mapping: Mapping) -> None:
        super().__init__(env)
        self.single_action_space = _real(env.single_action_space)
        self.action_space = batch_space(self.single_action_space, env.num_envs)
        self.mapping = mapping

    def actions(self, actions: ArrayLike) -> NDArray[np.float64]:  # type: ignore[override]
        """The mapping in float64; NaN stays NaN, which the environment refuses."""
        return self.mapping(actions)


def _real(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box) and indices_of(space) is None:
        raise ValueError(f"env: expected actions in a Box or indices, got {space}")
    return spaces.Box(-np.inf, np.inf, (action_size_of(space),), dtype=np.float32)
