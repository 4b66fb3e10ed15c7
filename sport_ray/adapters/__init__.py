"""Bring your own base: policies of other libraries as this project's, the same distribution.

Each adapter copies weights, std head, observation normalisation (frozen) and action mapping, and
computes nothing: what is neither a diagonal Gaussian before a fixed mapping of actions, nor logits
of indices, is refused with the reason. Nothing here unpickles a file; the foreign library is needed
only for its live objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.adapters.normalization import read_normalization
    from sport_ray.adapters.npz import read_npz
    from sport_ray.adapters.onnx import read_onnx
    from sport_ray.adapters.rllib import from_rllib
    from sport_ray.adapters.sb3 import from_sb3
    from sport_ray.adapters.sb3_file import read_sb3

__all__ = ["from_rllib", "from_sb3", "read_normalization", "read_npz", "read_onnx", "read_sb3"]

__getattr__ = names_from(
    __name__,
    {
        "from_rllib": ".rllib",
        "from_sb3": ".sb3",
        "read_normalization": ".normalization",
        "read_npz": ".npz",
        "read_onnx": ".onnx",
        "read_sb3": ".sb3_file",
    },
)
