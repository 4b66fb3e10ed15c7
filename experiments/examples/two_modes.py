"""A mixture of two Gaussians: the shipped policy with two modes, one to the left, one to the right.

Mean and standard deviation are those of the shipped Gaussian; the law is another one, which no
constraint on Gaussians covers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sport_ray.policies import FrozenPolicy, load_policy

Array = NDArray[np.float64]

WEIGHTS = "../bases/point_reach_avoid/policy.safetensors"


class TwoModes:
    """(mean ± apart·std) with standard deviation std·√(1 − apart²), each with probability ½."""

    def __init__(self, apart: float = 0.9) -> None:
        folder = (Path(__file__).parent / WEIGHTS).resolve().parent
        self.policy = FrozenPolicy(load_policy(folder).network)
        self.apart, self.spread = apart, np.sqrt(1.0 - apart**2)

    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Actions (count, 2) in [-1, 1]²; the mode shifts both entries, before the tanh."""
        mode = generator.choice([-1.0, 1.0], (count, 1))
        noise = self.apart * mode + self.spread * generator.standard_normal((count, 2))
        law = self.policy.distribution(observation[None])
        drawn: Array = np.tanh(law[:, None].sample(noise[None])[0])
        return drawn
