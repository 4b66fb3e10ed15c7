"""Our layer around a vector environment that its author made as one (a ``vector_entry_point``).

Its copies are out of reach, so less can be read than :class:`Stepping` reads of one environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sport_ray.envs.faults import EnvironmentFault, what_happened
from sport_ray.envs.flatten import FlatBox, Flattening
from sport_ray.envs.spaces import as_action, require_numbers
from sport_ray.errors import UserError
from sport_ray.random_streams import seed_sequence


class VectorStepping(VectorWrapper):
    """Actions as a fresh array of the space's dtype, observations in a fresh one, seeds apart.

    Observations that are no vectors are flattened, as :class:`Stepping` does.

    ``reset(seed=s)`` gives each copy a seed of its own, spawned from s: neither another copy's, nor
    that of another run's, nor s itself, which the sampler and the learner draw from.

    Raises:
        EnvironmentFault: what the environment raised, or an observation that is not in the space.
        UserError: spaces that no policy here can see or act in.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], env_id: str) -> None:
        super().__init__(env)
        require_numbers(env_id, env.single_action_space)
        self.env_id = env_id
        seen = env.single_observation_space
        self.flattening = None if isinstance(seen, FlatBox) else Flattening.needed(env_id, seen)
        """How observations of its copies become vectors; None where they are (by now)."""
        if self.flattening is not None:
            self.single_observation_space = self.flattening.box(seen)
            self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._steps = 0

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every copy."""
        self._steps = 0
        if isinstance(seed, int | np.integer):
            seed = training_seeds(int(seed), self.num_envs)
        with self._telling_what_failed():
            observation, info = self.env.reset(seed=seed, **kwargs)  # type: ignore[arg-type]
        return self._seen(observation), info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every copy."""
        self._steps += 1
        given = as_action(actions, np.dtype(self.env.single_action_space.dtype))
        if isinstance(self.env.single_action_space, spaces.Discrete):
            given = given.reshape(self.num_envs)
        with self._telling_what_failed():
            observation, reward, terminated, truncated, info = self.env.step(given)
        return self._seen(observation), reward, terminated, truncated, info

    @contextmanager
    def _telling_what_failed(self) -> Iterator[None]:
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            raise self._fault(what_happened(error)) from error

    def _seen(self, observation: Any) -> NDArray[Any]:
        if self.flattening is not None:
            try:
                return self.flattening(observation, count=self.num_envs)
            except UserError as error:
                raise self._fault(str(error)) from None
        space = self.env.single_observation_space
        seen = np.array(observation, dtype=space.dtype, copy=True)
        if seen.shape != (self.num_envs, *(space.shape or ())):
            raise self._fault(
                f"observations of {self.num_envs} copies have shape {seen.shape}, the space of "
                f"one {space.shape}"
            )
        return seen

    def _fault(self, what: str) -> EnvironmentFault:
        when = f"step {self._steps}" if self._steps else "at reset"
        return EnvironmentFault(f"vector environment {self.env_id!r}, {when}: {what}")


def training_seeds(seed: int, count: int) -> list[int]:
    """A seed for each of the copies that a run with this seed trains in."""
    states = seed_sequence(seed, "training environments").generate_state(count)
    return [int(state >> 1) for state in states]
