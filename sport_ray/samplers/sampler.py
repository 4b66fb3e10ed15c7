"""The interface: draw actions of the base policy in a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.flatten import Flattening
from sport_ray.policies.actions import ActionMapping

Array = NDArray[np.float64]


class BaseSampler(ABC):
    """A base policy that can be sampled.

    A sampler keeps nothing between calls: what it depends on is in the observation, and what is
    random comes from the generator alone (docs/bounds.md, section 9).
    """

    observation_size: int
    action_size: int
    action_mapping: ActionMapping
    """What turns a sample into the environment's action."""
    flattening: Flattening | None = None
    """How the environment's observations became vectors; None where they are."""

    @abstractmethod
    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Independent actions (count, D) at one observation (O,), before the action mapping."""

    def sample_many(
        self, observations: Array, count: int, generators: Sequence[np.random.Generator]
    ) -> Array:
        """The same at observations (n, O), each with its own generator: (n, count, D)."""
        pairs = zip(observations, generators, strict=True)
        return np.stack([self.sample(one, count, generator) for one, generator in pairs])
