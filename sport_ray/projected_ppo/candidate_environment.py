"""The vector environment in which an action is the index of one of M actions of the base."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sport_ray.random_streams import stream
from sport_ray.samplers import BaseSampler

Array = NDArray[np.float64]


class CandidateVectorEnv(VectorWrapper):
    """Draws M candidates in every state, shows them beside it, plays the one that is chosen.

    Observations (n, O + M·D): the state's, then the candidates after the action mapping. Actions
    (n, 1): an index. ``env`` takes samples of the base, before the mapping. Candidates are drawn
    before anything sees them, from a stream that nothing else uses: of the seed that the
    environments are reset with, fresh entropy without one.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], sampler: BaseSampler, count: int) -> None:
        super().__init__(env)
        self.sampler = sampler
        self.count = count
        space = env.single_observation_space
        assert isinstance(space, spaces.Box)
        more = np.full(count * sampler.action_size, np.inf)
        self.single_observation_space = spaces.Box(
            np.concatenate([space.low, -more]), np.concatenate([space.high, more]), dtype=np.float64
        )
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self.single_action_space = spaces.Box(0.0, count - 1.0, (1,), dtype=np.float32)
        self.action_space = batch_space(self.single_action_space, env.num_envs)
        self._generator = stream(None, "candidates")
        self._candidates: Array = np.empty((env.num_envs, count, sampler.action_size))

    def reset(self, *, seed: Any = None, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset; new candidates everywhere."""
        if seed is not None:
            first = seed if isinstance(seed, int) else next(s for s in seed if s is not None)
            self._generator = stream(int(first), "candidates")
        observation, info = self.env.reset(seed=seed, **kwargs)
        return self._seen(observation), info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Play the chosen candidates, draw new ones.

        Raises:
            ValueError: what is no index.
        """
        index = np.asarray(actions, dtype=np.float64)
        good = index.shape == (self.num_envs, 1) and np.isin(index, np.arange(self.count)).all()
        if not good:
            raise ValueError(
                f"actions must be indices 0 … {self.count - 1} of shape ({self.num_envs}, 1), got "
                f"{index.tolist()}"
            )
        played = self._candidates[np.arange(self.num_envs), index[:, 0].astype(np.int64)]
        observation, reward, terminated, truncated, info = self.env.step(played)
        return self._seen(observation), reward, terminated, truncated, info

    def _seen(self, observation: Any) -> Array:
        exact = np.asarray(observation, dtype=np.float64)
        generators = [self._generator] * self.num_envs
        self._candidates = self.sampler.sample_many(exact, self.count, generators)
        shown = self.sampler.action_mapping(self._candidates)
        return np.concatenate([exact, shown.reshape(self.num_envs, -1)], axis=1)
