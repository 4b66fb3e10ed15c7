"""A Gaussian policy as a sampler."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.samplers.sampler import Array, BaseSampler


class PolicySampler(BaseSampler):
    """The samples of a policy, in float64, before its action mapping."""

    def __init__(self, policy: FrozenPolicy) -> None:
        self.policy = policy
        self.observation_size = policy.spec.observation_size
        self.action_size = policy.spec.action_size
        self.action_mapping = policy.spec.action_mapping
        self.flattening = policy.spec.flattening

    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Actions (count, D) at an observation (O,)."""
        found: Array = self.sample_many(observation[None], count, [generator])[0]
        return found

    def sample_many(
        self, observations: Array, count: int, generators: Sequence[np.random.Generator]
    ) -> Array:
        """Actions (n, count, D): one pass through the network, noise row by row."""
        family = self.policy.spec.family
        laws = self.policy.distribution(observations)
        noise = family.draw_each(generators, count, self.policy.spec.law_size)
        found: Array = laws[:, None].sample(noise)
        return found
