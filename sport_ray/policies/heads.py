"""What surrounds a network's matrices, for one observation, in float64 on numpy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.policies.observations import Normalization

Array = NDArray[np.float64]


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _elu(x: Array) -> Array:
    return np.where(x > 0.0, x, np.expm1(x))


def _silu(x: Array) -> Array:
    return x / (1.0 + np.exp(-x))


def _leaky_relu(x: Array) -> Array:
    return np.where(x > 0.0, x, 0.01 * x)


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


ROW_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "relu": (_relu, 1.0),
    "tanh": (np.tanh, 1.0),
    "elu": (_elu, 1.0),
    "silu": (_silu, 1.1),
    "leaky_relu": (_leaky_relu, 1.0),
    "sigmoid": (_sigmoid, 0.25),
}
"""Each with a bound on its slope."""


def fixed(values: Any) -> Array:
    """A copy in float64 that nobody can write into."""
    found = np.array(values, dtype=np.float64)
    found.setflags(write=False)
    return found


class Normalize:
    """o ↦ clip((o − mean) / scale) of the first entries, rounded to float32; None: as they are."""

    def __init__(self, given: Normalization | None) -> None:
        self.given = given is not None
        if given is not None:
            self.mean, self.scale = fixed(given.mean), fixed(given.scale)
            self.clip = np.inf if given.clip is None else given.clip

    def __call__(self, observation: Array) -> Array:
        """What the first layer sees of an observation (O,)."""
        if not self.given:
            return observation
        size = len(self.mean)
        seen = np.clip((observation[:size] - self.mean) / self.scale, -self.clip, self.clip)
        return np.concatenate((seen.astype(np.float32).astype(np.float64), observation[size:]))
