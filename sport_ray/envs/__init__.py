"""The reach-avoid point robot of the paper: one environment, a vector of them, and their simulator.

The classes load on first use, so that registering the gymnasium id does not import numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
    from sport_ray.envs.simulator import PointReachAvoidSimulator
    from sport_ray.envs.squash import TanhActions, TanhVectorActions
    from sport_ray.envs.vector import PointReachAvoidVectorEnv

__all__ = [
    "PointReachAvoidEnv",
    "PointReachAvoidSimulator",
    "PointReachAvoidVectorEnv",
    "TanhActions",
    "TanhVectorActions",
]

_HOME = {
    "PointReachAvoidEnv": "point_reach_avoid",
    "PointReachAvoidSimulator": "simulator",
    "PointReachAvoidVectorEnv": "vector",
    "TanhActions": "squash",
    "TanhVectorActions": "squash",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
